# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results under cache keys, as records of the journal, for steps that need not run again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import batched
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import COMPLETE
from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.reading.recorded_runs import STEP, Decoders, Result, decoded, read, with_output
from rack_recipes.store.schema.step_columns import STEP_COLUMNS, Cached
from rack_recipes.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table
    from sqlalchemy.sql import ColumnElement

MOST = 20  # results that are kept for one key and host, each with other inputs; for older inputs the step runs again
AT_ONCE = 500  # names in one statement: databases limit its parameters

# The fields of the other records.
DELTA = ("host", "step", "attempt", "scope", "key", "after", "based_on", "who", "time")
SAME = ("cache_key", "host", "inputs", "through")  # of results of which only the newest one is used
MEASURED = ("name", "value", "unit")
JUDGED = ("limits", "distance", "verdict")

Place = tuple[str, str, str]  # run, host, step


def cached(engine: Engine, keys: Collection[str]) -> list[Result]:
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


def _newest(engine: Engine, keys: Collection[str]) -> list[Result]:
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

    def __init__(self, engine: Engine, found: Iterable[Result]) -> None:
        self._engine = engine
        self._steps: dict[Place, list[Result]] = defaultdict(list)
        self._deltas: dict[Place, list[Result]] = defaultdict(list)
        self._measured: dict[Place, list[Result]] = defaultdict(list)
        wanted: dict[str, set[str]] = defaultdict(set)
        for row in found:
            wanted[row["run_id"]].add(row["step"])
        for run_id, steps in wanted.items():
            self._read(run_id, steps)

    def of(self, place: Place) -> list[Result]:
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
        self, table: Table, run_id: str, column: ColumnElement[Any], names: Collection[str], decoders: Decoders
    ) -> list[Result]:
        parts = (
            sql.select(table).where(table.c.run_id == run_id, column.in_(part))
            for part in batched(sorted(names), AT_ONCE)
        )
        return [row for part in parts for row in read(self._engine, part, decoders)]


def _delta_record(row: Result, host: str, stage: int | None) -> Result:
    return {"kind": "delta", "stage": stage, **{field: row[field] for field in DELTA}, "host": host}


def _step_record(row: Result, measured: Sequence[Result]) -> Result:
    return {
        "kind": "step",
        **_fields(row, Cached.ALWAYS),
        "measurements": [_measurement(entry) for entry in sorted(measured, key=itemgetter("n"))],
        **{field: value for field, value in _fields(row, Cached.IF_SET).items() if value},
    }


def _fields(row: Result, cached: Cached) -> Result:
    return {column.field or column.name: row[column.name] for column in STEP_COLUMNS if column.cached is cached}


def _measurement(row: Result) -> Result:
    fields = MEASURED + (JUDGED if row["verdict"] is not None else ())
    return {field: row["text"] if field == "value" else row[field] for field in fields}
