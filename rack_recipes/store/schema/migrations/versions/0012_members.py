# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts that a result between hosts is about, and its round. Existing rows have none: each is of one host."""

from __future__ import annotations

from rack_recipes.store.schema.migrations.changes import add_columns

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the columns that are missing."""
    add_columns("steps", "members:text phase:text")
