# SPDX-License-Identifier: GPL-3.0-or-later

"""Read results from the store, as plain lists of dicts with JSON decoded. All functions raise StoreError."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import batched, repeat
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sql

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.errors import UsageError, nearest
from rack_recipes.journal.record_fields import LOGGED
from rack_recipes.natural_order import natural
from rack_recipes.run_names import NEWEST, choose_run, runs_back
from rack_recipes.store.database.database_kind import reading_connection
from rack_recipes.store.database.databases_and_errors import translate_errors
from rack_recipes.store.reading.reading_order import by_names, by_step
from rack_recipes.store.result import Result
from rack_recipes.store.schema.tables import (
    ANALYSIS_COLUMNS,
    DETAIL_COLUMNS,
    OUTPUTS,
    RUN_COLUMNS,
    STEP_COLUMNS,
    Kind,
    Source,
    tables,
)
from rack_recipes.store.stored_plan import unpack_plan

AT_ONCE = 500  # names in one statement: databases limit its parameters
TEXTS_AT_ONCE = 1000  # JSON texts that one call reads

FINDINGS = '"findings"'  # stands in the text of attempts that have some
NOT_ANALYSED = frozenset({"attempts", *(column.name for column in STEP_COLUMNS if column.source is Source.ATTEMPT)})
REPORTED = frozenset({"exit_code", "user_sec", "system_sec", "max_rss_kib"})
NOT_SHOWN = frozenset({"cache_key", "tags", "scope", "blocks"})
NOT_REPORTED = NOT_ANALYSED - REPORTED | NOT_SHOWN
RARE = ("flake", "instances", "parent", "source_run", "rounds", "hooks", "through", "waived", "members")
"""Columns of `steps` in which most runs have nothing. Rows without them take half the memory, and are walked faster."""

NOT_IN_BRIEF = frozenset({"run_id", "seq", "attempt", "scope", "based_on", "origin", "clock_offset"})
"""Columns of measurements and of the context that neither an analysis nor a report looks at."""

Row = dict[str, Any]
Decoders = Mapping[str, Callable[[Any], Any]]
NOTHING: Decoders = {}


def runs(engine: sql.Engine) -> list[Row]:
    """All runs, the newest first. JSON columns are decoded; a missing one is an empty dict or list.

    Of a run in parts there is the group, not its parts.
    """
    return read(engine, sql.select(*_run_columns()).where(is_whole()).order_by(*newest_first()), RUN)


def run(engine: sql.Engine, run_id: str) -> Row:
    """The run with this id. Raises UsageError where the store has none."""
    found = read(engine, sql.select(*_run_columns()).where(tables().runs.c.run_id == run_id), RUN)
    if not found:
        raise UsageError(f"there is no run {run_id!r} in the store")
    return found[0]


def plan(engine: sql.Engine, run_id: str) -> dict[str, Any] | None:
    """What a run was to do: `steps` has the hosts of each, `derived` the definitions of derived numbers.

    None where the store was not told: the first record of the journal is damaged.
    """
    table = tables().runs
    found = read(engine, sql.select(table.c.plan).where(table.c.run_id == run_id), {"plan": decoded})
    return unpack_plan(found[0]["plan"]) if found and found[0]["plan"] else None


def flakes(engine: sql.Engine, run_ids: Collection[str]) -> dict[str, int]:
    """How many steps of each run passed only after a retry; runs without such steps are left out."""
    table = tables().steps
    counted = sql.func.count().label("flakes")
    query = sql.select(table.c.run_id, counted).where(
        table.c.run_id.in_(run_ids), table.c.flake.is_(True), table.c.instances.is_(None)
    )
    return {row["run_id"]: row["flakes"] for row in read(engine, query.group_by(table.c.run_id), {})}


def parts(engine: sql.Engine, group_id: str) -> list[Row]:
    """The parts of a group in the order in which they began; empty where there is no such group."""
    table = tables().runs
    query = sql.select(*_run_columns()).where(table.c.group_id == group_id, table.c.part.is_not(None))
    return read(engine, query.order_by(table.c.started, table.c.run_id), RUN)


def newest(engine: sql.Engine) -> str | None:
    """The id of the run that started last; None if the store has no runs."""
    return next(iter(newest_ids(engine, 1)), None)


def find(engine: sql.Engine, name: str) -> str:
    """The id of the run that `name` means (`run_names`). Raises UsageError for none and for several.

    Of a run in parts `last` means the whole, which its parts are no further runs of.
    """
    column, back = tables().runs.c.run_id, runs_back(name)
    query = sql.select(column).where(sql.func.substr(column, 1, len(name)) == name).order_by(*newest_first())
    ids = [row["run_id"] for row in read(engine, query, {})] if name else []
    if back is not None and name not in ids:
        ids = newest_ids(engine, back + 1)
    found = choose_run(name, ids, "the store")
    if found is None:
        raise UsageError(f"there is no run {name!r} in the store{near_group(engine, name, NEWEST)}")
    return found


def newest_ids(engine: sql.Engine, number: int) -> list[str]:
    """The ids of the newest runs, of a group only its own."""
    query = sql.select(tables().runs.c.run_id).where(is_whole()).order_by(*newest_first()).limit(number)
    return [row["run_id"] for row in read(engine, query, {})]


def near_group(engine: sql.Engine, word: str, *others: str) -> str:
    """The group, or one of the `others`, that was probably meant, as the end of an error: people choose these ids."""
    table = tables().runs
    query = sql.select(table.c.run_id).where(table.c.run_id == table.c.group_id).order_by(*newest_first())
    near = nearest(word, [*others, *(row["run_id"] for row in read(engine, query.limit(AT_ONCE), {}))])
    return f" (did you mean {near!r}?)" if near else ""


def steps(engine: sql.Engine, run_id: str, *, attempts: bool = True, in_order: bool = True) -> list[Result]:
    """How each step of a run ended on each host, in the order of the recipe; `attempts` as in the journal.

    The instances of a looped step are listed too; they name the step as their `parent`. Without `attempts`, these and
    what the last of them used and told are left out, and what nobody is shown: most of what there is to read. Not
    `in_order` is for who sorts them anyway.
    """
    table = tables().steps
    left_out = () if attempts else NOT_ANALYSED | NOT_SHOWN
    columns = [column for column in table.c if column.name not in left_out]
    query = sql.select(*columns).where(table.c.run_id == run_id)
    if in_order:  # what comes nearly in order is sorted, and walked through, in half the time
        query = query.order_by(table.c.idx, table.c.step, table.c.host)
    rows = read_results(engine, query, {name: decode for name, decode in STEP.items() if name not in left_out})
    rows = by_step(rows) if in_order else rows
    return with_output(rows) if attempts else rows


def with_output[Kind: Mapping[str, Any]](rows: list[Kind]) -> list[Kind]:
    """Put the columns with the output of the last attempt back into `attempts`; `rows` are decoded rows of `steps`."""
    for row in rows:
        for attempt in row["attempts"][-1:]:
            attempt |= {output: row[output] for output in OUTPUTS if row[output] is not None}
    return rows


def judged(engine: sql.Engine, run_id: str) -> list[Result]:
    """The rows of `steps` in any order, without what their last attempts used and told, and without unused columns.

    Those whose attempts have findings have their `attempts`, without the output; the others have none.
    """
    rows = _without(engine, run_id, NOT_ANALYSED | NOT_SHOWN)
    _add(rows, "attempts", _attempts(engine, run_id, tables().steps.c.attempts.contains(FINDINGS)), [])
    return cast("list[Result]", rows)


def reported(engine: sql.Engine, run_id: str) -> list[Result]:
    """The rows of `steps` in any order, with what their last attempts used, and without unused columns.

    Those whose attempts have findings, and flakes, have their `attempts`, without the output; the others have none.
    Those that did not pass have their `stderr`.
    """
    columns = tables().steps.c
    rows = _without(engine, run_id, NOT_REPORTED)
    told = columns.attempts.contains(FINDINGS) | columns.flake.is_(True)
    _add(rows, "attempts", _attempts(engine, run_id, told), [])
    query = sql.select(columns.host, columns.step, columns.stderr)
    logs = query.where(columns.run_id == run_id, columns.verdict.not_in(PASSING), columns.stderr.is_not(None))
    _add(rows, "stderr", {(row["host"], row["step"]): row["stderr"] for row in read(engine, logs, {})}, None)
    return cast("list[Result]", rows)


def logged(engine: sql.Engine, run_id: str) -> list[Result]:
    """`step`, `host` and `stderr` of the steps whose scriptlets may have logged a warning or worse, in order."""
    table = tables().steps
    told = sql.or_(*(table.c.stderr.contains(f"Z {level} ") for level in LOGGED))
    query = sql.select(table.c.idx, table.c.step, table.c.host, table.c.stderr)
    return by_step(read_results(engine, query.where(table.c.run_id == run_id, told), {}))


def failed_with_stderr(engine: sql.Engine, run_id: str) -> list[Result]:
    """`step` and `host` of the results that did not pass and wrote something to stderr, in order."""
    table = tables().steps
    query = sql.select(table.c.idx, table.c.step, table.c.host).where(
        table.c.run_id == run_id, table.c.stderr != "", table.c.verdict.not_in(PASSING)
    )
    return by_step(read_results(engine, query, {}))


def _without(engine: sql.Engine, run_id: str, left_out: Collection[str]) -> list[Row]:
    """The rows of `steps` without some columns and without those of `RARE` that the run does not use, in any order."""
    table = tables().steps
    missing = {"run_id", *left_out, *unused_columns(engine, run_id)}
    columns = [column for column in table.c if column.name not in missing]
    decoders = {name: decode for name, decode in STEP.items() if name not in missing}
    return read(engine, sql.select(*columns).where(table.c.run_id == run_id), decoders)


def unused_columns(engine: sql.Engine, run_id: str) -> set[str]:
    """The columns of `RARE` in which no row of the run has anything."""
    columns = tables().steps.c
    counted: list[sql.ColumnElement[Any]] = [sql.func.count(columns[name]).label(name) for name in RARE]
    (counts,) = read(engine, sql.select(*counted).where(columns.run_id == run_id), {})
    return {name for name, count in counts.items() if not count}


def _attempts(engine: sql.Engine, run_id: str, which: sql.ColumnElement[bool]) -> dict[tuple[str, str], list[Any]]:
    columns = tables().steps.c
    query = sql.select(columns.host, columns.step, columns.attempts).where(columns.run_id == run_id, which)
    return {(row["host"], row["step"]): row["attempts"] for row in read(engine, query, {"attempts": json.loads})}


def _add(rows: Iterable[Row], name: str, values: Mapping[tuple[str, str], object], otherwise: object) -> None:
    """Give each row the value of its host and step, where there is one."""
    if not values:
        for row in rows:
            row[name] = otherwise
        return
    for row in rows:
        row[name] = values.get((row["host"], row["step"]), otherwise)


def context(
    engine: sql.Engine,
    run_id: str,
    host: str | None = None,
    *,
    path: str | None = None,
    most: int | None = None,
    brief: bool = False,
) -> list[Row]:
    """The newest value of each key of each host and of the run (its host is ""), or of one; `value` is decoded.

    They come by key and host; `most` is how many of them. With `path`, such as `disk.use_v1.percent`, there are only
    keys that may have numbers under it. `brief` rows have what analyses and reports look at.
    """
    table = tables().context
    place = (table.c.key, table.c.host)
    newest = sql.select(sql.func.max(table.c.seq)).where(table.c.run_id == run_id).group_by(*place)
    left_out = {"before", "after", *(NOT_IN_BRIEF if brief else ())}
    columns = [column for column in table.c if column.name not in left_out]
    query = sql.select(*columns, table.c.after.label("value")).where(table.c.run_id == run_id, table.c.seq.in_(newest))
    query = query if host is None else query.where(table.c.host == host)
    query = query if path is None else query.where(_may_have(table.c.key, path))
    rows = read(engine, query.order_by(*place).limit(most), {"value": json.loads})
    return rows if brief else by_names(rows, "key", "host")


def number_of_values(engine: sql.Engine, run_id: str) -> int:
    """How many values `context` has of a run."""
    table = tables().context
    different = sql.select(table.c.key, table.c.host).where(table.c.run_id == run_id).distinct().subquery()
    (found,) = read(engine, sql.select(sql.func.count().label("values")).select_from(different), {})
    return int(found["values"])


def _may_have(key: sql.ColumnElement[str], path: str) -> sql.ColumnElement[bool]:
    return key.in_(keys_of(path)) | is_or_inside(key, path)


def keys_of(path: str) -> list[str]:
    """The keys whose values may have this path: each of its beginnings."""
    parts = path.split(".")
    return [".".join(parts[:end]).partition("[")[0] for end in range(1, len(parts) + 1)]


def history(engine: sql.Engine, run_id: str, key: str | None = None, host: str | None = None) -> list[Row]:
    """The changes of keys in a run, in their order, optionally only those of one key or of one host ("" is the run).

    `before` and `after` are decoded; `before` is None for the first value of a key (version 1).
    """
    table = tables().context
    query = _of(table, run_id)
    if key is not None:
        query = query.where(table.c.key == key)
    if host is not None:
        query = query.where(table.c.host == host)
    return read(engine, query.order_by(table.c.seq), {"before": decoded, "after": decoded})


def history_of_keys(engine: sql.Engine, run_id: str, keys: Collection[str]) -> list[Row]:
    """The changes of some keys in a run, in their order; `value` is what each wrote, decoded."""
    table = tables().context
    columns = [column for column in table.c if column.name not in {"before", "after"}]
    written = sql.select(*columns, table.c.after.label("value")).where(table.c.run_id == run_id)
    return sorted(read_in_parts(engine, written, table.c.key, keys, {"value": json.loads}), key=itemgetter("seq"))


def conflicts(engine: sql.Engine, run_id: str) -> list[Row]:
    """The writes of a key that another write had changed in between, by their number, values decoded.

    By the `policy` a write was `kept`, `refused` or `merged` (`outcome`). `other` is the third value, which is neither
    in `before` nor in `after`. `fields` are those that both writes had changed; there the later write won.
    """
    table = tables().conflicts
    return read(engine, _of(table, run_id).order_by(table.c.seq), DETAILS["conflicts"])


def hosts(engine: sql.Engine, run_id: str) -> list[str]:
    """The hosts with results or keys in a run, in natural order."""
    both = tables().steps, tables().context
    queries = [sql.select(table.c.host).where(table.c.run_id == run_id).distinct() for table in both]
    found = {row["host"] for query in queries for row in read(engine, query, {})}
    return sorted(found - {""}, key=natural)


def origins(engine: sql.Engine, run_id: str) -> dict[int, str]:
    """For each conflict over a key of the run, by its number, the host that wrote; refused writes are left out."""
    changes, met = tables().context, tables().conflicts
    of_conflicts = sql.select(met.c.seq).where(met.c.run_id == run_id)
    query = sql.select(changes.c.seq, changes.c.origin).where(
        changes.c.run_id == run_id, changes.c.seq.in_(of_conflicts), changes.c.origin.is_not(None)
    )
    return {row["seq"]: row["origin"] for row in read(engine, query, {})}


def measurements(
    engine: sql.Engine,
    run_id: str,
    *,
    only_bad: bool = False,
    host: str | None = None,
    name: str | None = None,
    step: str | None = None,
    brief: bool = False,
) -> list[Row]:
    """What the steps of a run measured. `value` is exactly what was measured, integers of any size included.

    `limits`, `distance` and `verdict` belong to the criterion; they are None for a value that has none. With
    `only_bad` there are only those whose criterion did not hold, or only just; with `host` and `step` those of one,
    with `name` those of this name and those inside of it (`name.part`). `brief` rows have what analyses and reports
    look at, and come in any order.
    """
    table = tables().measurements
    left_out = {"value", "text", *(NOT_IN_BRIEF if brief else ())}
    exact = [column for column in table.c if column.name not in left_out]
    query = sql.select(*exact, table.c.text.label("value")).where(table.c.run_id == run_id)
    if only_bad:
        query = query.where(table.c.verdict != "passed")  # which leaves out those that have no verdict, too
    if host is not None:
        query = query.where(table.c.host == host)
    if step is not None:
        query = query.where(table.c.step == step)
    if name is not None:
        query = query.where(is_or_inside(table.c.name, name))
    if brief:
        return read(engine, query, DETAILS["measurements"])
    rows = read(engine, query.order_by(table.c.step, table.c.host, table.c.n), DETAILS["measurements"])
    return by_names(rows, "step", "host")


def artifacts(engine: sql.Engine, run_id: str, **only: str) -> list[Row]:
    """The files that the steps of a run attached, by step, host and the order in which they were attached.

    `only` chooses those with these values of columns, such as one `host`, `step` or `sha256`.

    `path` is relative to the run's folder, and None for a file that did not arrive; `note` says why. `masked`
    says whether secrets were removed from the file; it is None where the run had no secrets.
    """
    table = tables().artifacts
    query = _of(table, run_id).where(*(table.c[name] == value for name, value in only.items()))
    return by_names(read(engine, query.order_by(table.c.n), DETAILS["artifacts"]), "step", "host")


def attributes(engine: sql.Engine, run_id: str) -> dict[str, dict[str, Any]]:
    """By host what the inventory said of it when the run began, such as its rack; empty for runs without attributes."""
    rows = read(engine, _of(tables().hosts, run_id).order_by(tables().hosts.c.host), DETAILS["hosts"])
    return {row["host"]: row["attributes"] for row in rows}


def findings(engine: sql.Engine, run_id: str) -> list[Row]:
    """What the newest analysis of a run has found, the most important first; empty where it was not analysed."""
    return read(engine, _of(tables().analysis, run_id).order_by(tables().analysis.c.n), DETAILS["analysis"])


def baselines(engine: sql.Engine, test_id: str | None = None) -> list[Row]:
    """The runs that were accepted as baselines, of one test or of all, the newest first."""
    table = tables().baselines
    query = sql.select(table).order_by(table.c.accepted.desc())
    return read(engine, query if test_id is None else query.where(table.c.test_id == test_id), DETAILS["baselines"])


def judgements(engine: sql.Engine, run_id: str) -> list[Row]:
    """The judgements of a run's measurements by other limits, in their order."""
    return read(engine, _of(tables().judgements, run_id).order_by(tables().judgements.c.n), DETAILS["judgements"])


