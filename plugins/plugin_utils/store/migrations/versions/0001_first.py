# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first tables: runs, steps, context, measurements, conflicts.

Each statement is skipped where it is done already: MySQL commits every one by itself, so that a migration killed
in the middle leaves some of them behind.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Double, ForeignKeyConstraint, PrimaryKeyConstraint, inspect
from sqlalchemy.schema import SchemaItem

from ansible_collections.rack.recipes.plugins.plugin_utils.store.columns import LongText, Name

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
        Column("run_id", Name),
        Column("test_id", Name),
        Column("recipe", LongText),
        Column("digest", Name),
        Column("tester", Name),
        Column("description", LongText),
        Column("started", Name),
        Column("ended", Name),
        Column("status", Name, nullable=False),
        Column("exit_code", BigInteger),
        Column("controller", Name),
        Column("user", Name),
        Column("hosts", BigInteger),
        Column("counts", LongText),
        Column("versions", LongText),
        Column("journal", LongText),
        Column("journal_offset", BigInteger, nullable=False),
        Column("next_seq", BigInteger, nullable=False),
        PrimaryKeyConstraint("run_id", name="pk_runs"),
    )


def _steps() -> None:
    _table(
        "steps",
        Column("run_id", Name),
        Column("host", Name),
        Column("step", Name),
        Column("stage", BigInteger),
        Column("idx", BigInteger),
        Column("scope", Name),
        Column("verdict", Name, nullable=False),
        Column("reason", LongText),
        Column("started", Name),
        Column("seconds", Double),
        Column("tries", BigInteger),
        Column("exit_code", BigInteger),
        Column("user_sec", Double),
        Column("system_sec", Double),
        Column("max_rss_kib", BigInteger),
        Column("in_blocks", BigInteger),
        Column("out_blocks", BigInteger),
        Column("voluntary_switches", BigInteger),
        Column("involuntary_switches", BigInteger),
        Column("stdout", LongText),
        Column("stderr", LongText),
        Column("attempts", LongText),
        PrimaryKeyConstraint("run_id", "host", "step", name="pk_steps"),
        _of_run("steps"),
    )


def _context() -> None:
    _table(
        "context",
        Column("run_id", Name),
        Column("seq", BigInteger, autoincrement=False),
        Column("time", Name),
        Column("host", Name, nullable=False),
        Column("step", Name),
        Column("attempt", BigInteger),
        Column("scope", Name),
        Column("key", Name, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("based_on", BigInteger),
        Column("before", LongText),
        Column("after", LongText, nullable=False),
        Column("who", Name),
        PrimaryKeyConstraint("run_id", "seq", name="pk_context"),
        _of_run("context"),
    )


def _measurements() -> None:
    _table(
        "measurements",
        Column("run_id", Name),
        Column("host", Name),
        Column("step", Name),
        Column("n", BigInteger, autoincrement=False),
        Column("name", Name, nullable=False),
        Column("value", Double),
        Column("text", LongText),
        Column("unit", Name),
        PrimaryKeyConstraint("run_id", "host", "step", "n", name="pk_measurements"),
        _of_run("measurements"),
    )


def _conflicts() -> None:
    _table(
        "conflicts",
        Column("run_id", Name),
        Column("seq", BigInteger, autoincrement=False),
        Column("key", Name, nullable=False),
        Column("host", Name, nullable=False),
        Column("based_on", BigInteger),
        Column("version", BigInteger),
        Column("before", LongText),
        Column("after", LongText),
        Column("step", Name),
        Column("time", Name),
        PrimaryKeyConstraint("run_id", "seq", name="pk_conflicts"),
        _of_run("conflicts"),
    )


def _of_run(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=f"fk_{table}_run_id", ondelete="CASCADE")


def _table(name: str, *parts: SchemaItem) -> None:
    op.create_table(name, *parts, if_not_exists=True, mysql_engine="InnoDB", mysql_charset="utf8mb4")


def _index(table: str, columns: list[str]) -> None:
    """MySQL, other than MariaDB, cannot be told to create an index unless it exists."""
    name = "_".join(["ix", table, *columns])
    if name not in {index["name"] for index in inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns)
