# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of a run and of the store as pandas data frames with frozen columns, for notebooks.

The package rack_recipes exports them.

pandas is imported inside the functions, since it takes longer to load than everything else here.

The columns of each frame are frozen: later versions only add columns, at the end.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import KEY, first_few
from rack_recipes import errors, settings
from rack_recipes.analysis.analyse_run import analyse
from rack_recipes.analysis.measured_and_derived_values import statistics_of_run
from rack_recipes.analysis.run_data import Row, RunData, arrange_run, load_run_data, number_of, numbers_in
from rack_recipes.errors import UsageError
from rack_recipes.journal.step_results_and_end_status import counts_in_words
from rack_recipes.natural_order import natural
from rack_recipes.store.reading import recorded_runs, several_runs
from rack_recipes.store.schema.tables import DETAIL_COLUMNS, STEP_COLUMNS, Kind

if TYPE_CHECKING:
    from pandas import DataFrame
    from sqlalchemy import Engine
TEXT = ANY = "object"
WHOLE, REAL = "Int64", "float64"
KINDS = {
    Kind.NAME: TEXT,
    Kind.TEXT: TEXT,
    Kind.INTEGER: WHOLE,
    Kind.COUNT: WHOLE,
    Kind.SIZE: WHOLE,
    Kind.REAL: REAL,
    Kind.FLAG: ANY,
    Kind.TRUTH: ANY,
    Kind.OBJECT: ANY,
    Kind.GIVEN_OBJECT: ANY,
    Kind.LIST: ANY,
    Kind.JSON: ANY,
    Kind.SOME_OBJECT: ANY,
    Kind.SOME_TEXT: TEXT,
    Kind.ATTEMPTS: ANY,
}
STEPS = {column.name: KINDS[column.kind] for column in STEP_COLUMNS if column.is_in_frames}
DETAILS = {
    table: {column.field or column.name: KINDS[column.kind] for column in columns if column.is_in_frames}
    for table, columns in DETAIL_COLUMNS.items()
}
CONTEXT = {"key": TEXT, "host": TEXT, "version": WHOLE, "value": ANY, "step": TEXT, "who": TEXT, "time": TEXT}
RUNS = {"run_id": TEXT, "test_id": TEXT, "started": TEXT, "ended": TEXT, "status": TEXT, "counts": ANY}


def _planned(frame: DataFrame, parents: Mapping[str, str]) -> DataFrame:
    planned = [parents.get(step, step) for step in frame["step"]]
    return frame.assign(planned=planned).astype({"planned": frame["step"].dtype})


def data_frame(rows: Sequence[Row], types: Mapping[str, str]) -> DataFrame:
    """The rows with these columns, each of its type. Raises UsageError where pandas is missing."""
    with errors.require_installed("the data cannot be read", UsageError):
        import pandas as pd

    # Text stays Python text, since the string type of Arrow refuses lone surrogates.
    frame = pd.DataFrame(list(rows), columns=list(types), dtype=object)
    frame = frame.where(frame.notna(), None)  # a missing column is NaN, which counts as true
    return frame.astype({name: kind for name, kind in types.items() if kind != TEXT})


def _ordered(frame: DataFrame, hosts: list[str], steps: list[str]) -> DataFrame:
    import pandas as pd

    order = {"host": pd.CategoricalDtype(hosts, ordered=True), "step": pd.CategoricalDtype(steps, ordered=True)}
    return frame.astype(order)


FINDINGS = {
    **dict.fromkeys(("grade", "kind", "title", "action", "rule", "advice", "method", "origin"), TEXT),
    "explains": WHOLE,
    **dict.fromkeys(("results", "figures", "about", "suggestion"), ANY),
}
STATISTICS = {
    **dict.fromkeys(("step", "name", "unit"), TEXT),
    "count": WHOLE,
    **dict.fromkeys(("mean", "variance", "median", "mad", "p5", "p25", "p75", "p95"), REAL),
    **dict.fromkeys(("skewness", "least", "greatest"), REAL),
    "definition": TEXT,
}
HOSTS = {"host": TEXT, "attributes": ANY}
ALL_RUNS = {**RUNS, "labels": ANY, "recipe": TEXT, "digest": TEXT}
MEASURED = {
    **dict.fromkeys(("run_id", "started", "host", "step", "name", "unit"), TEXT), "value": ANY, "number": REAL,
    "verdict": TEXT,
}  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class RunFrames:
    """One run: `run` is what is known of it as a whole, the rest are data frames with frozen columns.

    `results` has a row for each step and host (the run itself is the host ""), `statistics` one for each number over
    the hosts, `findings` what the analysis has found, and `hosts` what the inventory says of each host. `host` and
    `step` are ordered categories. The instances of a looped step come after it, and have it as `planned`. The `value`
    of a measurement is exact and of any type; its `number` is the value as a float, or NaN.

    >>> sorted(load_run().measurements["name"])
    ['disk_used', 'used']
    """

    run: Row
    results: DataFrame
    measurements: DataFrame
    statistics: DataFrame
    context: DataFrame
    findings: DataFrame
    hosts: DataFrame
    artifacts: DataFrame
    conflicts: DataFrame

    def __repr__(self) -> str:
        """A summary: a notebook shows it where somebody writes the name of a run."""
        counts = counts_in_words(self.run["counts"] or {})
        frames = ", ".join(f"{each.name} {len(getattr(self, each.name))}" for each in fields(self)[1:])
        about = f"run {self.run['run_id']} of {self.run['test_id'] or self.run['recipe'] or 'no recipe'}"
        return f"<{about}: {self.run['status']}, {counts or 'no results'}; rows: {frames}>"