def _run_columns() -> list[sql.ColumnElement[Any]]:
    """Those of `runs` without the plan, which is long and is read for one run alone."""
    left_out = {column.name for column in RUN_COLUMNS if not column.is_listed}
    return [column for column in tables().runs.c if column.name not in left_out]


def is_whole() -> sql.ColumnElement[bool]:
    """Choose runs that are no part of a group: the results of parts are those of the group's row, too."""
    return tables().runs.c.part.is_(None)


def is_or_inside(column: sql.ColumnElement[str], path: str) -> sql.ColumnElement[bool]:
    """Choose what has this name, or one that begins with this path: `a`, `a.b` and `a[0]` for `a`."""
    return (column == path) | sql.func.substr(column, 1, len(path) + 1).in_([f"{path}.", f"{path}["])


def newest_first() -> tuple[sql.ColumnElement[Any], ...]:
    """Sort runs by their start, the newest first."""
    table = tables().runs
    return table.c.started.desc(), table.c.run_id.desc()


def _of(table: sql.Table, run_id: str) -> sql.Select[Any]:
    return sql.select(table).where(table.c.run_id == run_id)


def read(engine: sql.Engine, query: sql.Executable, decoders: Decoders) -> list[Row]:
    """The rows of a query. The columns in `decoders` are decoded with its functions. Raises StoreError."""
    with translate_errors(engine.url), reading_connection(engine) as connection:
        found = connection.execute(query)
        names = [*found.keys()]
        rows = [*map(dict, map(zip, repeat(names), found.all()))]  # one by one they take twice as long
    for column, decode in decoders.items():
        _decode(rows, column, decode)
    return rows


