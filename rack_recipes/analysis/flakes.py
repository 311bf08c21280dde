# SPDX-License-Identifier: GPL-3.0-or-later

"""Flakes: results that differ from try to try, or from run to run, with the same inputs.

How often they fail, and whether they belong in quarantine.

Retries are not independent of each other, so runs are counted, and each run once: it counts as failed if its first try
failed. Looked at are the results that failed or were retried in this run, and those that did so in several earlier
runs: what is said follows from the results alone, and not from who has analysed which of these runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import WAIVED
from rack_recipes.analysis.failed_and_blocked_results import CONTROLLER
from rack_recipes.analysis.findings import MOST_RESULTS, NOTABLE, NOTE, PROBLEM, SHOWN, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.methods.intervals_and_multiple_tests import (
    CONFIDENCE,
    clopper_pearson,
    passes_to_lift,
    wilson,
)
from rack_recipes.analysis.methods.intervals_and_multiple_tests import is_broken as is_more_than_chance
from rack_recipes.analysis.run_data import RunData
from rack_recipes.natural_order import natural
from rack_recipes.store.reading import several_runs
from rack_recipes.store.reading.earlier_runs import earlier_runs, runs_within
from rack_recipes.store.result import Result

LEAST_EPISODES = 2


@dataclass(frozen=True, slots=True)
class Flake:
    """A result that is a flake: in how many `runs` its first try failed, and how it ended lately.

    `episodes` are stretches of failed runs, and runs that passed after a retry: a fault that is repaired is one.
    `failures_in_a_row` and `passes_in_a_row` are those of the last runs; one of them is 0.
    """

    failed: int
    runs: int
    episodes: int
    failures_in_a_row: int
    passes_in_a_row: int


def flake_of(results: Sequence[Result]) -> Flake | None:
    """What the results of one step on one host say, the oldest first; None where they are no flake.

    A flake passed after a retry, or it failed, passed and failed again with the same inputs. Only runs with such inputs
    count. One stretch of failures is no flake: the inputs do not say what became of the hardware meanwhile.
    """
    ends: dict[str, set[bool]] = defaultdict(set)
    for row in results:
        if row.get("inputs"):
            ends[row["inputs"] or ""].add(_has_passed(row))
    mixed = {inputs for inputs, both in ends.items() if len(both) > 1}
    mixed |= {row.get("inputs") or "" for row in results if row.get("flake")}
    counted = [row for row in results if (row.get("inputs") or "") in mixed]
    episodes = _episodes(counted)
    if episodes < LEAST_EPISODES and not any(row.get("flake") for row in counted):
        return None
    failures = _last_in_a_row(not _has_passed(row) for row in reversed(counted))
    passes = _last_in_a_row(_is_clean(row) for row in reversed(counted))
    return Flake(sum(not _is_clean(row) for row in counted), len(counted), episodes, failures, passes)


def _has_passed(row: Result) -> bool:
    return row["verdict"] in PASSED


def _is_clean(row: Result) -> bool:
    """Whether the first try passed."""
    return _has_passed(row) and not row.get("flake")


def _episodes(results: Sequence[Result]) -> int:
    """How often it began to fail, or failed only at first."""
    before = [True, *map(_has_passed, results)]
    begins = sum(earlier and not _has_passed(row) for earlier, row in zip(before, results, strict=False))
    return begins + sum(bool(row.get("flake")) for row in results)


def _last_in_a_row(newest_first: Iterable[bool]) -> int:
    count = 0
    for hit in newest_first:
        if not hit:
            break
        count += 1
    return count


ACCEPTED = 0.01
"""Quarantine where even the low end of the rate (Clopper-Pearson) is above this: one run in a hundred."""
LEAST = 3  # times that it began to fail, for a quarantine: two may be two faults
MOST_RATE = 0.5  # for the passes that end a quarantine: one that nearly always fails is broken
METHOD = (
    "runs with the same inputs (by their digest), each counted once; shown: Wilson interval; quarantine and its end "
    f"decided by Clopper-Pearson at {CONFIDENCE:.0%}"
)


def passes_needed(flake: Flake) -> int:
    """The passes in a row that end a quarantine."""
    return passes_to_lift(min(flake.failed / flake.runs, MOST_RATE))


def is_broken(flake: Flake) -> bool:
    """Whether it failed so often in a row that its earlier rate, at most, hardly explains that."""
    before = flake.runs - flake.failures_in_a_row
    if not flake.failures_in_a_row or not before:
        return False
    highest = clopper_pearson(flake.failed - flake.failures_in_a_row, before).high
    return is_more_than_chance(flake.failures_in_a_row, highest)


def is_for_quarantine(flake: Flake) -> bool:
    """Whether it is sure that this is more than one bad day."""
    return flake.episodes >= LEAST and clopper_pearson(flake.failed, flake.runs).low > ACCEPTED


def flake_finding(step: str, hosts: Sequence[str], flake: Flake, *, has_failed: bool) -> Finding:
    """What is said of a flake of a step, on hosts that are alike; `has_failed` tells whether it failed in this run."""
    grade, title, advice = _said(f"{step} on {first_few([host or CONTROLLER for host in hosts], SHOWN)}", flake)
    if grade == NOTABLE and not has_failed and not is_for_quarantine(flake):
        grade = NOTE  # behind what did not pass
    shown, sure = wilson(flake.failed, flake.runs), clopper_pearson(flake.failed, flake.runs)
    figures = {
        "failed": flake.failed, "runs": flake.runs, "episodes": flake.episodes, "rate": flake.failed / flake.runs,
        "wilson": [*shown], "clopper_pearson": [*sure],
        "passes_in_a_row": flake.passes_in_a_row, "passes_needed": passes_needed(flake),
    }  # fmt: skip
    about = {"step": step, "quarantine": is_for_quarantine(flake) and not is_broken(flake)}
    about |= {"host": hosts[0]} if len(hosts) == 1 else {}
    results = tuple(ResultId(host, step) for host in hosts[:MOST_RESULTS])
    explains = len(hosts) if has_failed else 0
    return Finding(KIND, grade, title, results, advice, figures, about, METHOD, explains=explains)


def _said(name: str, flake: Flake) -> tuple[str, str, str]:
    """The grade, the title and the advice."""
    again, row = "with the same inputs", flake.passes_in_a_row
    low, high = wilson(flake.failed, flake.runs)
    rate = f"{flake.failed} of {flake.runs} runs failed at the first try {again} ({low:.0%} to {high:.0%} of runs)"
    if is_broken(flake):
        failures = flake.failures_in_a_row
        title = f"{name} is no flake any more: it failed in the last {failures} runs {again}"
        return PROBLEM, title, "Treat it as broken, its rate does not explain that: what changed since it last passed?"
    if row >= passes_needed(flake):
        title = f"{name} is no flake any more: it passed at the first try in the last {row} runs"
        return NOTE, title, "End its quarantine."
    if is_for_quarantine(flake):
        wait = f"until it has passed at the first try in {passes_needed(flake)} runs in a row; so far {row}"
        return (
            NOTABLE,
            f"{name} is a flake: {rate}",
            f"Rule out what it tests, then put it under quarantine (it still runs) {wait}.",
        )
    if flake.runs == 1:
        return NOTABLE, f"{name} passed only after a retry", "Watch it: there is no earlier run with the same inputs."
    return (
        NOTABLE,
        f"{name} may be a flake: {rate}",
        "Watch it: so far this can also be a fault that comes and goes, or several.",
    )


KIND = "flake"
LENGTH = 100  # earlier runs: 29 passes in a row end a quarantine at a rate of 10 %
MOST_FLAKES = 50  # findings; the rest is counted
MOST_LOOKED_AT = (
    500_000  # results of earlier runs in which flakes are searched: reading them takes a quarter of a second
)
MOST_PLACES = 2000  # results of one run that are looked up in earlier ones
FAILED = frozenset(("failed", "error"))
BAD = FAILED | {WAIVED}  # a waived failure is one all the same: otherwise no quarantine would count what fails in it
PASSED = frozenset(("passed", "marginal"))


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """The flakes of a run, those that fail most often first."""
    runs = earlier_runs(run.run, run.runs, LENGTH)
    earlier = [row["run_id"] for row in runs]
    now = dict.fromkeys(_bad_now(run))
    looked_at = [row["run_id"] for row in runs_within(MOST_LOOKED_AT, runs)] if _has_inputs(run) else ()
    places = _places(run, now, several_runs.failed_again(history.engine, looked_at, BAD, LEAST) if looked_at else ())
    outcomes = _outcomes(run, history, earlier, places)
    found = [(place, flake_of(outcomes[place])) for place in places]
    flakes = [
        (place, flake) for place, flake in found if flake is not None and (place in now or flake.episodes >= LEAST)
    ]
    if flakes:
        yield from _told_of(run, flakes)


def _told_of(run: RunData, flakes: list[tuple[several_runs.HostStep, Flake]]) -> Iterator[Finding]:
    flakes.sort(key=lambda one: (-one[1].failed / one[1].runs, natural(one[0][0]), one[0][1]))
    failed = {(row["host"], row["step"]) for row in run.steps if row["verdict"] in FAILED}
    alike: dict[tuple[str, Flake, bool, str], list[str]] = {}
    for (host, step), flake in flakes:
        alone = host if is_for_quarantine(flake) or is_broken(flake) else ""  # each host has its own quarantine
        alike.setdefault((step, flake, (host, step) in failed, alone), []).append(host)
    told = [*alike.items()]
    for (step, flake, has_failed, _alone), hosts in told[:MOST_FLAKES]:
        yield flake_finding(step, hosts, flake, has_failed=has_failed)
    rest = [ResultId(host, step) for (step, *_flake), hosts in told[MOST_FLAKES:] for host in hosts]
    if rest:
        yield Finding(KIND, NOTABLE, f"{len(rest)} more results are flakes", tuple(rest), method=METHOD)


def _has_inputs(run: RunData) -> bool:
    """Whether anything can be a flake: without a digest of inputs nothing is."""
    return any(row.get("inputs") for row in run.steps)


def _bad_now(run: RunData) -> Iterator[several_runs.HostStep]:
    """The results that were retried in this run or failed, the former first."""
    yield from ((row["host"], row["step"]) for row in run.steps if row.get("flake") and not row.get("instances"))
    yield from ((row["host"], row["step"]) for row in run.steps if row["verdict"] in BAD and row.get("inputs"))


def _places(
    run: RunData, now: Iterable[several_runs.HostStep], before: Sequence[several_runs.HostStep]
) -> list[several_runs.HostStep]:
    """The results that may be flakes: those that are bad now, and those of this run that were bad before."""
    found = dict.fromkeys([*now, *sorted(before)])
    present = {(row["host"], row["step"]) for row in run.steps if not row.get("instances")} if found else ()
    return [place for place in found if place in present][:MOST_PLACES]


def _outcomes(
    run: RunData, history: History, earlier: Sequence[str], places: Sequence[several_runs.HostStep]
) -> dict[several_runs.HostStep, list[Result]]:
    """By step and host its results, the oldest first, this run's last. Runs in which it was not judged are left out."""
    if not places:
        return {}
    wanted = frozenset(places)
    rows = [*several_runs.outcomes(history.engine, earlier, places)] if earlier else []
    order = {run_id: n for n, run_id in enumerate(earlier)}
    rows.sort(key=lambda row: order[row["run_id"]])
    found: dict[several_runs.HostStep, list[Result]] = {place: [] for place in places}
    for row in (*rows, *run.steps):
        place = (row["host"], row["step"])
        if place in wanted and row["verdict"] in BAD | PASSED and not row.get("source_run"):
            found[place].append(row)
    return found
