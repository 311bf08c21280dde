# SPDX-License-Identifier: GPL-3.0-or-later

"""The first tables: runs, steps, context, measurements, conflicts.

A statement is skipped if it has been done already. MySQL commits each one by itself, so a migration that is killed
halfway leaves some of them done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql

from rack_recipes.store.schema.tables import long_text, name

if TYPE_CHECKING:
    from sqlalchemy import ForeignKeyConstraint
    from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables and their indexes."""
    _runs()
    _steps()
    _context()
    _measurements()
    _conflicts()
    _index("context", ["run_id", "key", "host", "version"])
    _index("measurements", ["name"])


def _runs() -> None:
    _table(
        "runs",
        sql.Column("run_id", name()),
        sql.Column("test_id", name()),
        sql.Column("recipe", long_text()),
        sql.Column("digest", name()),
        sql.Column("tester", name()),
        sql.Column("description", long_text()),
        sql.Column("started", name()),
        sql.Column("ended", name()),
        sql.Column("status", name(), nullable=False),
        sql.Column("exit_code", sql.BigInteger),
        sql.Column("controller", name()),
        sql.Column("user", name()),
        sql.Column("hosts", sql.BigInteger),
        sql.Column("counts", long_text()),
        sql.Column("versions", long_text()),
        sql.Column("journal", long_text()),
        sql.Column("journal_offset", sql.BigInteger, nullable=False),
        sql.Column("next_seq", sql.BigInteger, nullable=False),
        sql.PrimaryKeyConstraint("run_id", name="pk_runs"),
    )


def _steps() -> None:
    _table(
        "steps",
        sql.Column("run_id", name()),
        sql.Column("host", name()),
        sql.Column("step", name()),
        sql.Column("stage", sql.BigInteger),
        sql.Column("idx", sql.BigInteger),
        sql.Column("scope", name()),
        sql.Column("verdict", name(), nullable=False),
        sql.Column("reason", long_text()),
        sql.Column("started", name()),
        sql.Column("seconds", sql.Double),
        sql.Column("tries", sql.BigInteger),
        sql.Column("exit_code", sql.BigInteger),
        sql.Column("user_sec", sql.Double),
        sql.Column("system_sec", sql.Double),
        sql.Column("max_rss_kib", sql.BigInteger),
        sql.Column("in_blocks", sql.BigInteger),
        sql.Column("out_blocks", sql.BigInteger),
        sql.Column("voluntary_switches", sql.BigInteger),
        sql.Column("involuntary_switches", sql.BigInteger),
        sql.Column("stdout", long_text()),
        sql.Column("stderr", long_text()),
        sql.Column("attempts", long_text()),
        sql.PrimaryKeyConstraint("run_id", "host", "step", name="pk_steps"),
        _of_run("steps"),
    )


def _context() -> None:
    _table(
        "context",
        sql.Column("run_id", name()),
        sql.Column("seq", sql.BigInteger, autoincrement=False),
        sql.Column("time", name()),
        sql.Column("host", name(), nullable=False),
        sql.Column("step", name()),
        sql.Column("attempt", sql.BigInteger),
        sql.Column("scope", name()),
        sql.Column("key", name(), nullable=False),
        sql.Column("version", sql.BigInteger, nullable=False),
        sql.Column("based_on", sql.BigInteger),
        sql.Column("before", long_text()),
        sql.Column("after", long_text(), nullable=False),
        sql.Column("who", name()),
        sql.PrimaryKeyConstraint("run_id", "seq", name="pk_context"),
        _of_run("context"),
    )


def _measurements() -> None:
    _table(
        "measurements",
        sql.Column("run_id", name()),
        sql.Column("host", name()),
        sql.Column("step", name()),
        sql.Column("n", sql.BigInteger, autoincrement=False),
        sql.Column("name", name(), nullable=False),
        sql.Column("value", sql.Double),
        sql.Column("text", long_text()),
        sql.Column("unit", name()),
        sql.PrimaryKeyConstraint("run_id", "host", "step", "n", name="pk_measurements"),
        _of_run("measurements"),
    )


def _conflicts() -> None:
    _table(
        "conflicts",
        sql.Column("run_id", name()),
        sql.Column("seq", sql.BigInteger, autoincrement=False),
        sql.Column("key", name(), nullable=False),
        sql.Column("host", name(), nullable=False),
        sql.Column("based_on", sql.BigInteger),
        sql.Column("version", sql.BigInteger),
        sql.Column("before", long_text()),
        sql.Column("after", long_text()),
        sql.Column("step", name()),
        sql.Column("time", name()),
        sql.PrimaryKeyConstraint("run_id", "seq", name="pk_conflicts"),
        _of_run("conflicts"),
    )


def _of_run(table: str) -> ForeignKeyConstraint:
    return sql.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=f"fk_{table}_run_id", ondelete="CASCADE")


def _table(table: str, *parts: SchemaItem) -> None:
    from alembic import op

    op.create_table(table, *parts, if_not_exists=True, mysql_engine="InnoDB", mysql_charset="utf8mb4")


def _index(table: str, columns: list[str]) -> None:
    """Create an index unless it exists. MySQL, unlike MariaDB, has no `IF NOT EXISTS` for that."""
    from alembic import op

    index = "_".join(["ix", table, *columns])
    if index not in {held["name"] for held in sql.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(index, table, columns)