def read_results(engine: sql.Engine, query: sql.Executable, decoders: Decoders) -> list[Result]:
    """The same of a query of `steps`."""
    return cast("list[Result]", read(engine, query, decoders))


def read_in_parts(
    engine: sql.Engine,
    query: sql.Select[Any],
    column: sql.ColumnElement[str],
    names: Collection[str],
    decoders: Decoders = NOTHING,
) -> Iterator[Row]:
    """The rows of a query in which a column has one of these names, however many they are. Raises StoreError."""
    for some in batched(sorted(names), AT_ONCE):
        yield from read(engine, query.where(column.in_(some)), decoders)


def _decode(rows: Sequence[Row], column: str, decode: Callable[[Any], Any]) -> None:
    """Decode one column of all rows. JSON is read for many rows at a time, which takes half as long."""
    texts = [row for row in rows if row[column] is not None] if decode in JSON_DECODERS else []
    for row in [row for row in rows if row[column] is None] if texts else rows:
        row[column] = decode(row[column])
    for some in batched(texts, TEXTS_AT_ONCE):
        for row, value in zip(some, _values([row[column] for row in some]), strict=True):
            row[column] = value or JSON_DECODERS[decode](value)


def _values(texts: Sequence[str]) -> list[Any]:
    """The values of JSON texts; where one of them is not JSON, they are read one by one, so that this one is named."""
    with suppress(ValueError, TypeError):
        values: list[Any] = json.loads(f"[{','.join(texts)}]")
        if len(values) == len(texts):
            return values
    return [json.loads(text) for text in texts]


