# SPDX-License-Identifier: GPL-3.0-or-later

"""Who has stopped a run, and when. Existing rows have none: their journals say so in a warning."""

from __future__ import annotations

import sqlalchemy as sql

from rack_recipes.store.schema.tables import long_text

revision = "0010"
down_revision = "0009"

TABLE, COLUMN = "runs", "stopped"


def upgrade() -> None:
    """Add the column if it is missing; no row is rewritten."""
    from alembic import op

    if COLUMN not in {held["name"] for held in sql.inspect(op.get_bind()).get_columns(TABLE)}:
        op.add_column(TABLE, sql.Column(COLUMN, long_text()))
