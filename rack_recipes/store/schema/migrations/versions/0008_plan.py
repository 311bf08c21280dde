# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run was to do: the hosts of each step, and derived numbers. Existing rows have none: a journal may tell it."""

from __future__ import annotations

import sqlalchemy as sql

from rack_recipes.store.schema.tables import long_text

revision = "0008"
down_revision = "0007"

TABLE, COLUMN = "runs", "plan"


def upgrade() -> None:
    """Add the column if it is missing; no row is rewritten."""
    from alembic import op

    if COLUMN not in {held["name"] for held in sql.inspect(op.get_bind()).get_columns(TABLE)}:
        op.add_column(TABLE, sql.Column(COLUMN, long_text()))
