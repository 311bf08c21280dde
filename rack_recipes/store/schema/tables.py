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

from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.schema.analysis_columns import ANALYSIS_COLUMNS
from rack_recipes.store.schema.column_types import long_text, name
from rack_recipes.store.schema.detail_columns import DETAIL_COLUMNS, DetailColumn
from rack_recipes.store.schema.step_columns import STEP_COLUMNS, Kind, StepColumn

if TYPE_CHECKING:
    from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKeyConstraint, Index, MetaData, Table

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
    hosts: Table
    analysis: Table
    baselines: Table
    judgements: Table


@cache
def tables() -> Tables:
    """The tables; every caller gets the same objects."""
    metadata = sql.MetaData(naming_convention=NAMES)
    return Tables(
        metadata,
        runs=_runs(metadata),
        steps=_steps(metadata),
        context=_context(metadata),
        measurements=_details(metadata, "measurements", sql.Index(None, "name")),
        conflicts=_details(metadata, "conflicts"),
        artifacts=_details(metadata, "artifacts"),
        hosts=_details(metadata, "hosts"),
        analysis=_details(metadata, "analysis"),
        baselines=_details(metadata, "baselines"),
        judgements=_details(metadata, "judgements"),
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
        sql.Column("waivers", long_text()),  # those that were in force, and those of its recipe that were over
        sql.Column("plan", long_text()),  # NULL in rows of earlier versions; see store/run_plan.py
        sql.Column("group_id", name()),  # of a part of a group, and of the row of the group itself
        sql.Column("part", name()),  # what a part is called; NULL in all other rows
        sql.Column("group_info", long_text()),  # see store/parts/chosen_and_missing_results.py
        sql.Column("stopped", long_text()),  # by whom, and when; NULL where it came to its end
        sql.PrimaryKeyConstraint("run_id"),
        sql.Index(None, "test_id", "started"),
        sql.Index(None, "group_id"),
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
    Kind.TRUTH: _boolean,
    Kind.OBJECT: long_text,
    Kind.LIST: long_text,
    Kind.JSON: long_text,
    Kind.SOME_OBJECT: long_text,
    Kind.SOME_TEXT: long_text,
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


def _details(metadata: MetaData, table: str, *indexes: Index) -> Table:
    columns = {**DETAIL_COLUMNS, **ANALYSIS_COLUMNS}[table]
    return sql.Table(
        table,
        metadata,
        sql.Column("run_id", name()),
        *map(_detail_column, columns),
        sql.PrimaryKeyConstraint("run_id", *(column.name for column in columns if column.is_key)),
        _of_run(),
        *indexes,
    )


def _detail_column(column: DetailColumn) -> Column[Any]:
    options: dict[str, Any] = {"nullable": False} if column.is_required else {}
    if column.is_key and column.kind is Kind.INTEGER:
        options["autoincrement"] = False
    return sql.Column(column.name, TYPES[column.kind](), **options)


def _of_run() -> ForeignKeyConstraint:
    return sql.ForeignKeyConstraint(["run_id"], ["runs.run_id"], ondelete="CASCADE")
