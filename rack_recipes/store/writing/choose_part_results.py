# SPDX-License-Identifier: GPL-3.0-or-later

"""A run in several parts: what the parts were to do, which result of a host counts, and what is missing.

Each controller of a group is a part, a run with a journal and rows of its own. The run of the group is made of their
rows. What is here knows no database.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.journal.step_results_and_end_status import INTERRUPTED
from rack_recipes.store.result import Result, is_assumed, planned_step
from rack_recipes.store.stored_plan import unpack_plan

RUNNING, EMPTY, DIED = "running", "empty", "died"  # what a part can be, beside how it ended
GROUP_STEP = "parts of the group"  # no step of a recipe can have this name: it has blanks
IN_NO_PART = "missing: no part of the group had this host"
NAMED = 5  # hosts in a sentence

Plan = Mapping[str, frozenset[str]]  # the hosts of each step


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a group, from its row in `runs`.

    `plan` has its own hosts by step, `whole` those of the whole inventory, as far as this part knew it. `expected` is
    how many parts there are to be, 0 where nobody said so. `ended` is empty while it runs.
    """

    run_id: str
    name: str
    controller: str = ""
    started: str = ""
    ended: str = ""
    status: str = RUNNING
    has_counts: bool = False
    digest: str = ""
    expected: int = 0
    plan: Plan = field(default_factory=dict)
    whole: Plan = field(default_factory=dict)

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that it was to test."""
        return frozenset().union(*self.plan.values()) - {""}

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return bool(self.ended)

    def state(self, *, is_finished: bool) -> str:
        """What people are told of it. Where the group is finished, a part that has not ended has died."""
        if not self.is_over:
            return DIED if is_finished else RUNNING
        if not self.plan:
            return EMPTY
        return DIED if self.status == INTERRUPTED and not self.has_counts else self.status


def part_of(row: Mapping[str, Any], plan: Mapping[str, object] | None) -> Part:
    """The part of a decoded row of `runs`; `plan` is its decoded column `plan`."""
    info = row["group_info"]
    return Part(
        row["run_id"],
        row["part"],
        row["controller"] or "",
        row["started"] or "",
        row["ended"] or "",
        row["status"],
        bool(row["counts"]),
        row["digest"] or "",
        int(info.get("parts") or 0),
        _sets(plan),
        _sets(info.get("whole")),
    )


def _sets(packed: Mapping[str, object] | None) -> Plan:
    steps = unpack_plan(packed)["steps"] if packed else {}
    return {name: frozenset(hosts) for name, hosts in steps.items() if hosts}


@dataclass(frozen=True, slots=True)
class Group:
    """The parts of a group, in the order in which they began.

    `finished` is when somebody said that no more parts come, empty where nobody did. `named` are hosts that must be in
    a part, too: where each part has an inventory of its own, none of them knows the others' hosts.
    """

    run_id: str
    parts: Sequence[Part]
    finished: str = ""
    named: Sequence[str] = ()

    @property
    def expected(self) -> int:
        """How many parts there are to be, 0 where nobody said so."""
        return max((part.expected for part in self.parts), default=0)

    @property
    def are_all_here(self) -> bool:
        """Whether all parts that are expected have begun; where nobody said how many, those that have begun are all."""
        return bool(self.parts) and len(self.parts) >= self.expected

    @property
    def is_running(self) -> bool:
        """Whether a part goes on, as far as is known."""
        return not self.finished and any(not part.is_over for part in self.parts)

    def whole(self) -> dict[str, frozenset[str]]:
        """The hosts of each step over the whole inventory, as far as the parts knew it."""
        found: dict[str, frozenset[str]] = {}
        for plan in (plan for part in self.parts for plan in (part.whole, part.plan)):
            for step, hosts in plan.items():
                found[step] = found.get(step, frozenset()) | hosts
        return found

    def missing_hosts(self) -> list[str]:
        """The hosts that are in no part."""
        known = frozenset(self.named).union(*self.whole().values())
        return sorted(known.difference({""}, *(part.hosts for part in self.parts)))

    def several(self) -> dict[str, list[Part]]:
        """The hosts that are in more than one part, each with its parts."""
        found: dict[str, list[Part]] = defaultdict(list)
        for part in self.parts:
            for host in part.hosts:
                found[host].append(part)
        return {host: parts for host, parts in sorted(found.items()) if len(parts) > 1}

    def problems(self) -> Iterator[str]:
        """What is wrong with the group as a whole, so that it cannot have passed."""
        if not self.is_running and not self.are_all_here:
            yield f"{len(self.parts)} of {self.expected} parts have come: nobody knows what became of the others"
        if len({part.digest for part in self.parts if part.digest}) > 1:
            yield "the parts did not run the same recipe: give each recipe a group of its own"

    def to_info(self) -> dict[str, Any]:
        """What the row of the group says of its parts, as JSON."""
        return {
            "told": [self._told(part) for part in self.parts],
            "expected": self.expected,
            "missing": self.missing_hosts(),
            "problems": [*self.problems()],
            "finished": self.finished,
            "named": [*self.named],
        }

    def _told(self, part: Part) -> dict[str, Any]:
        state = part.state(is_finished=bool(self.finished))
        about = {"run": part.run_id, "part": part.name, "controller": part.controller, "state": state}
        return {**about, "hosts": len(part.hosts), "note": "; ".join(self._notes(part, state))}

    def _notes(self, part: Part, state: str) -> Iterator[str]:
        if state == EMPTY:
            yield "no host of its inventory matched"
        if state == DIED:
            yield "its controller ended without a word"
        if self.finished and part.started > self.finished:
            yield "late: it began after the group was finished"
        elif self.finished and part.ended > self.finished:
            yield "late: it ended after the group was finished"
        twice = [host for host, parts in self.several().items() if parts[-1] is part]
        if twice:
            yield f"hosts of an earlier part again: {first_few(twice, NAMED)}; what this part says of them counts"


def choose_results(parts: Iterable[str], results: Mapping[str, Sequence[Result]]) -> dict[str, dict[str, list[Result]]]:
    """The results that count, by the id of the part and by host; `parts` are in the order in which they began.

    The rule is that of the journal (`journal/step_results_and_end_status.py`): of several results of a step on a host
    the last one counts, but the host's own result wins over one that was only assumed, whichever came first.
    """
    best: dict[tuple[str, str], tuple[bool, str]] = {}
    for part in parts:
        for (host, root), is_sure in _sureness(results[part]).items():
            before = best.get((host, root))
            if before is None or is_sure or not before[0]:
                best[host, root] = (is_sure, part)
    chosen: dict[str, dict[str, list[Result]]] = {part: defaultdict(list) for part in results}
    for part, rows in results.items():
        for row in rows:
            if best[row["host"], planned_step(row)][1] == part:
                chosen[part][row["host"]].append(row)
    return chosen


def _sureness(rows: Iterable[Result]) -> dict[tuple[str, str], bool]:
    """For each host and step whether the part has a result of the host itself."""
    found: dict[tuple[str, str], bool] = {}
    for row in rows:
        place = (row["host"], planned_step(row))
        found[place] = found.get(place, False) or not is_assumed(row)
    return found


class Missing(NamedTuple):
    """A step on a host without any result, and why there is none."""

    step: str
    host: str
    reason: str


def missing_results(group: Group, chosen: Mapping[str, Mapping[str, Sequence[Result]]]) -> Iterator[Missing]:
    """The steps that were to run on a host, have no result, and will get none as far as is known."""
    have = {(planned_step(row), row["host"]) for hosts in chosen.values() for rows in hosts.values() for row in rows}
    planned: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for part in group.parts:
        for step, hosts in part.plan.items():
            for host in hosts:
                planned[step, host].append(part)
    whole = group.whole()
    for step, hosts in whole.items():
        for host in sorted(hosts):
            reason = "" if (step, host) in have else _reason(planned.get((step, host), ()), group)
            if reason:
                yield Missing(step, host, reason)
    for host in sorted(set(group.missing_hosts()).difference(*whole.values())):
        yield Missing(GROUP_STEP, host, IN_NO_PART)


def _reason(parts: Sequence[Part], group: Group) -> str:
    """Why there is no result, empty where one may still come."""
    if not parts:
        return IN_NO_PART
    if any(not part.is_over for part in parts) and not group.finished:
        return ""
    part = parts[-1]
    state = part.state(is_finished=bool(group.finished))
    why = "its controller ended without a word" if state == DIED else f"it ended as {state}"
    return f"no result came of part {part.name} ({part.controller}): {why}"


def counts_of(rows: Iterable[tuple[str, int | None]]) -> dict[str, int]:
    """How many results have each verdict; `rows` have a verdict and the number of instances of a looped step."""
    return dict(sorted(Counter(verdict for verdict, instances in rows if not instances).items()))
