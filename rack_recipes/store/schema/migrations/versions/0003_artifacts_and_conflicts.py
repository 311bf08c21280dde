# SPDX-License-Identifier: GPL-3.0-or-later

"""Attached files, the outcome of conflicts, differences between clocks, and runs that are kept.

Existing rows keep their values; their new columns are NULL. Only the outcome of earlier conflicts is known: the last
write was kept, since there was no other policy. A statement is skipped if it has been done already, as in the first
migration. A column that is added without a default rewrites no row on any database.
"""

from __future__ import annotations

from alembic import op

from rack_recipes.store.schema.migrations.changes import add_columns, make_table

revision = "0003"
down_revision = "0002"

ARTIFACTS = """
host step attempt:int n:int name! sha256! size:int media_type path:text time masked:bool note:text
"""


def upgrade() -> None:
    """Add the table of artifacts and the columns."""
    make_table("artifacts", "host step n", ARTIFACTS)
    add_columns("runs", "pinned:bool")
    add_columns("conflicts", "policy outcome other:text fields:text")
    op.execute("UPDATE conflicts SET policy = 'last_write', outcome = 'kept' WHERE outcome IS NULL")
    add_columns("context", "clock_offset:real")