def load_run(run_id: str | None = None, db: str | None = None) -> RunFrames:
    """A run as data frames: the one whose id begins with `run_id`, or else the newest.

    `db` is the URL of the store, or else the one in the settings of this folder. The run is analysed anew; nothing is
    written. Raises UsageError for a run that is not there, and StoreError.

    >>> newest = load_run()
    >>> newest.run["test_id"], [*newest.results["verdict"]]
    ('FIRST-001', ['passed'])
    """
    with _store(db) as store:
        found = recorded_runs.find(store, run_id) if run_id else recorded_runs.newest(store)
        if found is None:
            raise UsageError("there are no runs in the store")
        run = load_run_data(store, found)
        findings = [asdict(finding) for finding in analyse(store, run)]
    return make_run_frames(run, findings)


def make_run_frames(run: RunData, findings: Sequence[Row] = ()) -> RunFrames:
    """The data frames of a run. Columns that it does not use are empty.

    Raises UsageError where pandas is missing.
    """
    rows = arrange_run(run)
    details = {"measurements": rows.measurements, "artifacts": rows.artifacts, "conflicts": rows.conflicts}
    parts = (rows.steps, rows.context, *details.values())
    hosts = sorted({row["host"] for part in parts for row in part}, key=natural)
    steps = sorted(rows.places, key=rows.place)
    types = {**DETAILS, "measurements": {**DETAILS["measurements"], "number": REAL}}
    frames = {name: _ordered(data_frame(own, types[name]), hosts, steps) for name, own in details.items()}
    frames["measurements"] = _planned(frames["measurements"], rows.parents)
    return RunFrames(
        run=rows.run,
        results=_planned(_ordered(data_frame(rows.steps, STEPS), hosts, steps), rows.parents),
        statistics=data_frame(statistics_of_run(rows), STATISTICS),
        context=_ordered(data_frame(rows.context, CONTEXT), hosts, steps),
        findings=data_frame(findings, FINDINGS),
        hosts=data_frame([{"host": host, "attributes": own} for host, own in rows.attributes.items()], HOSTS),
        **frames,
    )


def runs(test_id: str | None = None, db: str | None = None) -> DataFrame:
    """All runs in the store, or those of one test, the newest first. Warns where there are none. Raises StoreError.

    >>> set(runs("FIRST-001")["status"])
    {'passed'}
    """
    with _store(db) as store:
        return data_frame(_runs(store, test_id), ALL_RUNS)


def measurements(key: str, test_id: str | None = None, last: int = 20, db: str | None = None) -> DataFrame:
    """One measurement in the last runs (all, or those of one test), the oldest run first: a row for each host.

    `key` is the name of a measurement, or a path into the context as in a recipe: `numbers.stats_v1.mean`. The `value`
    is exact and of any type; `number` is the value as a float, or NaN. Where there is none a warning has the nearest
    name. Raises StoreError.

    >>> set(measurements("used", last=1)["host"])
    {'localhost'}
    """
    with _store(db) as store:
        chosen = [*reversed(_runs(store, test_id)[:last])]
        tell = _in_context if KEY.match(key) else _measured
        rows = [*tell(store, chosen, key)]
        if chosen and not rows:
            which = f"these {len(chosen)} runs have" if len(chosen) > 1 else f"run {chosen[0]['run_id']} has"
            warnings.warn(f"{which} no measurement or key {key!r}{_hint(key, _names(store, chosen))}", stacklevel=2)
        return data_frame(rows, MEASURED)


def _runs(store: Engine, test_id: str | None) -> list[dict[str, Any]]:
    """The runs of one test, or all. Where there are none, the caller's caller is warned."""
    every = recorded_runs.runs(store)
    found = [run for run in every if test_id in (None, run["test_id"])]
    if not found:
        of = f" of test {test_id!r}{_hint(test_id, {run['test_id'] or '' for run in every})}" if test_id else ""
        warnings.warn(f"there are no runs in the store{of}", stacklevel=3)
    return found


def _names(store: Engine, chosen: Sequence[Row]) -> set[str]:
    """What these runs have measured, and the numbers in the context of the last of them."""
    measured = several_runs.measurements_by_name(store, [run["run_id"] for run in chosen])
    rows = recorded_runs.context(store, chosen[-1]["run_id"])
    return {row["name"] for row in measured} | {
        path for row in rows for path, _ in numbers_in(row["value"], row["key"])
    }


def _hint(word: str, known: Iterable[str]) -> str:
    """The name that was perhaps meant, else what there is."""
    names = sorted({*known} - {""})
    near = errors.nearest(word, names)
    return (
        f" (did you mean {near!r}?)" if near else f"; there is {first_few(names, errors.MOST_NAMED)}" if names else ""
    )


def _measured(store: Engine, chosen: Iterable[Row], name: str) -> Iterator[Row]:
    for run in chosen:
        for row in several_runs.measurements_of_name(store, run["run_id"], name):
            yield {**row, "started": run["started"], "number": number_of(row["value"])}


def _in_context(store: Engine, chosen: Iterable[Row], path: str) -> Iterator[Row]:
    for run in chosen:
        for row in recorded_runs.context(store, run["run_id"]):
            if path.startswith(row["key"]):
                found: Mapping[str, float] = dict(numbers_in(row["value"], row["key"]))
                if path in found:
                    told = {"name": path, "unit": "", "value": found[path], "number": found[path]}
                    yield {**row, **told, "started": run["started"], "verdict": None}


@contextmanager
def _store(db: str | None) -> Iterator[Engine]:
    from rack_recipes.store.database_engine import connect_for_reading

    store = connect_for_reading(db or settings.load().db)
    try:
        yield store
    finally:
        store.dispose()
