# SPDX-License-Identifier: GPL-3.0-or-later

"""Attached files, the outcome of conflicts, differences between clocks, and runs that are kept.

Existing rows keep their values; their new columns are NULL. Only the outcome of earlier conflicts is known: the last
write was kept, since there was no other policy. A statement is skipped if it has been done already, as in the first
migration. A column that is added without a default rewrites no row on any database.
"""

from __future__ import annotations

import sqlalchemy as sql
from alembic import op

from rack_recipes.store.schema.migrations.changes import add_columns, make_table
from rack_recipes.store.schema.tables import long_text, name

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table of artifacts and the columns."""
    _artifacts()
    add_columns("runs", {"pinned": sql.Boolean})
    outcome = {"policy": name(), "outcome": name(), "other": long_text(), "fields": long_text()}
    add_columns("conflicts", outcome)
    op.execute("UPDATE conflicts SET policy = 'last_write', outcome = 'kept' WHERE outcome IS NULL")
    add_columns("context", {"clock_offset": sql.Double})


def _artifacts() -> None:
    make_table(
        "artifacts",
        ("host", "step", "n"),
        sql.Column("host", name()),
        sql.Column("step", name()),
        sql.Column("attempt", sql.BigInteger),
        sql.Column("n", sql.BigInteger, autoincrement=False),
        sql.Column("name", name(), nullable=False),
        sql.Column("sha256", name(), nullable=False),
        sql.Column("size", sql.BigInteger),
        sql.Column("media_type", name()),
        sql.Column("path", long_text()),
        sql.Column("time", name()),
        sql.Column("masked", sql.Boolean),
        sql.Column("note", long_text()),
    )
