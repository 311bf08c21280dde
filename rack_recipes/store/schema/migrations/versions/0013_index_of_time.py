# SPDX-License-Identifier: GPL-3.0-or-later

"""An index for what changed in the context in an hour, in any run."""

from __future__ import annotations

from rack_recipes.store.schema.migrations.changes import add_index

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the index."""
    add_index("context", "time")
