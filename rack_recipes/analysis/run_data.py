# SPDX-License-Identifier: GPL-3.0-or-later

"""All data of one run that an analysis or a report looks at, in the order in which people read it.

With the numbers inside of JSON values and the classes of hosts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import nan
from typing import TYPE_CHECKING, Any

from rack_recipes.journal.step_results_and_end_status import INTERRUPTED, was_cut_off
from rack_recipes.natural_order import in_order_of, natural_places
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.reading.reading_order import parents_of, step_places
from rack_recipes.store.result import Result, is_looped

if TYPE_CHECKING:
    from sqlalchemy import Engine
LONGEST_LIST = 32  # the numbers of a longer list are samples, not series of their own
NUMBERS = frozenset((int, float))  # true and false are none
Numbers = list[tuple[str, float]]


def number_of(value: Any) -> float:
    """A value as a float, or NaN where it is no number, or too large for a float."""
    try:
        return float(value) if type(value) in NUMBERS else nan
    except OverflowError:  # a whole number of more than 308 digits
        return nan


def numbers_in(value: object, path: str = "") -> Numbers:
    """The numbers inside of a JSON value, each with its path, such as `.mean` or `.disks[0].hours`; "" is the value."""
    found: Numbers = []
    _gather(value, path, found)
    return found


def _gather(value: object, path: str, found: Numbers) -> None:
    if type(value) in NUMBERS:
        found.append((path, number_of(value)))
    elif isinstance(value, dict):
        for name, inner in value.items():
            _gather(inner, f"{path}.{name}", found)
    elif isinstance(value, list) and len(value) <= LONGEST_LIST:
        for index, inner in enumerate(value):
            _gather(inner, f"{path}[{index}]", found)


Attributes = Mapping[str, Mapping[str, Any]]
CLASS = "class"
INSTEAD = ("model", "role")  # together they say what a class would


def host_class(attributes: Mapping[str, object]) -> str:
    """The class of a host in words, such as `class gpu` or `model X1, role leaf`; empty where nothing is known."""
    names = (CLASS,) if attributes.get(CLASS) else INSTEAD
    return ", ".join(f"{name} {attribute_text(attributes[name])}" for name in names if attributes.get(name))


def places_by_class(hosts: Iterable[str], attributes: Attributes) -> dict[str, list[int]]:
    """The places of the hosts of each class, without the run itself. Hosts of which nothing is known are one class."""
    found = defaultdict(list)
    for place, host in enumerate(hosts):
        if host:
            found[host_class(attributes.get(host, {}))].append(place)
    return found


class Twins:
    """The classes of lists of hosts, each worked out once: most series of a run are of the same hosts."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self._classes: dict[tuple[str, ...], dict[str, list[int]]] = {}
        self._columns: dict[tuple[str, ...], dict[str, list[str]]] = {}

    def by_class(self, hosts: Sequence[str]) -> Mapping[str, Sequence[int]]:
        """The places of the hosts of each class."""
        key = (*hosts,)
        if key not in self._classes:
            self._classes[key] = places_by_class(hosts, self._attributes)
        return self._classes[key]

    def columns(self, hosts: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The values of each attribute that tells these hosts apart, in their order."""
        key = (*hosts,)
        if key not in self._columns:
            self._columns[key] = attribute_columns(hosts, self._attributes)
        return self._columns[key]


def attribute_columns(hosts: Sequence[str], attributes: Attributes) -> dict[str, list[str]]:
    """The values of each attribute in the order of these hosts, as texts; those that all hosts share are left out."""
    names = dict.fromkeys(name for host in hosts for name in attributes.get(host, {}))
    found = {name: [attribute_text(attributes.get(host, {}).get(name, "")) for host in hosts] for name in names}
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def attribute_text(value: object) -> str:
    """An attribute as people read it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


Row = Mapping[str, Any]
OwnRow = dict[str, Any]
"""A row that nobody else has, so that it may be changed."""
SKIPPED = "skipped"
UNKNOWN = 1 << 62
"""The place of a step that the run has no result of."""


@dataclass(frozen=True, slots=True)
class RunData:
    """The rows of one run, as store/reading/recorded_runs.py returns them; a column that is missing in a row is empty.

    `attributes` has, by host, what the inventory says of it: `rack`, `position`, `role`, `model` and whatever else the
    project records (setting `host_attributes`). `runs` are all runs, the newest first, to compare this one with.
    `judgements` are those of its measurements by other limits, in their order. `plan` is what it was to do, None where
    the store does not know it (analysis/missing_results_and_values.py).
    `results` are the steps that are counted: the instances of a looped step, and not the step itself. `parents` has the
    looped step of each instance, and `places` the place of each step in the order of the recipe.

    The run itself is the host "". `arranged` sorts all rows, fills `results`, `parents` and `places`, and gives each
    measurement its `number`: the value as a float, or NaN. The `value` is exact and of any type. A measurement of an
    instance gets its `planned` step. A row of the context gets the `numbers` inside of its value, with their paths.
    """

    run: Row
    steps: Sequence[Result] = ()
    measurements: Sequence[Row] = ()
    context: Sequence[Row] = ()
    conflicts: Sequence[Row] = ()
    runs: Sequence[Row] = ()
    artifacts: Sequence[Row] = ()
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    judgements: Sequence[Row] = ()
    plan: Mapping[str, Any] | None = None
    results: Sequence[Result] = ()
    parents: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)

    def planned(self, step: str) -> str:
        """The looped step of an instance; any other step itself."""
        return self.parents.get(step, step)

    def place(self, step: str) -> int:
        """The place of a step in the order of the recipe; the instances of a looped step come after it."""
        return self.places.get(step, UNKNOWN)


