# SPDX-License-Identifier: GPL-3.0-or-later

"""The waivers of a run, and what a waived result was before. Existing rows have none: nothing was waived."""

from __future__ import annotations

import sqlalchemy as sql

from rack_recipes.store.schema.tables import long_text

revision = "0007"
down_revision = "0006"

ADDED = {"runs": "waivers", "steps": "waived"}


def upgrade() -> None:
    """Add the columns that are missing; no row is rewritten."""
    from alembic import op

    for table, column in ADDED.items():
        if column not in {held["name"] for held in sql.inspect(op.get_bind()).get_columns(table)}:
            op.add_column(table, sql.Column(column, long_text()))
