# SPDX-License-Identifier: GPL-3.0-or-later

"""The store's tables, as the newest migration leaves them, from columns that are each described once.

A new column is a row here and a migration.

Times are ISO 8601 text in UTC. JSON is text too, since databases reorder or round values of a JSON type. Sizes are in
the units that the columns' names and the journal give. What a record does not have is NULL. When a row of `runs` is
deleted, all other rows of the run are deleted by foreign keys. On PostgreSQL a trigger does that for `context`: there a
foreign key is checked for each row, which doubles the time to write many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.database.database_kind import NAME_LENGTH, DatabaseKind
from rack_recipes.store.database.databases_and_errors import DATABASES

if TYPE_CHECKING:
    from sqlalchemy import BigInteger, Boolean, Column, Dialect, Double, ForeignKeyConstraint, Index, MetaData, Table
    from sqlalchemy.types import TypeDecorator, TypeEngine


class Kind(Enum):
    """What a column holds. Each user of the list has a table of what it does with each kind."""

    NAME = auto()  # a short text that is compared and sorted
    TEXT = auto()
    INTEGER = auto()
    COUNT = auto()  # an integer, 0 where it is missing
    SIZE = auto()  # how many entries the field of the record has
    REAL = auto()
    FLAG = auto()  # true, or missing
    TRUTH = auto()  # true, false, or missing
    OBJECT = auto()  # JSON, empty where it is missing
    LIST = auto()
    JSON = auto()  # any value
    SOME_OBJECT = auto()  # JSON, missing where it is empty
    SOME_TEXT = auto()  # missing where it is empty
    ATTEMPTS = auto()  # a list of attempts, the output of the last one in columns of its own


JSON_KINDS = frozenset((Kind.OBJECT, Kind.LIST, Kind.JSON, Kind.SOME_OBJECT, Kind.ATTEMPTS))


class Source(Enum):
    """Where the value of a column comes from."""

    RECORD = auto()  # the step record
    ATTEMPT = auto()  # its last attempt
    PLAN = auto()  # the planned step in the run record, and what record_to_rows.py makes of the record


class Cached(Enum):
    """Whether the record of a result under a cache key has the field."""

    NEVER = auto()
    ALWAYS = auto()
    IF_SET = auto()  # where it is not empty


class StepColumn(NamedTuple):
    """One column of the table `steps`, after `run_id`. `field` is its field in the source, if that has another name."""

    name: str
    kind: Kind
    source: Source = Source.RECORD
    cached: Cached = Cached.NEVER
    is_in_frames: bool = True
    field: str = ""


STEP_COLUMNS = (
    StepColumn("host", Kind.NAME, cached=Cached.ALWAYS),
    StepColumn("step", Kind.NAME, cached=Cached.ALWAYS),
    StepColumn("stage", Kind.INTEGER, cached=Cached.ALWAYS),
    StepColumn("idx", Kind.INTEGER, Source.PLAN),
    StepColumn("scope", Kind.NAME, Source.PLAN),
    StepColumn("verdict", Kind.NAME, cached=Cached.ALWAYS),
    StepColumn("reason", Kind.TEXT, cached=Cached.ALWAYS),
    StepColumn("started", Kind.NAME, cached=Cached.ALWAYS),
    StepColumn("seconds", Kind.REAL, cached=Cached.ALWAYS),
    StepColumn("tries", Kind.SIZE, field="attempts"),
    StepColumn("exit_code", Kind.INTEGER, Source.ATTEMPT),
    StepColumn("user_sec", Kind.REAL, Source.ATTEMPT),
    StepColumn("system_sec", Kind.REAL, Source.ATTEMPT),
    StepColumn("max_rss_kib", Kind.INTEGER, Source.ATTEMPT),
    StepColumn("in_blocks", Kind.INTEGER, Source.ATTEMPT),
    StepColumn("out_blocks", Kind.INTEGER, Source.ATTEMPT),
    StepColumn("voluntary_switches", Kind.INTEGER, Source.ATTEMPT, is_in_frames=False),
    StepColumn("involuntary_switches", Kind.INTEGER, Source.ATTEMPT, is_in_frames=False),
    StepColumn("stdout", Kind.TEXT, Source.ATTEMPT, is_in_frames=False),
    StepColumn("stderr", Kind.TEXT, Source.ATTEMPT),
    StepColumn("attempts", Kind.ATTEMPTS, Source.PLAN, cached=Cached.ALWAYS),
    StepColumn("blocks", Kind.FLAG, cached=Cached.IF_SET, is_in_frames=False),
    StepColumn("flake", Kind.FLAG, cached=Cached.IF_SET),
    StepColumn("checks", Kind.COUNT, cached=Cached.IF_SET),
    StepColumn("instances", Kind.INTEGER, cached=Cached.IF_SET),
    StepColumn("parent", Kind.NAME, cached=Cached.IF_SET),
    StepColumn("inputs", Kind.NAME, cached=Cached.IF_SET, is_in_frames=False),
    StepColumn("source_run", Kind.NAME, cached=Cached.IF_SET, field="from"),
    StepColumn("cache_key", Kind.NAME, Source.PLAN, is_in_frames=False),
    StepColumn("rounds", Kind.OBJECT, cached=Cached.IF_SET),
    StepColumn("hooks", Kind.LIST, cached=Cached.IF_SET),
    StepColumn("tags", Kind.LIST, cached=Cached.IF_SET, is_in_frames=False),
    StepColumn("through", Kind.NAME, cached=Cached.IF_SET),
    StepColumn("waived", Kind.SOME_OBJECT, cached=Cached.IF_SET),
)


class Origin(Enum):
    """Where the value of a column comes from."""

    RECORD = auto()  # the record of the measurement or the artifact; of a conflict the change and its row of `context`
    TRANSFER = auto()  # the transfer record of an artifact


class DetailColumn(NamedTuple):
    """One column, after `run_id`. `field` is its field in the record and in what is read, if that has another name.

    `is_key` is true for the parts of the primary key. `is_required` columns are never NULL.
    """

    name: str
    kind: Kind
    is_key: bool = False
    is_required: bool = False
    is_in_frames: bool = True
    field: str = ""
    origin: Origin = Origin.RECORD


DETAIL_COLUMNS: Mapping[str, tuple[DetailColumn, ...]] = {
    "measurements": (
        DetailColumn("host", Kind.NAME, is_key=True),
        DetailColumn("step", Kind.NAME, is_key=True),
        DetailColumn("n", Kind.INTEGER, is_key=True),
        DetailColumn("name", Kind.NAME, is_required=True),
        DetailColumn("value", Kind.REAL, is_in_frames=False),  # to compare and sort by; `text` is exact
        DetailColumn("text", Kind.JSON, field="value"),
        DetailColumn("unit", Kind.NAME),
        DetailColumn("limits", Kind.SOME_OBJECT),
        DetailColumn("distance", Kind.REAL),
        DetailColumn("verdict", Kind.NAME),
    ),
    "conflicts": (
        DetailColumn("seq", Kind.INTEGER, is_key=True, is_in_frames=False),
        DetailColumn("key", Kind.NAME, is_required=True),
        DetailColumn("host", Kind.NAME, is_required=True),
        DetailColumn("based_on", Kind.INTEGER),
        DetailColumn("version", Kind.INTEGER),
        DetailColumn("before", Kind.JSON),
        DetailColumn("after", Kind.JSON),
        DetailColumn("step", Kind.NAME),
        DetailColumn("time", Kind.NAME),
        DetailColumn("policy", Kind.NAME),
        DetailColumn("outcome", Kind.NAME),  # kept, refused or merged
        DetailColumn("other", Kind.JSON),
        DetailColumn("fields", Kind.JSON),  # those that both had changed
    ),
    "artifacts": (
        DetailColumn("host", Kind.NAME, is_key=True),
        DetailColumn("step", Kind.NAME, is_key=True),
        DetailColumn("attempt", Kind.INTEGER),
        DetailColumn("n", Kind.INTEGER, is_key=True),
        DetailColumn("name", Kind.NAME, is_required=True),
        DetailColumn("sha256", Kind.NAME, is_required=True),
        DetailColumn("size", Kind.INTEGER),
        DetailColumn("media_type", Kind.NAME),
        DetailColumn("path", Kind.TEXT, origin=Origin.TRANSFER),  # in the run's folder; NULL where it did not arrive
        DetailColumn("time", Kind.NAME),
        DetailColumn("masked", Kind.TRUTH, is_in_frames=False),
        DetailColumn("note", Kind.SOME_TEXT, origin=Origin.TRANSFER),
    ),
}
ANALYSIS_COLUMNS: Mapping[str, tuple[DetailColumn, ...]] = {
    "hosts": (  # what the inventory said of the hosts of a run, from the run record
        DetailColumn("host", Kind.NAME, is_key=True),
        DetailColumn("attributes", Kind.OBJECT),
    ),
    "analysis": (  # the findings, see analysis/findings.py
        DetailColumn("n", Kind.INTEGER, is_key=True),
        DetailColumn("kind", Kind.NAME, is_required=True),
        DetailColumn("grade", Kind.NAME, is_required=True),
        DetailColumn("title", Kind.TEXT, is_required=True),
        DetailColumn("advice", Kind.TEXT),
        DetailColumn("results", Kind.LIST),
        DetailColumn("figures", Kind.OBJECT),
        DetailColumn("about", Kind.OBJECT),
        DetailColumn("method", Kind.TEXT),
        DetailColumn("explains", Kind.INTEGER),
        DetailColumn("origin", Kind.NAME),
        DetailColumn("suggestion", Kind.FLAG),
        DetailColumn("time", Kind.NAME),
    ),
    "baselines": (  # runs that somebody has accepted as good; the newest row of a test counts
        DetailColumn("test_id", Kind.NAME, is_key=True),
        DetailColumn("accepted", Kind.NAME, is_key=True),
        DetailColumn("user", Kind.NAME),
        DetailColumn("note", Kind.TEXT),
        DetailColumn("withdrawn", Kind.NAME),  # when it stopped to count; NULL while it counts
    ),
    "judgements": (  # new limits on stored measurements; the run's own verdicts stay
        DetailColumn("n", Kind.INTEGER, is_key=True),
        DetailColumn("time", Kind.NAME),
        DetailColumn("user", Kind.NAME),
        DetailColumn("source", Kind.TEXT),  # the file with the limits
        DetailColumn("digest", Kind.NAME),  # SHA-256 of that file
        DetailColumn("limits", Kind.OBJECT),
        DetailColumn("counts", Kind.OBJECT),  # verdicts of the measurements that were judged anew
        DetailColumn("changes", Kind.LIST),  # the measurements whose verdict is another one now
    ),
}


@cache
def long_text() -> TypeDecorator[str]:
    """A text of any length."""

    class LongText(sql.TypeDecorator[str]):
        impl = sql.Text
        cache_ok = True

        def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
            """The type of the database that is used."""
            return _kind(dialect).text_type(dialect)

    return LongText()


@cache
def name() -> TypeDecorator[str]:
    """A short text that is compared and sorted byte by byte, and not by the rules of a language."""

    class Name(sql.TypeDecorator[str]):
        impl = sql.String(NAME_LENGTH)
        cache_ok = True

        def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
            """The type of the database that is used."""
            return _kind(dialect).name_type(dialect)

    return Name()


def _kind(dialect: Dialect) -> DatabaseKind:
    """The kind of database; SQLAlchemy shows types by a dialect of no database, which is as plain as SQLite's."""
    return DATABASES.get(dialect.name, DATABASES["sqlite"])


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
        sql.Column("plan", long_text()),  # NULL in rows of earlier versions; see store/writing/record_to_rows.py
        sql.Column("group_id", name()),  # of a part of a group, and of the row of the group itself
        sql.Column("part", name()),  # what a part is called; NULL in all other rows
        sql.Column("group_info", long_text()),  # see store/writing/choose_part_results.py
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
