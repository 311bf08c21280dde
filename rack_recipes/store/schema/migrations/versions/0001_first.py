# SPDX-License-Identifier: GPL-3.0-or-later

"""The first tables: runs, steps, context, measurements, conflicts.

A statement is skipped if it has been done already. MySQL commits each one by itself, so a migration that is killed
halfway leaves some of them done.
"""

from __future__ import annotations

import sqlalchemy as sql

from rack_recipes.store.schema.migrations.changes import add_index, make_table
from rack_recipes.store.schema.tables import long_text, name

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables and their indexes."""
    _runs()
    _steps()
    _context()
    _measurements()
    _conflicts()
    add_index("context", "run_id", "key", "host", "version")
    add_index("measurements", "name")


def _runs() -> None:
    make_table(
        "runs",
        (),
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
    )


def _steps() -> None:
    make_table(
        "steps",
        ("host", "step"),
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
    )


def _context() -> None:
    make_table(
        "context",
        ("seq",),
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
    )


def _measurements() -> None:
    make_table(
        "measurements",
        ("host", "step", "n"),
        sql.Column("host", name()),
        sql.Column("step", name()),
        sql.Column("n", sql.BigInteger, autoincrement=False),
        sql.Column("name", name(), nullable=False),
        sql.Column("value", sql.Double),
        sql.Column("text", long_text()),
        sql.Column("unit", name()),
    )


def _conflicts() -> None:
    make_table(
        "conflicts",
        ("seq",),
        sql.Column("seq", sql.BigInteger, autoincrement=False),
        sql.Column("key", name(), nullable=False),
        sql.Column("host", name(), nullable=False),
        sql.Column("based_on", sql.BigInteger),
        sql.Column("version", sql.BigInteger),
        sql.Column("before", long_text()),
        sql.Column("after", long_text()),
        sql.Column("step", name()),
        sql.Column("time", name()),
    )
