# SPDX-License-Identifier: GPL-3.0-or-later

"""Estimates how long a run may take, by what the store says of its steps.

Results that have the cache keys of its steps take no time.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from rack_recipes.errors import StoreError, counted
from rack_recipes.plan.plan_model import Plan, Stage
from rack_recipes.recipe.recipe_model import Step
from rack_recipes.store.database_engine import connect_for_reading
from rack_recipes.store.reading.earlier_runs import RUNS_OF_FORECAST, median_durations, read_cached_results

STORE_TIMEOUT = 2.0  # seconds
Results = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """What the store knows: median seconds of each (step, host) over the last `runs` runs, and cached results by step.

    `problem` says why there is nothing.
    """

    seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    cached: Mapping[str, Results] = field(default_factory=dict)
    problem: str = ""
    runs: int = RUNS_OF_FORECAST

    def source_text(self) -> str:
        """Return a text that says where the durations come from."""
        if self.seconds:
            return f"the steps alone, by the median of each in the last {counted(self.runs, 'run')}"
        return self.problem or "no run of this recipe is in the store yet"


def stored_history_of(db: str, plan: Plan) -> StoredHistory:
    """Return what the store at a URL knows; if it cannot be read, `problem` has the reason."""
    try:
        store = connect_for_reading(db, STORE_TIMEOUT)
    except StoreError as error:
        return StoredHistory(problem=str(error))
    try:
        names = [step.name for step in plan.steps]
        return StoredHistory(median_durations(store, plan.recipe.test_meta.test_id, names), _cached(store, plan))
    except StoreError as error:
        return StoredHistory(problem=str(error))
    finally:
        store.dispose()


def _cached(store: Any, plan: Plan) -> dict[str, Results]:
    """Return the cached results of each step with a cache key, without the expired ones."""
    keys = {step.name: step.cache_key for step in plan.steps if step.cache_key}
    if not keys:
        return {}
    found = read_cached_results(store, {key.key for key in keys.values()})
    return {
        name: [one for one in found if one["key"] == key.key and _is_fresh(one, key.expires_sec)]
        for name, key in keys.items()
    }


def _is_fresh(result: Mapping[str, Any], expires_sec: float | None) -> bool:
    return expires_sec is None or time.time() - datetime.fromisoformat(result["ended"]).timestamp() < expires_sec


Known = Mapping[tuple[str, str], float]  # (step, host) -> seconds
RUN_HOST = ""  # stands for the controller, where steps with `scope: run` run


@dataclass(frozen=True, slots=True)
class ExpectedDuration:
    """A stage, its hosts and its estimated seconds; `unknown` names the steps without a known duration."""

    number: int
    hosts: tuple[str, ...]
    seconds: float
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostSlots:
    """Where the steps would run, and how many at the same time.

    `hosts` has the hosts of each step, none for a step that does not run. `canary` are the hosts that go first. `slots`
    is the number of parallel steps on a host, `forks` the number of hosts at the same time. It does not limit the
    stages whose numbers are in `together`, since one process waits for all of their hosts.
    """

    hosts: Mapping[str, Sequence[str]]
    canary: Sequence[str] = ()
    slots: int = 1
    forks: int = 1
    together: Collection[int] = ()


def forecast(plan: Plan, known: Known, slots: HostSlots) -> list[ExpectedDuration]:
    """Return the expected duration of each stage."""
    return [_expected_duration(plan, stage, known, slots) for stage in plan.stages]


def _expected_duration(plan: Plan, stage: Stage, known: Known, slots: HostSlots) -> ExpectedDuration:
    steps = [step for step in stage.steps if slots.hosts[step.name]]
    where = tuple(dict.fromkeys(host for step in steps for host in slots.hosts[step.name]))
    spread = {host: _seconds_on_host(steps, host, known, slots) for host in where}
    batches = [where] if stage.scope != "host" or stage.wide else batches_of(plan.recipe.serial, where, slots.canary)
    places = len(where) if stage.number in slots.together else slots.forks
    seconds = sum(_parallel_seconds([spread[host] for host in batch], max(1, places)) for batch in batches)
    unknown = tuple(step.name for step in steps if seconds_of(step.name, "", known) is None)
    return ExpectedDuration(stage.number, where, seconds, unknown)


def _seconds_on_host(steps: Sequence[Step], host: str, known: Known, slots: HostSlots) -> float:
    """Return the seconds of steps on a host.

    They run one after the other, but neighbours that are parallel share the slots.
    """
    total, together = 0.0, [0.0]
    for step in steps:
        name = step.name
        seconds = (seconds_of(name, host, known) or 0.0) if host in slots.hosts[name] else 0.0
        if step.parallel:
            together.append(seconds)
        else:
            total += _parallel_seconds(together, slots.slots) + seconds
            together = [0.0]
    return total + _parallel_seconds(together, slots.slots)


def _parallel_seconds(seconds: Sequence[float], places: int) -> float:
    """Return the seconds that jobs take with `places` at the same time: at least the longest, at least the average."""
    return max([0.0, *seconds, sum(seconds) / places])


def seconds_of(step: str, host: str, known: Known) -> float | None:
    """Return the known seconds of a step on a host, else the median of other hosts, else None."""
    if (step, host) in known:
        return known[step, host]
    others = [seconds for (name, _host), seconds in known.items() if name == step]
    return median(others) if others else None


def batches_of(serial: Sequence[int | str], hosts: Sequence[str], canary: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the batches of hosts in Ansible's order: first the canary, then one batch for each size in `serial`."""
    first = tuple(host for host in hosts if host in canary)
    rest = [host for host in hosts if host not in canary]
    found = [first] if first else []
    sizes = _sizes(serial, len(hosts))
    while rest:
        size = next(sizes)
        found.append(tuple(rest[:size]))
        rest = rest[size:]
    return found


def _sizes(serial: Sequence[int | str], number: int) -> Iterator[int]:
    """Yield the sizes of batches for `number` hosts; the last size repeats, and without sizes there is one batch."""
    size = number
    for one in serial:
        text = str(one)
        size = max(1, int(float(text.rstrip("%")) / 100 * number) if text.endswith("%") else int(text))
        yield size
    while True:
        yield size
