# SPDX-License-Identifier: GPL-3.0-or-later

"""Views and columns with further names (`schema/views.py`), and indexes for questions by key and by time.

The index of keys alone costs SQLite 6 % of the time to store a journal; with the run or the time beside the key it was
12 %. Changes of a time are found by their runs.
"""

from __future__ import annotations

from alembic import op

from rack_recipes.store.schema.migrations.changes import add_index
from rack_recipes.store.schema.views import add_further_names

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add what is missing."""
    add_index("context", "key")
    add_index("runs", "started")
    add_further_names(op.get_bind())
