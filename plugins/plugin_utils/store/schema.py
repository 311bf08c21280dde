# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store's tables, as the newest migration leaves them.

Times are ISO 8601 text in UTC, JSON is text as well (databases reorder or round what they know as JSON), sizes
are in the units that the columns' names and the journal give. A run's rows go with its row in `runs`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
)

from ansible_collections.rack.recipes.plugins.plugin_utils.store.columns import LongText, Name

HEAD = "0001"  # the newest migration

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}

metadata = MetaData(naming_convention=NAMES)


def _of_run() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["run_id"], ["runs.run_id"], ondelete="CASCADE")


runs = Table(
    "runs",
    metadata,
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
    PrimaryKeyConstraint("run_id"),
)

steps = Table(
    "steps",
    metadata,
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
    PrimaryKeyConstraint("run_id", "host", "step"),
    _of_run(),
)

context = Table(
    "context",
    metadata,
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
    PrimaryKeyConstraint("run_id", "seq"),
    _of_run(),
    Index(None, "run_id", "key", "host", "version"),
)

measurements = Table(
    "measurements",
    metadata,
    Column("run_id", Name),
    Column("host", Name),
    Column("step", Name),
    Column("n", BigInteger, autoincrement=False),
    Column("name", Name, nullable=False),
    Column("value", Double),
    Column("text", LongText),
    Column("unit", Name),
    PrimaryKeyConstraint("run_id", "host", "step", "n"),
    _of_run(),
    Index(None, "name"),
)

conflicts = Table(
    "conflicts",
    metadata,
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
    PrimaryKeyConstraint("run_id", "seq"),
    _of_run(),
)
