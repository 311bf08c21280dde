# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run was to do: the hosts of each step, and derived numbers. Existing rows have none: a journal may tell it."""

from __future__ import annotations

from rack_recipes.store.schema.migrations.changes import add_columns

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column if it is missing."""
    add_columns("runs", "plan:text")