def decoded(text: str | None) -> Any:
    """The value of a JSON text; None for None."""
    return None if text is None else json.loads(text)


def _object(text: str | None) -> dict[str, Any]:
    return decoded(text) or {}


def _list(text: str | None) -> list[Any]:
    return decoded(text) or []


def _count(number: int | None) -> int:
    return number or 0


def _same(value: object) -> Any:
    return value


JSON_DECODERS: Mapping[Callable[[Any], Any], Callable[[Any], Any]] = {
    decoded: _same,
    json.loads: _same,
    _object: lambda _value: {},
    _list: lambda _value: [],
}
"""The decoders of JSON, each with what it makes of a value that is empty or 0."""

# How to decode the columns whose values in the store are not the values that they stand for.
KINDS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.COUNT: _count,
    Kind.FLAG: bool,
    Kind.OBJECT: _object,
    Kind.GIVEN_OBJECT: _object,
    Kind.LIST: _list,
    Kind.JSON: decoded,
    Kind.SOME_OBJECT: decoded,
    Kind.ATTEMPTS: json.loads,
}
RUN: Decoders = {column.name: KINDS[column.kind] for column in RUN_COLUMNS if column.kind in KINDS and column.is_listed}
STEP: Decoders = {column.name: KINDS[column.kind] for column in STEP_COLUMNS if column.kind in KINDS}
DETAILS: Mapping[str, Decoders] = {
    table: {column.field or column.name: KINDS[column.kind] for column in columns if column.kind in KINDS}
    for table, columns in {**DETAIL_COLUMNS, **ANALYSIS_COLUMNS}.items()
}
