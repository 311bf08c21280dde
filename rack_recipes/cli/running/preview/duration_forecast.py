# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Estimates how long a run may take, from the durations of its steps in earlier runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rack_recipes.plan.plan_model import Plan, PlannedStep, Stage

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
    is the number of parallel steps on a host, `forks` the number of hosts at the same time.
    """

    hosts: Mapping[str, Sequence[str]]
    canary: Sequence[str] = ()
    slots: int = 1
    forks: int = 1


def forecast(plan: Plan, known: Known, slots: HostSlots) -> list[ExpectedDuration]:
    """Return the expected duration of each stage."""
    return [_expected_duration(plan, stage, known, slots) for stage in plan.stages]


def _expected_duration(plan: Plan, stage: Stage, known: Known, slots: HostSlots) -> ExpectedDuration:
    steps = [planned for planned in stage.steps if slots.hosts[planned.step.name]]
    where = tuple(dict.fromkeys(host for planned in steps for host in slots.hosts[planned.step.name]))
    spread = {host: _seconds_on_host(steps, host, known, slots) for host in where}
    batches = [where] if stage.scope == "run" or stage.wide else batches_of(plan.recipe.serial, where, slots.canary)
    seconds = sum(_parallel_seconds([spread[host] for host in batch], slots.forks) for batch in batches)
    unknown = tuple(planned.step.name for planned in steps if seconds_of(planned.step.name, "", known) is None)
    return ExpectedDuration(stage.number, where, seconds, unknown)


def _seconds_on_host(steps: Sequence[PlannedStep], host: str, known: Known, slots: HostSlots) -> float:
    """Return the seconds of steps on a host.

    They run one after the other, but neighbours that are parallel share the slots.
    """
    total, together = 0.0, [0.0]
    for planned in steps:
        name = planned.step.name
        seconds = (seconds_of(name, host, known) or 0.0) if host in slots.hosts[name] else 0.0
        if planned.step.parallel:
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
