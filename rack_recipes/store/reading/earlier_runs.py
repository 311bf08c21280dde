# SPDX-License-Identifier: GPL-3.0-or-later

"""Earlier runs of the same test, and what they left for a new run: values, durations, results under cache keys."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from operator import itemgetter
from pathlib import PurePath
from statistics import median
from typing import Any

import sqlalchemy as sql

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import COMPLETE, PASSING, RAN
from rack_recipes.journal.step_results_and_end_status import INTERRUPTED
from rack_recipes.store.reading.recorded_runs import (
    STEP,
    Decoders,
    Row,
    decoded,
    is_whole,
    newest_first,
    read,
    read_in_parts,
    with_output,
)
from rack_recipes.store.reading.several_runs import is_copy, with_copies
from rack_recipes.store.schema.tables import STEP_COLUMNS, Cached, tables

RunRow = Mapping[str, Any]
LAST_RUNS = 20


def earlier_runs(run: RunRow, runs: Sequence[RunRow], length: int = LAST_RUNS) -> Sequence[RunRow]:
    """The last `length` of `runs` that are earlier runs of the same test and count, the oldest first."""
    found = [one for one in runs if _started(one) < _started(run) and is_same_test(one, run) and counts(one)]
    return sorted(found, key=_started)[-length:] if length else []


def runs_within(most: int, runs: Sequence[RunRow]) -> Sequence[RunRow]:
    """As many of the newest of some runs, the oldest first, as have at most so many results together."""
    sizes = accumulate(sum((one.get("counts") or {}).values()) for one in reversed(runs))
    number = sum(size <= most for size in sizes)
    return runs[len(runs) - number :]


def is_same_test(one: RunRow, other: RunRow) -> bool:
    """Whether two runs are of the same test by the same recipe; a recipe is the same while its file keeps its name."""
    of_each = [(run.get("test_id"), PurePath(run.get("recipe") or "").name) for run in (one, other)]
    return any(of_each[0]) and of_each[0] == of_each[1]


def counts(run: RunRow) -> bool:
    """Whether a run says something about what it tested: it has ended, and Ansible was not in check mode."""
    return bool(run.get("ended")) and not (run.get("options") or {}).get("check")


def _started(run: RunRow) -> tuple[str, str]:
    return run.get("started") or "", run["run_id"]


Value = dict[str, Any]
KEY = re.compile(r"(?P<key>.*?_v[0-9]+)(?:\.(?P<path>.+))?")


def earlier_values(engine: sql.Engine, runs: Sequence[Mapping[str, Any]], name: str) -> list[Value]:
    """The values of `name` in these runs, in their order, by step and host. `runs` are rows of the table `runs`.

    `name` is that of a measurement, a key of the context, or a part of such a key's value, as in
    `numbers.stats_v1.mean`. Each value has `run`, `started`, `host`, `step`, `value` and `unit`, and a measurement its
    `verdict`. What was used again from an earlier run is no value of this run. Raises StoreError.
    """
    places = {run["run_id"]: place for place, run in enumerate(runs)}
    copies = with_copies(engine, places)
    found = [*_measured(engine, _of_runs(tables().measurements, places, copies), name)]
    found += _in_context(engine, _of_runs(tables().context, places, copies), name)
    found.sort(key=lambda row: (places[row["run"]], row["step"] or "", row["host"]))
    started = {run["run_id"]: run["started"] for run in runs}
    return [{"run": row["run"], "started": started[row["run"]], **row} for row in found]


def _of_runs(table: sql.Table, run_ids: Collection[str], copies: Collection[str]) -> sql.ColumnElement[bool]:
    """Whether a row belongs to one of these runs, and in those that may have copies is none."""
    of_run = table.c.run_id.in_(run_ids)
    return of_run & (table.c.run_id.not_in(copies) | ~is_copy(table)) if copies else of_run


def _measured(engine: sql.Engine, is_wanted: sql.ColumnElement[bool], name: str) -> list[Value]:
    table = tables().measurements
    columns = [table.c.run_id.label("run"), table.c.host, table.c.step, table.c.text.label("value"), table.c.unit]
    query = sql.select(*columns, table.c.verdict).where(is_wanted, table.c.name == name)
    return read(engine, query.order_by(table.c.n), {"value": json.loads, "unit": lambda unit: unit or ""})


def _in_context(engine: sql.Engine, is_wanted: sql.ColumnElement[bool], name: str) -> Iterator[Value]:
    match = KEY.fullmatch(name)
    if match is None:
        return
    table = tables().context
    of_key = (is_wanted, table.c.key == match["key"])
    newest = sql.select(sql.func.max(table.c.seq)).where(*of_key).group_by(table.c.run_id, table.c.host)
    columns = [table.c.run_id.label("run"), table.c.host, table.c.step, table.c.after.label("value"), table.c.seq]
    rows = read(engine, sql.select(*columns).where(*of_key, table.c.seq.in_(newest)), {"value": json.loads})
    last = {(row["run"], row["host"]): row for row in sorted(rows, key=lambda row: row["seq"])}
    for row in last.values():
        del row["seq"]
        is_there, value = _inside(row["value"], match["path"])
        if is_there:
            yield {**row, "value": value, "unit": ""}


def _inside(value: object, path: str | None) -> tuple[bool, Any]:
    """Whether a value has such a part, and that part."""
    for word in path.split(".") if path else ():
        if isinstance(value, dict) and word in value:
            value = value[word]
        elif isinstance(value, list) and word.isdecimal() and int(word) < len(value):
            value = value[int(word)]
        else:
            return False, None
    return True, value


RUNS_OF_FORECAST = 20
NOT_PASSED = RAN - PASSING  # a step that was cut off has one of these verdicts


def median_durations(engine: sql.Engine, test: str, steps: Collection[str]) -> dict[tuple[str, str], float]:
    """The median seconds of each (step, host) over the last runs of a test; steps that never ran are left out.

    `test` is the `test_id` or the path of the recipe. `steps` are the names of planned steps, so a looped step is timed
    as a whole. A result counts only in the run in which the step ran, not in a later one that used it again. Raises
    StoreError.
    """
    runs = _last_runs(engine, test)
    table = tables().steps
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    query = sql.select(table.c.step, table.c.host, table.c.seconds)
    query = query.where(table.c.run_id.in_(runs), _is_complete(table, runs), _ran(table, runs))
    for row in read_in_parts(engine, query, table.c.step, steps):
        spent[row["step"], row["host"]].append(row["seconds"])
    return {place: median(seconds) for place, seconds in spent.items()}


def _is_complete(table: sql.Table, runs: Mapping[str, str]) -> sql.ColumnElement[bool]:
    """Whether a step was not cut off: in an interrupted run a step that did not pass may have been."""
    cut_off = [run_id for run_id, status in runs.items() if status == INTERRUPTED]
    return table.c.verdict.in_(sorted(COMPLETE)) | (
        table.c.verdict.in_(sorted(NOT_PASSED)) & table.c.run_id.not_in(cut_off)
    )


def _ran(table: sql.Table, runs: Mapping[str, str]) -> sql.ColumnElement[bool]:
    """Whether a step was tried in this run. A looped step has no tries of its own: one of its instances was."""
    each = table.alias()
    of_it = (each.c.run_id == table.c.run_id) & (each.c.host == table.c.host) & (each.c.parent == table.c.step)
    # The runs are named again, so that no database searches all runs for instances.
    tried = sql.select(each.c.step).where(each.c.run_id.in_(runs), of_it, each.c.tries > 0).exists()
    was_tried = (table.c.tries > 0) | ((table.c.instances > 0) & tried)
    return table.c.source_run.is_(None) & table.c.seconds.is_not(None) & was_tried


def _last_runs(engine: sql.Engine, test: str) -> dict[str, str]:
    """The ids of the last runs of a test, each with its status."""
    table = tables().runs
    query = sql.select(table.c.run_id, table.c.status).where((table.c.test_id == test) | (table.c.recipe == test))
    query = query.where(is_whole())
    found = read(engine, query.order_by(*newest_first()).limit(RUNS_OF_FORECAST), {})
    return {row["run_id"]: row["status"] for row in found}


MOST = 20  # results that are kept for one key and host, each with other inputs; for older inputs the step runs again
# The fields of the other records.
DELTA = ("host", "step", "attempt", "scope", "key", "after", "based_on", "who", "time")
SAME = ("cache_key", "host", "inputs", "through")  # of results of which only the newest one is used
MEASURED = ("name", "value", "unit")
JUDGED = ("limits", "distance", "verdict")
ResultKey = tuple[str, str, str]  # run, host, step


def read_cached_results(engine: sql.Engine, keys: Collection[str]) -> list[Row]:
    """The newest result of each cache key, host, delegate and inputs that may be used again, the newest first.

    Each result has `key`, `step`, `host`, `run`, `inputs`, `ended` and `records`. These are the delta and step records
    of the step and its instances, numbered (`n`) from 1, the step's own step record last. Raises StoreError.
    """
    found = _newest(engine, keys)
    records = _Records(engine, found)
    return [
        {
            "key": row["cache_key"],
            "step": row["step"],
            "host": row["host"],
            "run": row["run_id"],
            "inputs": row["inputs"],
            "ended": _ended(row["started"], row["seconds"] or 0),
            "records": records.of((row["run_id"], row["host"], row["step"])),
        }
        for row in found
    ]


def _newest(engine: sql.Engine, keys: Collection[str]) -> list[Row]:
    """Rows of `steps`, at most `MOST` for each key and host."""
    table = tables().steps
    newest = (table.c.started.desc(), table.c.run_id.desc())
    place = sql.func.row_number().over(partition_by=[table.c[name] for name in SAME], order_by=newest)
    names = ("run_id", "host", "step", "cache_key", "inputs", "started", "seconds")
    ranked = sql.select(*(table.c[name] for name in names), place.label("place")).where(
        table.c.cache_key.in_(sorted(keys)),
        table.c.verdict.in_(sorted(COMPLETE)),
        table.c.inputs.is_not(None),
        table.c.started.is_not(None),
    )
    inner = ranked.subquery()
    query = sql.select(inner).where(inner.c.place == 1)
    rows = sorted(read(engine, query, {}), key=itemgetter("started", "run_id"), reverse=True)
    seen: dict[tuple[str, str], int] = defaultdict(int)
    return [row for row in rows if _counted(seen, (row["cache_key"], row["host"])) <= MOST]


def _counted(seen: dict[tuple[str, str], int], what: tuple[str, str]) -> int:
    seen[what] += 1
    return seen[what]


def _ended(started: str, seconds: float) -> str:
    try:
        ended = datetime.fromisoformat(started) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):  # it was not written by our executor
        return started
    return ended.isoformat(timespec="microseconds").replace("+00:00", "Z")


class _Records:
    """The records of the results that were found. They are read with one set of queries for each run."""

    def __init__(self, engine: sql.Engine, found: Iterable[Row]) -> None:
        self._engine = engine
        self._steps: dict[ResultKey, list[Row]] = defaultdict(list)
        self._deltas: dict[ResultKey, list[Row]] = defaultdict(list)
        self._measured: dict[ResultKey, list[Row]] = defaultdict(list)
        wanted: dict[str, set[str]] = defaultdict(set)
        for row in found:
            wanted[row["run_id"]].add(row["step"])
        for run_id, steps in wanted.items():
            self._read(run_id, steps)

    def of(self, place: ResultKey) -> list[Row]:
        """The numbered records of one result."""
        run_id, host, step = place
        ends = sorted(self._steps[place], key=lambda row: (row["step"] == step, row["started"] or "", row["step"]))
        places = [(run_id, host, row["step"]) for row in ends]
        changes = sorted((row for own in places for row in self._deltas[own]), key=itemgetter("seq"))
        records = [
            *(_delta_record(row, host, ends[-1]["stage"]) for row in changes),
            *(_step_record(row, self._measured[own]) for row, own in zip(ends, places, strict=True)),
        ]
        return [{**record, "n": number} for number, record in enumerate(records, 1)]

    def _read(self, run_id: str, steps: Collection[str]) -> None:
        """Read the steps with their instances, and what each of them changed and measured."""
        known = tables()
        ends = [
            row
            for column in (known.steps.c.step, known.steps.c.parent)
            for row in self._rows(known.steps, run_id, column, steps, STEP)
        ]
        for row in with_output(ends):
            self._steps[run_id, row["host"], row["parent"] or row["step"]].append(row)
        names = {row["step"] for row in ends}
        for row in self._rows(known.context, run_id, known.context.c.step, names, {"after": decoded}):
            self._deltas[run_id, row["host"] if row["origin"] is None else row["origin"], row["step"]].append(row)
        decoders = {"text": decoded, "limits": decoded}
        for row in self._rows(known.measurements, run_id, known.measurements.c.step, names, decoders):
            self._measured[run_id, row["host"], row["step"]].append(row)

    def _rows(
        self, table: sql.Table, run_id: str, column: sql.ColumnElement[str], names: Collection[str], decoders: Decoders
    ) -> list[Row]:
        of_run = sql.select(table).where(table.c.run_id == run_id)
        return [*read_in_parts(self._engine, of_run, column, names, decoders)]


def _delta_record(row: Row, host: str, stage: int | None) -> Row:
    return {"kind": "delta", "stage": stage, **{field: row[field] for field in DELTA}, "host": host}


def _step_record(row: Row, measured: Sequence[Row]) -> Row:
    return {
        "kind": "step",
        **_fields(row, Cached.ALWAYS),
        "measurements": [_measurement(entry) for entry in sorted(measured, key=itemgetter("n"))],
        **{field: value for field, value in _fields(row, Cached.IF_SET).items() if value},
    }


def _fields(row: Row, cached: Cached) -> Row:
    return {column.field or column.name: row[column.name] for column in STEP_COLUMNS if column.cached is cached}


def _measurement(row: Row) -> Row:
    fields = MEASURED + (JUDGED if row["verdict"] is not None else ())
    return {field: row["text"] if field == "value" else row[field] for field in fields}