def all_steps(engine: Engine, run_id: str) -> Sequence[Result]:
    """The rows of `steps` with all that is known of them, in any order. Raises StoreError."""
    return recorded_runs.steps(engine, run_id, in_order=False)


def load_run_data(engine: Engine, run_id: str, steps: Callable[[Engine, str], Sequence[Result]] = all_steps) -> RunData:
    """Read all rows of a run, arranged. Raises UsageError for an unknown run, and StoreError.

    `steps` reads the rows of steps: `judged` and `reported` of `recorded_runs` leave out what no analysis and no report
    looks at, which is most of what there is to read.
    """
    found = RunData(
        run=recorded_runs.run(engine, run_id),
        steps=steps(engine, run_id),
        conflicts=recorded_runs.conflicts(engine, run_id),
        runs=recorded_runs.runs(engine),
        artifacts=recorded_runs.artifacts(engine, run_id),
        attributes=recorded_runs.attributes(engine, run_id),
        judgements=recorded_runs.judgements(engine, run_id),
        plan=recorded_runs.plan(engine, run_id),
    )
    measurements = recorded_runs.measurements(engine, run_id, brief=True)
    return _arranged(found, measurements, recorded_runs.context(engine, run_id, brief=True))


def arrange_run(run: RunData) -> RunData:
    """The same run with hosts in natural order, and steps in the order of the recipe. The given rows do not change."""
    return _arranged(run, [{**row} for row in run.measurements], [{**row} for row in run.context])


def place_steps(run: RunData) -> RunData:
    """The same run with the places of its steps in the order of the recipe; its rows stay as they come."""
    parents = parents_of(run.steps)
    return replace(run, parents=parents, places=step_places(run.steps, {row["step"] for row in run.steps}, parents))


def _arranged(run: RunData, measurements: Sequence[OwnRow], context: Sequence[OwnRow]) -> RunData:
    """The run with these rows, which may be changed: copies of 100,000 take time and memory."""
    parents = parents_of(run.steps)
    parts: tuple[Sequence[Row], ...] = (run.steps, measurements, context, run.conflicts, run.artifacts)
    places = step_places(run.steps, {row["step"] for row in chain(*parts)}, parents)
    hosts = natural_places(row["host"] for row in chain(*parts))

    def ordered[Kind: Row](rows: Sequence[Kind]) -> list[Kind]:
        return in_order_of(rows, [(hosts[row["host"]], places[row["step"]], row.get("n") or 0) for row in rows])

    steps = in_order_of(run.steps, [(hosts[row["host"]], places[row["step"]]) for row in run.steps])
    return replace(
        run,
        steps=steps,
        results=[row for row in steps if not is_looped(row)],
        measurements=ordered(_with_number(measurements, parents)),
        context=in_order_of(add_numbers(context), [(row["key"], hosts[row["host"]]) for row in context]),
        conflicts=sorted(run.conflicts, key=lambda row: (row.get("time") or "", row["key"], hosts[row["host"]])),
        artifacts=ordered(run.artifacts),
        parents=parents,
        places=places,
    )


def mark_cut_off(run: RunData) -> RunData:
    """The run as an analysis sees it: what its end has cut off was not tried, and is marked as `cut_off`."""
    if run.run.get("status") != INTERRUPTED and not run.run.get("group_info"):
        return run
    return replace(run, steps=_not_tried(run.steps), results=_not_tried(run.results))


def _not_tried(rows: Sequence[Result]) -> list[Result]:
    return [{**row, "verdict": SKIPPED, "cut_off": True} if was_cut_off(row) else row for row in rows]


def add_numbers(context: Sequence[OwnRow]) -> Sequence[OwnRow]:
    """Rows of the context, to which the `numbers` inside of their values are added."""
    for row in context:
        row["numbers"] = numbers_in(row.get("value"))
    return context


def _with_number(measurements: Sequence[OwnRow], parents: Mapping[str, str]) -> Sequence[OwnRow]:
    """Measurements, to which the number is added, and for an instance the planned step."""
    for row in measurements:
        row["number"] = number_of(row.get("value"))
    for row in measurements if parents else ():
        if row["step"] in parents:
            row["planned"] = parents[row["step"]]
    return measurements
