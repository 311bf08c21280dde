# SPDX-License-Identifier: GPL-3.0-or-later

"""The waivers of a run, and what a waived result was before. Existing rows have none: nothing was waived."""

from __future__ import annotations

from rack_recipes.store.schema.migrations.changes import add_columns

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns that are missing."""
    add_columns("runs", "waivers:text")
    add_columns("steps", "waived:text")
