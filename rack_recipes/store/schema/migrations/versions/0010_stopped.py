# SPDX-License-Identifier: GPL-3.0-or-later

"""Who has stopped a run, and when. Existing rows have none: their journals say so in a warning."""

from __future__ import annotations

from rack_recipes.store.schema.migrations.changes import add_columns

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column if it is missing."""
    add_columns("runs", "stopped:text")
