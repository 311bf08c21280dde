# SPDX-License-Identifier: GPL-3.0-or-later

"""The host that ran a step on behalf of its own one. Existing rows have none: no step was delegated."""

from __future__ import annotations

from rack_recipes.store.schema.migrations.changes import add_columns

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column if it is missing."""
    add_columns("steps", "through")
