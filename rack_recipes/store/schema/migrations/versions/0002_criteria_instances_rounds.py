# SPDX-License-Identifier: GPL-3.0-or-later

"""How a step came to its verdict: criteria with their limits, instances, rounds, and earlier results used again.

Existing rows keep their values; their new columns are NULL. A statement is skipped if it has been done already, as in
the first migration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql

from rack_recipes.store.schema.tables import long_text, name

if TYPE_CHECKING:
    from sqlalchemy import Column

revision = "0002"
down_revision = "0001"

# When a run is deleted, so are its changes of the context. Other databases have a foreign key for this.
FORGET = """
CREATE OR REPLACE FUNCTION forget_context() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM context WHERE run_id = OLD.run_id;
  RETURN OLD;
END $$
"""
TRIGGER = "CREATE TRIGGER forget_context AFTER DELETE ON runs FOR EACH ROW EXECUTE FUNCTION forget_context()"


def upgrade() -> None:
    """Add the columns and indexes, and make bulk writing of `context` cheaper."""
    _columns("runs", _of_runs())
    _columns("steps", _of_steps())
    _columns("context", [sql.Column("origin", name())])
    _columns("measurements", _of_measurements())
    _indexes(
        {
            "runs": [["test_id", "started"]],
            "steps": [["step", "host", "started"], ["cache_key", "host", "inputs"]],
            "context": [["run_id", "key"]],
        }
    )
    _drop_index("context", "ix_context_run_id_key_host_version")
    _forget_by_trigger()


def _of_runs() -> list[Column[Any]]:
    return [
        sql.Column("params", long_text()),
        sql.Column("labels", long_text()),
        sql.Column("refs", long_text()),
        sql.Column("options", long_text()),
        sql.Column("resumes", name()),
        sql.Column("checks", sql.BigInteger),
    ]


def _of_steps() -> list[Column[Any]]:
    return [
        sql.Column("blocks", sql.Boolean),
        sql.Column("flake", sql.Boolean),
        sql.Column("checks", sql.BigInteger),
        sql.Column("instances", sql.BigInteger),
        sql.Column("parent", name()),
        sql.Column("inputs", name()),
        sql.Column("source_run", name()),
        sql.Column("cache_key", name()),
        sql.Column("rounds", long_text()),
        sql.Column("hooks", long_text()),
        sql.Column("tags", long_text()),
    ]


def _of_measurements() -> list[Column[Any]]:
    return [
        sql.Column("limits", long_text()),
        sql.Column("distance", sql.Double),
        sql.Column("verdict", name()),
    ]


def _columns(table: str, columns: Iterable[Column[Any]]) -> None:
    from alembic import op

    held = {column["name"] for column in sql.inspect(op.get_bind()).get_columns(table)}
    for column in columns:
        if column.name not in held:
            op.add_column(table, column)


def _indexes(tables: Mapping[str, list[list[str]]]) -> None:
    from alembic import op

    for table, indexes in tables.items():
        for columns in indexes:
            index = "_".join(["ix", table, *columns])
            if index not in _held_indexes(table):
                op.create_index(index, table, columns)


def _drop_index(table: str, index: str) -> None:
    """Drop an index. Its successor has to exist before, since MySQL needs one for the foreign key."""
    from alembic import op

    if index in _held_indexes(table):
        op.drop_index(index, table)


def _held_indexes(table: str) -> set[str | None]:
    from alembic import op

    return {held["name"] for held in sql.inspect(op.get_bind()).get_indexes(table)}


def _forget_by_trigger() -> None:
    from alembic import op

    if op.get_bind().dialect.name != "postgresql":
        return
    # PostgreSQL does a migration as a whole or not at all, so no statement can have been done before.
    op.execute(FORGET)
    op.execute(TRIGGER)
    op.drop_constraint("fk_context_run_id", "context")
