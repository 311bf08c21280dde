# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run does not show, held against its plan.

Planned results that nobody has, and values that are empty or lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, RAN
from rack_recipes.analysis.findings import (
    MOST_RESULTS,
    NOTABLE,
    NOTE,
    PROBLEM,
    SHOWN,
    Finding,
    ResultId,
    cap_findings,
    format_count,
)
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import Attributes, Row, RunData, host_class
from rack_recipes.analysis.run_statistics import without_statistics_of_rounds
from rack_recipes.natural_order import natural


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The hosts of each planned step, and the definitions of derived numbers by their names."""

    hosts: Mapping[str, Sequence[str]]
    derived: Mapping[str, Mapping[str, Any]]


def plan_of(run: RunData) -> RunPlan | None:
    """The plan of a run; None where the store does not tell it."""
    return RunPlan(run.plan["steps"], run.plan["derived"]) if run.plan else None


KIND = "evidence"
COUNTED = "counted against the plan of the run; nothing is estimated, so there are no false alarms"
COMPARED = "a value counts as lost where more than half of the hosts that passed the step have it; no rate is known"
RUN = "(run)"  # in sentences, the host of what belongs to the run as a whole
MISSING = "missing"
EMPTY: tuple[Any, ...] = (None, "", [], {})
RAN_AND_PASSED = PASSING & RAN
RUN_AGAIN = "Run the step again on these hosts (`rack-recipes run --resume`), or find out why it was never judged."
READ_LOG = "Read the log of the step on these hosts: it passed, but did not tell this value."
PLAN_LOST = (
    "The plan of this run is not known: the first record of its journal is damaged. So nobody can tell which planned "
    "results are missing, and derived numbers are not shown"
)


class _Place(NamedTuple):
    """A value that is expected: a measurement of a step; or a key that the step sets, or the path of a number in it."""

    step: str
    name: str
    key: str = ""


def findings(run: RunData, _history: History) -> Iterator[Finding]:
    """Yield findings of the kind `evidence`."""
    if run.run.get("journal") and not run.plan:
        yield Finding(KIND, NOTE, PLAN_LOST, method=COUNTED)
    yield from cap_findings([*_without_result(run)])
    yield from cap_findings([*_without_value(run)])


def _without_result(run: RunData) -> Iterator[Finding]:
    have = {(row["host"], row["step"]) for row in run.steps}
    for step, hosts in planned_hosts(run).items():
        if lacking := [host for host in sorted(hosts, key=natural) if (host, step) not in have]:
            yield _no_result(run, step, lacking, len(hosts))


def _no_result(run: RunData, step: str, hosts: Sequence[str], planned: int) -> Finding:
    results = tuple(ResultId(host, step) for host in hosts[:MOST_RESULTS])
    count, where = (
        f"{len(hosts):,} of {format_count(planned, 'planned result')} of {step}",
        first_few(_named(hosts), SHOWN),
    )
    figures = {"missing": len(hosts), "planned": planned}
    if not run.run.get("ended"):
        title = f"The run has not ended: nobody has {count} yet ({where})"
        return Finding(KIND, NOTABLE, title, results, "", figures, {"step": step}, COUNTED)
    title = f"Nobody has {count}: {where}"
    return Finding(KIND, PROBLEM, title, results, RUN_AGAIN, figures, {"step": step}, COUNTED)


def planned_hosts(run: RunData) -> Mapping[str, Sequence[str]]:
    """The hosts of each planned step; empty where nobody knows the plan."""
    plan = plan_of(run)
    return {step: hosts for step, hosts in plan.hosts.items() if hosts} if plan else {}


def _without_value(run: RunData) -> Iterator[Finding]:
    """Values that a step gave on most hosts, and on some of those where it passed not at all, or empty, or as NaN.

    A host that has as many values of the step as its twins has lost none: their names may hold what each host is
    itself, such as the networks of all others. Nor has a host whose twins all have none: servers have no switch ports.
    """
    passed, told = _passed(run), _told(run)
    complete = _complete(told)
    for place, faults in told.items():
        hosts = passed.get(place.step, set())
        if hosts <= faults.keys() and not any(faults.values()):  # as nearly always
            continue
        if place.name != place.key and place.key:
            hosts = hosts & told[_Place(place.step, place.key, place.key)].keys()
        whole = complete[place.step, place.key]
        hosts = {host for host in hosts if host in faults or host not in whole}
        hosts -= _without_any(hosts, faults, run.attributes)
        lost = sorted((host for host in hosts if faults.get(host, MISSING)), key=natural)
        if lost and 2 * (len(hosts) - len(lost)) > len(hosts):
            yield _lost(place, lost, faults, len(hosts))


def _without_any(hosts: Collection[str], faults: Mapping[str, str], attributes: Attributes) -> set[str]:
    """The hosts of each known class that has several of them and no value on any."""
    by_class: dict[str, list[str]] = {}
    for host in hosts:
        by_class.setdefault(host_class(attributes.get(host, {})), []).append(host)
    lacking = [
        own
        for name, own in by_class.items()
        if name and len(own) > 1 and all(faults.get(host, MISSING) for host in own)
    ]
    return {host for own in lacking for host in own}


def _lost(place: _Place, hosts: Sequence[str], faults: Mapping[str, str], of: int) -> Finding:
    states = [f"{host or RUN} ({faults.get(host, MISSING)})" for host in hosts]
    name = place.name if place.key else f"{place.name} of {place.step}"
    where = f"{format_count(len(hosts), 'host')}: {first_few(states, SHOWN)}"
    title = f"{name} is lost on {where}; {of - len(hosts):,} of {of:,} hosts have it"
    results = tuple(ResultId(host, place.step, "" if place.key else place.name) for host in hosts[:MOST_RESULTS])
    about = {"step": place.step, "name": place.name}
    return Finding(KIND, NOTABLE, title, results, READ_LOG, {"lost": len(hosts), "hosts": of}, about, COMPARED)


def _passed(run: RunData) -> Mapping[str, set[str]]:
    """The hosts on which each step ran and passed: elsewhere nobody expects a value."""
    found: dict[str, set[str]] = {}
    for row in run.results:
        if row["verdict"] in RAN_AND_PASSED:
            found.setdefault(row["step"], set()).add(row["host"])
    return found


def _told(run: RunData) -> Mapping[_Place, Mapping[str, str]]:
    """For each value by host what is wrong with it; an empty text where nothing is."""
    found: dict[_Place, dict[str, str]] = {}
    for place, rows in _measured(run).items():
        faults = found[place] = {}
        for row in rows:
            _add(faults, row["host"], row.get("value"))
    parts: dict[tuple[str, str], dict[str, dict[str, str]]] = {}  # by step and key, then by the path in the value
    for row in run.context:
        step, key, host = row["step"], row["key"], row["host"]
        paths = parts.setdefault((step, key), {})
        for path, value in (("", row["value"]), *row["numbers"]):
            if path not in paths:
                if "[" in path:  # lists may have different lengths
                    continue
                paths[path] = found.setdefault(_Place(step, f"{key}{path}", key), {})
            _add(paths[path], host, value)
    return found


def _add(faults: dict[str, str], host: str, value: object) -> None:
    """Add the value of a host; of several values of one name, one without a fault is enough."""
    fault = fault_of(value)
    faults[host] = fault and faults.get(host, fault)


def _complete(told: Mapping[_Place, Mapping[str, str]]) -> Mapping[tuple[str, str], set[str]]:
    """By step and key the hosts that have as many values as half of the hosts, or more."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for place, faults in told.items():
        counts.setdefault((place.step, place.key), Counter()).update(faults.keys())
    half = {group: median(of.values()) for group, of in counts.items()}
    return {group: {host for host, count in of.items() if count >= half[group]} for group, of in counts.items()}


def _measured(run: RunData) -> Mapping[_Place, Sequence[Row]]:
    """The measurements by their place, in order; there are many values of each."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in without_statistics_of_rounds(run):
        found.setdefault((row["step"], row["name"]), []).append(row)
    return {_Place(*place): rows for place, rows in found.items()}


def fault_of(value: object) -> str:
    """What is wrong with a value: `empty`, `not a finite number`, or nothing."""
    if isinstance(value, float):
        return "" if isfinite(value) else "not a finite number"
    return "empty" if value in EMPTY else ""


def _named(hosts: Iterable[str]) -> list[str]:
    return [host or RUN for host in hosts]
