# SPDX-License-Identifier: GPL-3.0-or-later

"""The store's tables, as the newest migration leaves them, from columns that are each described once.

A new column is a row here and a migration.

Times are ISO 8601 text in UTC. JSON is text too, since databases reorder or round values of a JSON type. Sizes are in
the units that the columns' names and the journal give. What a record does not have is NULL. When a row of `runs` is
deleted, all other rows of the run are deleted by foreign keys. On PostgreSQL a trigger does that for `context`: there a
foreign key is checked for each row, which doubles the time to write many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sql

from rack_recipes.store.database.database_kind import NAME_LENGTH, DatabaseKind
from rack_recipes.store.database.databases_and_errors import DATABASES


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
    GIVEN_OBJECT = auto()  # the same, and never NULL
    LIST = auto()
    JSON = auto()  # any value
    SOME_OBJECT = auto()  # JSON, missing where it is empty
    SOME_TEXT = auto()  # missing where it is empty
    ATTEMPTS = auto()  # a list of attempts, the output of the last one in columns of its own


JSON_KINDS = frozenset((Kind.OBJECT, Kind.GIVEN_OBJECT, Kind.LIST, Kind.JSON, Kind.SOME_OBJECT, Kind.ATTEMPTS))


class Source(Enum):
    """Where the value of a column comes from."""

    RECORD = auto()  # the record of the run, step, measurement or artifact; of a conflict the change and its row
    RECIPE = auto()  # the recipe in the run record
    GROUP = auto()  # the group in the run record
    END = auto()  # the end record
    ATTEMPT = auto()  # the last attempt in the step record
    TRANSFER = auto()  # the transfer record of an artifact
    STORE = auto()  # what the code that writes the row makes of these


class Cached(Enum):
    """Whether the record of a result under a cache key has the field."""

    NEVER = auto()
    ALWAYS = auto()
    IF_SET = auto()  # where it is not empty


class Column(NamedTuple):
    """One column, after `run_id`.

    `field` is its field in the source, and of details in what is read, if that has another name. `is_key` is true for
    the parts of the primary key. `is_required` columns are never NULL. `is_packed` is false for what is no result and
    not in packs, `is_listed` for what is too long to be read of all runs. What `is_shared` is the same in all parts of
    a group.
    """

    name: str
    kind: Kind
    source: Source = Source.RECORD
    field: str = ""
    is_key: bool = False
    is_required: bool = False
    is_in_frames: bool = True
    is_packed: bool = True
    is_listed: bool = True
    is_shared: bool = False
    cached: Cached = Cached.NEVER


RUN_COLUMNS = (
    Column("test_id", Kind.NAME, Source.RECIPE, is_shared=True),
    Column("recipe", Kind.TEXT, Source.RECIPE, "path", is_shared=True),
    Column("digest", Kind.NAME, Source.RECIPE, is_shared=True),
    Column("tester", Kind.NAME, Source.RECIPE, is_shared=True),
    Column("description", Kind.TEXT, Source.RECIPE, is_shared=True),
    Column("started", Kind.NAME, field="time"),
    Column("ended", Kind.NAME, Source.END, "time"),
    Column("status", Kind.NAME, Source.END, is_required=True),
    Column("exit_code", Kind.INTEGER, Source.END),
    Column("controller", Kind.NAME),
    Column("user", Kind.NAME, is_shared=True),
    Column("hosts", Kind.SIZE),
    Column("counts", Kind.GIVEN_OBJECT, Source.END),
    Column("versions", Kind.GIVEN_OBJECT, is_shared=True),
    Column("journal", Kind.TEXT, Source.STORE, is_packed=False),  # where it is
    Column("journal_offset", Kind.INTEGER, Source.STORE, is_required=True, is_packed=False),  # how far it was read
    Column("next_seq", Kind.INTEGER, Source.STORE, is_required=True, is_packed=False),
    Column("params", Kind.OBJECT, is_shared=True),
    Column("labels", Kind.OBJECT, is_shared=True),
    Column("refs", Kind.LIST, field="references", is_shared=True),  # REFERENCES is a word of SQL
    Column("options", Kind.OBJECT),
    Column("resumes", Kind.NAME),
    Column("checks", Kind.COUNT, Source.STORE),
    Column("pinned", Kind.FLAG, Source.STORE, is_packed=False),  # NULL where it may be pruned
    Column("waivers", Kind.OBJECT, is_shared=True),  # those that were in force, and those of its recipe that were over
    Column("plan", Kind.JSON, Source.STORE, is_listed=False),  # see `pack_plan`
    Column("group_id", Kind.NAME, Source.GROUP, "id"),  # of a part of a group, and of the row of the group itself
    Column("part", Kind.NAME, Source.GROUP),  # what a part is called; NULL in all other rows
    Column("group_info", Kind.OBJECT, Source.GROUP, "info"),  # see store/writing/choose_part_results.py
    Column("stopped", Kind.OBJECT, Source.END),  # by whom, and when; NULL where it came to its end
)
STEP_COLUMNS = (
    Column("host", Kind.NAME, is_key=True, cached=Cached.ALWAYS),
    Column("step", Kind.NAME, is_key=True, cached=Cached.ALWAYS),
    Column("stage", Kind.INTEGER, cached=Cached.ALWAYS),
    Column("idx", Kind.INTEGER, Source.STORE),
    Column("scope", Kind.NAME, Source.STORE),
    Column("verdict", Kind.NAME, is_required=True, cached=Cached.ALWAYS),
    Column("reason", Kind.TEXT, cached=Cached.ALWAYS),
    Column("started", Kind.NAME, cached=Cached.ALWAYS),
    Column("seconds", Kind.REAL, cached=Cached.ALWAYS),
    Column("tries", Kind.SIZE, field="attempts"),
    Column("exit_code", Kind.INTEGER, Source.ATTEMPT),
    Column("user_sec", Kind.REAL, Source.ATTEMPT),
    Column("system_sec", Kind.REAL, Source.ATTEMPT),
    Column("max_rss_kib", Kind.INTEGER, Source.ATTEMPT),
    Column("in_blocks", Kind.INTEGER, Source.ATTEMPT),
    Column("out_blocks", Kind.INTEGER, Source.ATTEMPT),
    Column("voluntary_switches", Kind.INTEGER, Source.ATTEMPT, is_in_frames=False),
    Column("involuntary_switches", Kind.INTEGER, Source.ATTEMPT, is_in_frames=False),
    Column("stdout", Kind.TEXT, Source.ATTEMPT, is_in_frames=False),
    Column("stderr", Kind.TEXT, Source.ATTEMPT),
    Column("attempts", Kind.ATTEMPTS, Source.STORE, cached=Cached.ALWAYS),
    Column("blocks", Kind.FLAG, cached=Cached.IF_SET, is_in_frames=False),
    Column("flake", Kind.FLAG, cached=Cached.IF_SET),
    Column("checks", Kind.COUNT, cached=Cached.IF_SET),
    Column("instances", Kind.INTEGER, cached=Cached.IF_SET),
    Column("parent", Kind.NAME, cached=Cached.IF_SET),
    Column("inputs", Kind.NAME, cached=Cached.IF_SET, is_in_frames=False),
    Column("source_run", Kind.NAME, cached=Cached.IF_SET, field="from"),
    Column("cache_key", Kind.NAME, Source.STORE, is_in_frames=False),
    Column("rounds", Kind.OBJECT, cached=Cached.IF_SET),
    Column("hooks", Kind.LIST, cached=Cached.IF_SET),
    Column("tags", Kind.LIST, cached=Cached.IF_SET, is_in_frames=False),
    Column("through", Kind.NAME, cached=Cached.IF_SET),
    Column("waived", Kind.SOME_OBJECT, cached=Cached.IF_SET),
    Column("members", Kind.LIST),  # the hosts that a result between hosts is about; NULL in all other rows
    Column("phase", Kind.SOME_TEXT, is_in_frames=False),  # in which round such a result came, and why it was wanted
)


OUTPUTS = ("stdout", "stderr")  # of the last attempt: their columns have them, and `attempts` has not
CONTEXT_COLUMNS = (
    Column("seq", Kind.INTEGER, is_key=True),
    Column("time", Kind.NAME),
    Column("host", Kind.NAME, is_required=True),
    Column("step", Kind.NAME),
    Column("attempt", Kind.INTEGER),
    Column("scope", Kind.NAME),
    Column("key", Kind.NAME, is_required=True),
    Column("version", Kind.INTEGER, is_required=True),
    Column("based_on", Kind.INTEGER),
    Column("before", Kind.JSON),
    Column("after", Kind.JSON, is_required=True),
    Column("who", Kind.NAME),
    Column("origin", Kind.NAME),  # the host that set a key of the run
    Column("clock_offset", Kind.REAL),  # seconds that the host's clock was ahead of the controller's
)
DETAIL_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "measurements": (
        Column("host", Kind.NAME, is_key=True),
        Column("step", Kind.NAME, is_key=True),
        Column("n", Kind.INTEGER, is_key=True),
        Column("name", Kind.NAME, is_required=True),
        Column("value", Kind.REAL, is_in_frames=False),  # to compare and sort by; `text` is exact
        Column("text", Kind.JSON, field="value"),
        Column("unit", Kind.NAME),
        Column("limits", Kind.SOME_OBJECT),
        Column("distance", Kind.REAL),
        Column("verdict", Kind.NAME),
    ),
    "conflicts": (
        Column("seq", Kind.INTEGER, is_key=True, is_in_frames=False),
        Column("key", Kind.NAME, is_required=True),
        Column("host", Kind.NAME, is_required=True),
        Column("based_on", Kind.INTEGER),
        Column("version", Kind.INTEGER),
        Column("before", Kind.JSON),
        Column("after", Kind.JSON),
        Column("step", Kind.NAME),
        Column("time", Kind.NAME),
        Column("policy", Kind.NAME),
        Column("outcome", Kind.NAME),  # kept, refused or merged
        Column("other", Kind.JSON),
        Column("fields", Kind.JSON),  # those that both had changed
    ),
    "artifacts": (
        Column("host", Kind.NAME, is_key=True),
        Column("step", Kind.NAME, is_key=True),
        Column("attempt", Kind.INTEGER),
        Column("n", Kind.INTEGER, is_key=True),
        Column("name", Kind.NAME, is_required=True),
        Column("sha256", Kind.NAME, is_required=True),
        Column("size", Kind.INTEGER),
        Column("media_type", Kind.NAME),
        Column("path", Kind.TEXT, source=Source.TRANSFER),  # in the run's folder; NULL where it did not arrive
        Column("time", Kind.NAME),
        Column("masked", Kind.TRUTH, is_in_frames=False),
        Column("note", Kind.SOME_TEXT, source=Source.TRANSFER),
    ),
}
ANALYSIS_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "hosts": (  # what the inventory said of the hosts of a run, from the run record
        Column("host", Kind.NAME, is_key=True),
        Column("attributes", Kind.OBJECT),
    ),
    "analysis": (  # the findings, see analysis/findings.py
        Column("n", Kind.INTEGER, is_key=True),
        Column("kind", Kind.NAME, is_required=True),
        Column("grade", Kind.NAME, is_required=True),
        Column("title", Kind.TEXT, is_required=True),
        Column("advice", Kind.TEXT),
        Column("results", Kind.LIST),
        Column("figures", Kind.OBJECT),
        Column("about", Kind.OBJECT),
        Column("method", Kind.TEXT),
        Column("explains", Kind.INTEGER),
        Column("origin", Kind.NAME),
        Column("suggestion", Kind.FLAG),
        Column("action", Kind.TEXT),
        Column("rule", Kind.TEXT),
        Column("time", Kind.NAME),
    ),
    "baselines": (  # runs that somebody has accepted as good; the newest row of a test counts
        Column("test_id", Kind.NAME, is_key=True),
        Column("accepted", Kind.NAME, is_key=True),
        Column("user", Kind.NAME),
        Column("note", Kind.TEXT),
        Column("withdrawn", Kind.NAME),  # when it stopped to count; NULL while it counts
    ),
    "judgements": (  # new limits on stored measurements; the run's own verdicts stay
        Column("n", Kind.INTEGER, is_key=True),
        Column("time", Kind.NAME),
        Column("user", Kind.NAME),
        Column("source", Kind.TEXT),  # the file with the limits
        Column("digest", Kind.NAME),  # SHA-256 of that file
        Column("limits", Kind.OBJECT),
        Column("counts", Kind.OBJECT),  # verdicts of the measurements that were judged anew
        Column("changes", Kind.LIST),  # the measurements whose verdict is another one now
    ),
}

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "runs": RUN_COLUMNS,
    "steps": STEP_COLUMNS,
    "context": CONTEXT_COLUMNS,
    **DETAIL_COLUMNS,
    **ANALYSIS_COLUMNS,
}


@cache
def long_text() -> sql.types.TypeDecorator[str]:
    """A text of any length."""

    class LongText(sql.TypeDecorator[str]):
        impl = sql.Text
        cache_ok = True

        def load_dialect_impl(self, dialect: sql.Dialect) -> sql.types.TypeEngine[Any]:
            """The type of the database that is used."""
            return _kind(dialect).text_type(dialect)

    return LongText()


@cache
def name() -> sql.types.TypeDecorator[str]:
    """A short text that is compared and sorted byte by byte, and not by the rules of a language."""

    class Name(sql.TypeDecorator[str]):
        impl = sql.String(NAME_LENGTH)
        cache_ok = True

        def load_dialect_impl(self, dialect: sql.Dialect) -> sql.types.TypeEngine[Any]:
            """The type of the database that is used."""
            return _kind(dialect).name_type(dialect)

    return Name()


def _kind(dialect: sql.Dialect) -> DatabaseKind:
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

    metadata: sql.MetaData
    runs: sql.Table
    steps: sql.Table
    context: sql.Table
    measurements: sql.Table
    conflicts: sql.Table
    artifacts: sql.Table
    hosts: sql.Table
    analysis: sql.Table
    baselines: sql.Table
    judgements: sql.Table


@cache
def tables() -> Tables:
    """The tables; every caller gets the same objects."""
    metadata = sql.MetaData(naming_convention=NAMES)
    indexes = {
        "runs": (("test_id", "started"), ("group_id",), ("started",)),
        "steps": (("step", "host", "started"), ("cache_key", "host", "inputs")),
        "measurements": (("name",),),
        "context": (("key",), ("time",)),
    }
    return Tables(metadata, **{table: _table(metadata, table, indexes.get(table, ())) for table in COLUMNS})


def _table(metadata: sql.MetaData, table: str, indexes: Iterable[Iterable[str]]) -> sql.Table:
    columns = COLUMNS[table]
    of_run = sql.ForeignKeyConstraint(["run_id"], ["runs.run_id"], ondelete="CASCADE")
    return sql.Table(
        table,
        metadata,
        sql.Column("run_id", name()),
        *map(_column, columns),
        sql.PrimaryKeyConstraint("run_id", *(column.name for column in columns if column.is_key)),
        *(() if table == "runs" else (of_run,)),
        *(sql.Index(None, *names) for names in indexes),
    )


def _column(column: Column) -> sql.Column[Any]:
    options: dict[str, Any] = {"nullable": False} if column.is_required else {}
    if column.is_key and column.kind is Kind.INTEGER:
        options["autoincrement"] = False
    return sql.Column(column.name, TYPES[column.kind](), **options)


TYPES: Mapping[Kind, Callable[[], Any]] = {
    **dict.fromkeys(Kind, long_text),
    Kind.NAME: name,
    **dict.fromkeys((Kind.INTEGER, Kind.COUNT, Kind.SIZE), lambda: sql.BigInteger),
    Kind.REAL: lambda: sql.Double,
    **dict.fromkeys((Kind.FLAG, Kind.TRUTH), lambda: sql.Boolean),
}
