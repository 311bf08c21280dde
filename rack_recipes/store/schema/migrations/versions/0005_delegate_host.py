# SPDX-License-Identifier: GPL-3.0-or-later

"""The host that ran a step on behalf of its own one. Existing rows have none: no step was delegated."""

from __future__ import annotations

import sqlalchemy as sql

from rack_recipes.store.schema.tables import name

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column if it is missing; no row is rewritten."""
    from alembic import op

    if "through" not in {column["name"] for column in sql.inspect(op.get_bind()).get_columns("steps")}:
        op.add_column("steps", sql.Column("through", name()))
