# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of a run that failed, where they were judged at all, and what each of them blocked."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from rack_recipes.analysis.findings import ResultId
from rack_recipes.analysis.run_data import RunData
from rack_recipes.journal.step_results_and_end_status import was_cut_off
from rack_recipes.store.result import Result, is_looped, planned_step

BLOCKED, UNREACHABLE = "blocked", "unreachable"
CONTROLLER = "the controller"  # stands for the host of a step that runs once for the run
# How the reason of a blocked result names what blocked it.
REASONS = (
    re.compile(r"fail_fast: (?P<step>.+) did not pass on (?P<host>the controller|\S+)"),
    re.compile(r"canary (?P<host>\S+) did not pass"),
    re.compile(r"(?P<step>.+) did not pass \(\w+\)"),
)

REFUSED = "{} answers, and refuses the login: see ansible_user, and ansible_ssh_private_key_file or ssh-agent."
# What ssh says where the host itself may be well, with what to do.
NOT_LET_IN = {
    "verification failed": "{} answers with a host key that is not known here: log in once by `ssh` and compare it.",
    "Could not resolve": "The name {} is not found: correct it, or set ansible_host in the inventory.",
    "Permission denied": REFUSED,
    "Too many authentication failures": REFUSED,
}
AWAY = "{} cannot be reached: check its power, its management link and its address."


def advice_on_way_to(host: str, reason: str) -> str:
    """What to do about a host that nobody can log in to, but that may be well; empty for any other reason."""
    return next((advice.format(host) for said, advice in NOT_LET_IN.items() if said in reason), "")


@dataclass(frozen=True, slots=True)
class Failures:
    """What failed in a run; instances stand for their looped step, and skipped steps are left out.

    `parents` has the planned step of each instance that failed, and `unreachable` the results without an answer, with
    their reasons.
    `judged` has, by planned step, the hosts on which it passed or failed, and `hosts_failed` those on which it failed.
    `counts` is the number of results of each host that passed or failed. `blocked` has the results that are blocked by
    those of a host and a planned step.
    """

    failed: tuple[ResultId, ...]
    parents: Mapping[str, str]
    unreachable: Mapping[ResultId, str]
    judged: Mapping[str, frozenset[str]]
    hosts_failed: Mapping[str, frozenset[str]]
    counts: Mapping[str, int]
    blocked: Mapping[ResultId, tuple[ResultId, ...]]

    @property
    def hosts(self) -> frozenset[str]:
        """All hosts with a result that passed or failed."""
        return frozenset(self.counts)

    def planned(self, result: ResultId) -> str:
        """The step of a result in the recipe: its own, or the looped one whose instance it is."""
        return self.parents.get(result.step, result.step)

    def blocked_by(self, results: Iterable[ResultId]) -> list[ResultId]:
        """The results that these block, each once."""
        places = dict.fromkeys(ResultId(result.host, self.planned(result)) for result in results)
        return [*dict.fromkeys(one for place in places for one in self.blocked.get(place, ()))]


def failures_of(run: RunData) -> Failures:
    """Sort the results of a run into failed, judged and blocked."""
    rows = [row for row in run.steps if not is_looped(row)]
    tried = [row for row in rows if row["verdict"] not in NOT_TRIED and not was_cut_off(row)]
    counts = Counter(row["host"] for row in tried if row["host"])
    bad = [row for row in tried if row["verdict"] not in PASSING]
    return Failures(
        failed=tuple(ResultId(row["host"], row["step"]) for row in bad),
        parents={row["step"]: parent for row in bad if (parent := row.get("parent"))},
        unreachable={
            ResultId(row["host"], row["step"]): row.get("reason") or "" for row in bad if row["verdict"] == UNREACHABLE
        },
        judged=_hosts_by_step(tried),
        hosts_failed=_hosts_by_step(bad),
        counts=counts,
        blocked=_blocked(run.steps, {ResultId(row["host"], planned_step(row)) for row in bad}),
    )


def is_of_search(row: Result) -> bool:
    """Whether a result is that of a test which a search between hosts has asked for, and which it explains."""
    return bool(row.get("members")) and ", " in (row.get("phase") or "")


def _hosts_by_step(rows: Iterable[Result]) -> dict[str, frozenset[str]]:
    """By planned step, its hosts; none where it ran once for the run."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[planned_step(row)].add(row["host"])
    return {step: frozenset(hosts - {""}) for step, hosts in found.items()}


def _blocked(steps: Sequence[Result], failed: set[ResultId]) -> dict[ResultId, tuple[ResultId, ...]]:
    blocked = {ResultId(row["host"], row["step"]): row for row in steps if row["verdict"] == BLOCKED}
    by_step, by_host = defaultdict(list), defaultdict(list)
    for result in sorted(failed):
        by_step[result.step].append(result)
        by_host[result.host].append(result)

    def blocker(result: ResultId) -> ResultId | None:
        seen: set[ResultId] = set()
        while result in blocked and result not in seen:
            seen.add(result)
            result = _named(result, blocked[result].get("reason") or "")
            if not result.step:  # a canary: whatever failed there
                return next(iter(by_host[result.host]), None)
        return result if result in failed else next(iter(by_step[result.step]), None)

    found: dict[ResultId, list[ResultId]] = defaultdict(list)
    for result, row in blocked.items():
        origin = None if row.get("instances") else blocker(result)
        if origin is not None:
            found[origin].append(result)
    return {origin: tuple(results) for origin, results in found.items()}


def _named(result: ResultId, reason: str) -> ResultId:
    """The host and the step that a reason names; the step is empty for a canary, and for a reason of another kind."""
    found = next(filter(None, (pattern.fullmatch(reason) for pattern in REASONS)), None)
    if found is None:
        return ResultId(result.host, "")
    named = found.groupdict()
    host = named.get("host", result.host)
    return ResultId("" if host == CONTROLLER else host, named.get("step", ""))
