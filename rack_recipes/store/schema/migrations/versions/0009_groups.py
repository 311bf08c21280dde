# SPDX-License-Identifier: GPL-3.0-or-later

"""The group that a run is a part of, and what its parts are called. Existing rows are runs of their own."""

from __future__ import annotations

from rack_recipes.store.schema.migrations.changes import add_columns, add_index

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns and the index that are missing."""
    add_columns("runs", "group_id part group_info:text")
    add_index("runs", "group_id")
