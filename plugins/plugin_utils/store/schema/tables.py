# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store's tables, as the newest migration leaves them.

Times are ISO 8601 text in UTC. JSON is text too, since databases reorder or round values of a JSON type. Sizes are in
the units that the columns' names and the journal give. What a record does not have is NULL. When a row of `runs` is
deleted, all other rows of the run are deleted by foreign keys. On PostgreSQL a trigger does that for `context`: there a
foreign key is checked for each row, which doubles the time to write many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import lazy_sqlalchemy as sql
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.column_types import long_text, name
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.step_columns import (
    STEP_COLUMNS,
    Kind,
    StepColumn,
)

if TYPE_CHECKING:
    from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKeyConstraint, MetaData, Table

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables, each under its name in the database."""

    metadata: MetaData
    runs: Table
    steps: Table
    context: Table
    measurements: Table
    conflicts: Table
    artifacts: Table


@cache
def tables() -> Tables:
    """The tables; every caller gets the same objects."""
    metadata = sql.MetaData(naming_convention=NAMES)
    return Tables(
        metadata,
        runs=_runs(metadata),
        steps=_steps(metadata),
        context=_context(metadata),
        measurements=_measurements(metadata),
        conflicts=_conflicts(metadata),
        artifacts=_artifacts(metadata),
    )


def _runs(metadata: MetaData) -> Table:
    return sql.Table(
        "runs",
        metadata,
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
        sql.Column("params", long_text()),
        sql.Column("labels", long_text()),
        sql.Column("refs", long_text()),  # REFERENCES is a word of SQL
        sql.Column("options", long_text()),
        sql.Column("resumes", name()),
        sql.Column("checks", sql.BigInteger),
        sql.Column("pinned", sql.Boolean),  # NULL where it may be pruned
        sql.PrimaryKeyConstraint("run_id"),
        sql.Index(None, "test_id", "started"),
    )


def _steps(metadata: MetaData) -> Table:
    return sql.Table(
        "steps",
        metadata,
        sql.Column("run_id", name()),
        *(_step_column(column) for column in STEP_COLUMNS),
        sql.PrimaryKeyConstraint("run_id", "host", "step"),
        _of_run(),
        sql.Index(None, "step", "host", "started"),
        sql.Index(None, "cache_key", "host", "inputs"),
    )


def _step_column(column: StepColumn) -> Column[Any]:
    options: dict[str, Any] = {"nullable": False} if column.name == "verdict" else {}
    return sql.Column(column.name, TYPES[column.kind](), **options)


def _real() -> type[Double[Any]]:
    return sql.Double


def _integer() -> type[BigInteger]:
    return sql.BigInteger


def _boolean() -> type[Boolean]:
    return sql.Boolean


TYPES: Mapping[Kind, Callable[[], Any]] = {
    Kind.NAME: name,
    Kind.TEXT: long_text,
    Kind.INTEGER: _integer,
    Kind.COUNT: _integer,
    Kind.SIZE: _integer,
    Kind.REAL: _real,
    Kind.FLAG: _boolean,
    Kind.OBJECT: long_text,
    Kind.LIST: long_text,
    Kind.ATTEMPTS: long_text,
}


def _context(metadata: MetaData) -> Table:
    return sql.Table(
        "context",
        metadata,
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
        sql.Column("origin", name()),  # the host that set a key of the run
        sql.Column("clock_offset", sql.Double),  # seconds that the host's clock was ahead of the controller's
        sql.PrimaryKeyConstraint("run_id", "seq"),
        _of_run(),
    )


def _measurements(metadata: MetaData) -> Table:
    return sql.Table(
        "measurements",
        metadata,
        sql.Column("run_id", name()),
        sql.Column("host", name()),
        sql.Column("step", name()),
        sql.Column("n", sql.BigInteger, autoincrement=False),
        sql.Column("name", name(), nullable=False),
        sql.Column("value", sql.Double),
        sql.Column("text", long_text()),
        sql.Column("unit", name()),
        sql.Column("limits", long_text()),
        sql.Column("distance", sql.Double),
        sql.Column("verdict", name()),
        sql.PrimaryKeyConstraint("run_id", "host", "step", "n"),
        _of_run(),
        sql.Index(None, "name"),
    )


def _conflicts(metadata: MetaData) -> Table:
    return sql.Table(
        "conflicts",
        metadata,
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
        sql.Column("policy", name()),
        sql.Column("outcome", name()),  # kept, refused or merged
        sql.Column("other", long_text()),
        sql.Column("fields", long_text()),  # JSON: those that both had changed
        sql.PrimaryKeyConstraint("run_id", "seq"),
        _of_run(),
    )


def _artifacts(metadata: MetaData) -> Table:
    return sql.Table(
        "artifacts",
        metadata,
        sql.Column("run_id", name()),
        sql.Column("host", name()),
        sql.Column("step", name()),
        sql.Column("attempt", sql.BigInteger),
        sql.Column("n", sql.BigInteger, autoincrement=False),
        sql.Column("name", name(), nullable=False),
        sql.Column("sha256", name(), nullable=False),
        sql.Column("size", sql.BigInteger),
        sql.Column("media_type", name()),
        sql.Column("path", long_text()),  # in the run's folder; NULL where the bytes did not arrive
        sql.Column("time", name()),
        sql.Column("masked", sql.Boolean),
        sql.Column("note", long_text()),
        sql.PrimaryKeyConstraint("run_id", "host", "step", "n"),
        _of_run(),
    )


def _of_run() -> ForeignKeyConstraint:
    return sql.ForeignKeyConstraint(["run_id"], ["runs.run_id"], ondelete="CASCADE")
