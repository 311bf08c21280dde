# SPDX-License-Identifier: GPL-3.0-or-later

"""The group that a run is a part of, and what its parts are called. Existing rows are runs of their own."""

from __future__ import annotations

import sqlalchemy as sql

from rack_recipes.store.schema.tables import long_text, name

revision = "0009"
down_revision = "0008"

TABLE = "runs"
COLUMNS = {"group_id": name, "part": name, "group_info": long_text}
INDEX = "ix_runs_group_id"


def upgrade() -> None:
    """Add the columns and the index that are missing; no row is rewritten."""
    from alembic import op

    held = sql.inspect(op.get_bind())
    known = {column["name"] for column in held.get_columns(TABLE)}
    for column, kind in COLUMNS.items():
        if column not in known:
            op.add_column(TABLE, sql.Column(column, kind()))
    if INDEX not in {index["name"] for index in held.get_indexes(TABLE)}:
        op.create_index(INDEX, TABLE, ["group_id"])
