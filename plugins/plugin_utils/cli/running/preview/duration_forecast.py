# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a run may take, by what its steps took before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from ansible_collections.rack.recipes.plugins.plugin_utils.plan.plan_model import Plan, PlannedStep, Stage

Known = Mapping[tuple[str, str], float]  # (step, host) -> seconds

RUN_HOST = ""  # the host of what runs once for the run


@dataclass(frozen=True, slots=True)
class ExpectedDuration:
    """A stage, the hosts that it would run on, and the seconds that it may take; `unknown` names steps never run."""

    number: int
    hosts: tuple[str, ...]
    seconds: float
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostSlots:
    """Where a run would be, and how much of it at once: slots of a host, forks.

    `hosts` has those of each step, none where it does not run, `canary` those that go first.
    """

    hosts: Mapping[str, Sequence[str]]
    canary: Sequence[str] = ()
    slots: int = 1
    forks: int = 1


def forecast(plan: Plan, known: Known, slots: HostSlots) -> list[ExpectedDuration]:
    """What to expect of each stage."""
    return [_expected(plan, stage, known, slots) for stage in plan.stages]


def _expected(plan: Plan, stage: Stage, known: Known, slots: HostSlots) -> ExpectedDuration:
    steps = [planned for planned in stage.steps if slots.hosts[planned.step.name]]
    where = tuple(dict.fromkeys(host for planned in steps for host in slots.hosts[planned.step.name]))
    spread = {host: _on_host(steps, host, known, slots) for host in where}
    batches = [where] if stage.scope == "run" or stage.wide else batches_of(plan.recipe.serial, where, slots.canary)
    seconds = sum(_at_once([spread[host] for host in batch], slots.forks) for batch in batches)
    unknown = tuple(planned.step.name for planned in steps if seconds_of(planned.step.name, "", known) is None)
    return ExpectedDuration(stage.number, where, seconds, unknown)


def _on_host(steps: Sequence[PlannedStep], host: str, known: Known, slots: HostSlots) -> float:
    """One step after the other; those that stand together and are parallel share the slots."""
    total, together = 0.0, [0.0]
    for planned in steps:
        name = planned.step.name
        seconds = (seconds_of(name, host, known) or 0.0) if host in slots.hosts[name] else 0.0
        if planned.step.parallel:
            together.append(seconds)
        else:
            total += _at_once(together, slots.slots) + seconds
            together = [0.0]
    return total + _at_once(together, slots.slots)


def _at_once(seconds: Sequence[float], places: int) -> float:
    """How long jobs take, so many at once: no less than the longest one, and than their fair share."""
    return max([0.0, *seconds, sum(seconds) / places])


def seconds_of(step: str, host: str, known: Known) -> float | None:
    """What the step took on the host, or else on others; None where it was never run."""
    if (step, host) in known:
        return known[step, host]
    others = [seconds for (name, _host), seconds in known.items() if name == step]
    return median(others) if others else None


def batches_of(serial: Sequence[int | str], hosts: Sequence[str], canary: Sequence[str]) -> list[tuple[str, ...]]:
    """The hosts that go together, as Ansible has it: the canary first, then a batch for each size of `serial`."""
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
    """The sizes of batches for so many hosts, the last one for ever; all at once without any."""
    size = number
    for one in serial:
        text = str(one)
        size = max(1, int(float(text.rstrip("%")) / 100 * number) if text.endswith("%") else int(text))
        yield size
    while True:
        yield size
