# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of a run that failed, where they were judged at all, and what each of them blocked."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from rack_recipes.analysis.findings import ResultId
from rack_recipes.analysis.run_data import RunData
from rack_recipes.journal.step_results_and_end_status import was_cut_off

BLOCKED = "blocked"
CONTROLLER = "the controller"  # stands for the host of a step that runs once for the run
# How the reason of a blocked result names what blocked it.
REASONS = (
    re.compile(r"fail_fast: (?P<step>.+) did not pass on (?P<host>the controller|\S+)"),
    re.compile(r"canary (?P<host>\S+) did not pass"),
    re.compile(r"(?P<step>.+) did not pass \(\w+\)"),
)

Place = tuple[str, str]  # host and planned step


@dataclass(frozen=True, slots=True)
class Result:
    """One result that failed. `planned` is its step, or the step whose instance it is."""

    host: str
    step: str
    planned: str
    verdict: str

    @property
    def id(self) -> ResultId:
        """Its name in findings."""
        return ResultId(self.host, self.step)


@dataclass(frozen=True, slots=True)
class Failures:
    """What failed in a run; instances stand for their looped step, and skipped steps are left out.

    `judged` has, by planned step, the hosts on which it passed or failed, and `hosts_failed` those on which it failed.
    `counts` is the number of results of each host that passed or failed. `blocked` has the results that are blocked by
    those of a host and a planned step.
    """

    failed: tuple[Result, ...]
    judged: Mapping[str, frozenset[str]]
    hosts_failed: Mapping[str, frozenset[str]]
    counts: Mapping[str, int]
    blocked: Mapping[Place, tuple[ResultId, ...]]

    @property
    def hosts(self) -> frozenset[str]:
        """All hosts with a result that passed or failed."""
        return frozenset(self.counts)

    def blocked_by(self, results: Iterable[Result]) -> list[ResultId]:
        """The results that these block, each once."""
        places = dict.fromkeys((result.host, result.planned) for result in results)
        return [*dict.fromkeys(one for place in places for one in self.blocked.get(place, ()))]


def failures_of(run: RunData) -> Failures:
    """Sort the results of a run into failed, judged and blocked."""
    rows = [row for row in run.steps if not row.get("instances")]
    tried = [row for row in rows if row["verdict"] not in NOT_TRIED and not was_cut_off(row)]
    counts = Counter(row["host"] for row in tried if row["host"])
    failed = tuple(
        Result(row["host"], row["step"], planned(row), row["verdict"]) for row in tried if row["verdict"] not in PASSING
    )
    blocked = _blocked(run.steps, {(result.host, result.planned) for result in failed})
    hosts_failed = _gathered((result.planned, result.host) for result in failed)
    judged = _gathered((row.get("parent") or row["step"], row["host"]) for row in tried)
    return Failures(failed, judged, hosts_failed, counts, blocked)


def planned(row: Mapping[str, Any]) -> str:
    """The step that a row of `steps` belongs to in the recipe."""
    return str(row.get("parent") or row["step"])


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """By step, its hosts; none where it ran once for the run."""
    found: dict[str, set[str]] = defaultdict(set)
    for step, host in pairs:
        hosts = found[step]
        if host:
            hosts.add(host)
    return {step: frozenset(hosts) for step, hosts in found.items()}


def _blocked(steps: Sequence[Mapping[str, Any]], failed: set[Place]) -> dict[Place, tuple[ResultId, ...]]:
    blocked = {(row["host"], row["step"]): row for row in steps if row["verdict"] == BLOCKED}
    by_step, by_host = defaultdict(list), defaultdict(list)
    for host, step in sorted(failed):
        by_step[step].append((host, step))
        by_host[host].append((host, step))

    def blocker(place: Place) -> Place | None:
        seen: set[Place] = set()
        while place in blocked and place not in seen:
            seen.add(place)
            host, step = _named(place, blocked[place].get("reason") or "")
            if not step:  # a canary: whatever failed there
                return next(iter(by_host[host]), None)
            place = host, step
        return place if place in failed else next(iter(by_step[place[1]]), None)

    found: dict[Place, list[ResultId]] = defaultdict(list)
    for place, row in blocked.items():
        origin = None if row.get("instances") else blocker(place)
        if origin is not None:
            found[origin].append(ResultId(*place))
    return {place: tuple(results) for place, results in found.items()}


def _named(place: Place, reason: str) -> Place:
    """The host and the step that a reason names; the step is empty for a canary, and for a reason of another kind."""
    found = next(filter(None, (pattern.fullmatch(reason) for pattern in REASONS)), None)
    if found is None:
        return place[0], ""
    named = found.groupdict()
    host = named.get("host", place[0])
    return "" if host == CONTROLLER else host, named.get("step", "")
