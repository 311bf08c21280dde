# SPDX-License-Identifier: GPL-3.0-or-later

"""Attached files, the outcome of conflicts, differences between clocks, and runs that are kept.

Existing rows keep their values; their new columns are NULL. Only the outcome of earlier conflicts is known: the last
write was kept, since there was no other policy. A statement is skipped if it has been done already, as in the first
migration. A column that is added without a default rewrites no row on any database.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql

from rack_recipes.store.schema.tables import long_text, name

if TYPE_CHECKING:
    from sqlalchemy import Column

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table of artifacts and the columns."""
    _artifacts()
    _columns("runs", [sql.Column("pinned", sql.Boolean)])
    _columns("conflicts", _of_conflicts())
    _tell_what_became_of_conflicts()
    _columns("context", [sql.Column("clock_offset", sql.Double)])


def _artifacts() -> None:
    from alembic import op

    op.create_table(
        "artifacts",
        sql.Column("run_id", name()),
        sql.Column("host", name()),
        sql.Column("step", name()),
        sql.Column("attempt", sql.BigInteger),
        sql.Column("n", sql.BigInteger, autoincrement=False),
        sql.Column("name", name(), nullable=False),
        sql.Column("sha256", name(), nullable=False),
        sql.Column("size", sql.BigInteger),
        sql.Column("media_type", name()),
        sql.Column("path", long_text()),
        sql.Column("time", name()),
        sql.Column("masked", sql.Boolean),
        sql.Column("note", long_text()),
        sql.PrimaryKeyConstraint("run_id", "host", "step", "n", name="pk_artifacts"),
        sql.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_artifacts_run_id", ondelete="CASCADE"),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def _of_conflicts() -> list[Column[Any]]:
    return [
        sql.Column("policy", name()),
        sql.Column("outcome", name()),
        sql.Column("other", long_text()),
        sql.Column("fields", long_text()),
    ]


def _tell_what_became_of_conflicts() -> None:
    from alembic import op

    op.execute("UPDATE conflicts SET policy = 'last_write', outcome = 'kept' WHERE outcome IS NULL")


def _columns(table: str, columns: Iterable[Column[Any]]) -> None:
    from alembic import op

    held = {column["name"] for column in sql.inspect(op.get_bind()).get_columns(table)}
    for column in columns:
        if column.name not in held:
            op.add_column(table, column)
