# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Flakes: results that differ from try to try, or from run to run, with the same inputs.

Retries are not independent of each other, so runs are counted, and each run once: it counts as failed if its first try
failed. Looked at are the results that failed or were retried in this run, and those that earlier analyses call flakes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.findings import (
    NOTABLE,
    NOTE,
    PROBLEM,
    Finding,
    ResultId,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.history import History
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.intervals import (
    CONFIDENCE,
    clopper_pearson,
    is_broken,
    passes_to_lift,
    wilson,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.natural_order import natural
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import result_history
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading.earlier_runs import earlier_runs

KIND = "flake"
LENGTH = 100  # earlier runs: 29 passes in a row end a quarantine at a rate of 10 %
MOST = 50  # findings; the rest is counted
MOST_PLACES = 2000  # results of one run that are looked up in earlier ones

ACCEPTED = 0.01
"""Quarantine where even the low end of the rate (Clopper-Pearson) is above this: one run in a hundred."""
LEAST = 2  # runs that failed, for a quarantine
MOST_RATE = 0.5  # for the passes that end a quarantine: one that nearly always fails is broken

FAILED = frozenset(("failed", "error"))
PASSED = frozenset(("passed", "marginal"))

METHOD = (
    "runs with the same inputs (by their digest), each counted once; shown: Wilson interval; quarantine and its end "
    f"decided by Clopper-Pearson at {CONFIDENCE:.0%}"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one result ended in one run. `is_retried`: it passed, but only after a try that had failed."""

    passed: bool
    is_retried: bool = False
    inputs: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether the first try passed."""
        return self.passed and not self.is_retried


@dataclass(frozen=True, slots=True)
class Flake:
    """A result that is a flake: in how many `runs` its first try failed, and how it ended lately.

    `failures_in_a_row` and `passes_in_a_row` are those of the last runs; one of them is 0.
    """

    failed: int
    runs: int
    failures_in_a_row: int
    passes_in_a_row: int

    @property
    def needed(self) -> int:
        """The passes in a row that end a quarantine."""
        return passes_to_lift(min(self.failed / self.runs, MOST_RATE))

    @property
    def is_broken(self) -> bool:
        """Whether it failed so often in a row that its earlier rate, at most, hardly explains that."""
        before = self.runs - self.failures_in_a_row
        if not self.failures_in_a_row or not before:
            return False
        highest = clopper_pearson(self.failed - self.failures_in_a_row, before).high
        return is_broken(self.failures_in_a_row, highest)

    @property
    def is_for_quarantine(self) -> bool:
        """Whether it is sure that this is more than one bad day."""
        return self.failed >= LEAST and clopper_pearson(self.failed, self.runs).low > ACCEPTED


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """The flakes of a run, those that fail most often first."""
    earlier = [row["run_id"] for row in earlier_runs(run.run, run.runs, LENGTH)]
    places = _places(run, history, earlier)
    outcomes = _outcomes(run, history, earlier, places)
    found = [(place, flake_of(outcomes[place])) for place in places]
    flakes = [(place, flake) for place, flake in found if flake is not None]
    flakes.sort(key=lambda one: (-one[1].failed / one[1].runs, natural(one[0][0]), one[0][1]))
    failed = {(row["host"], row["step"]) for row in run.steps if row["verdict"] in FAILED}
    yield from (_finding(place, flake, place in failed) for place, flake in flakes[:MOST])
    rest = [ResultId(*place) for place, _flake in flakes[MOST:]]
    if rest:
        yield Finding(KIND, NOTABLE, f"{len(rest)} more results are flakes", tuple(rest), method=METHOD)


def flake_of(outcomes: Sequence[Outcome]) -> Flake | None:
    """What the outcomes of one result say, the oldest first; None where they are no flake.

    A flake passed after a retry, or it has both verdicts on one digest of inputs. Only runs with such inputs count.
    """
    ends: dict[str, set[bool]] = defaultdict(set)
    for outcome in outcomes:
        if outcome.inputs:
            ends[outcome.inputs].add(outcome.passed)
    mixed = {inputs for inputs, both in ends.items() if len(both) > 1}
    mixed |= {outcome.inputs for outcome in outcomes if outcome.is_retried}
    counted = [outcome for outcome in outcomes if outcome.inputs in mixed]
    if not counted:
        return None
    failures = _last_in_a_row(not outcome.passed for outcome in reversed(counted))
    passes = _last_in_a_row(outcome.is_clean for outcome in reversed(counted))
    return Flake(sum(not outcome.is_clean for outcome in counted), len(counted), failures, passes)


def _last_in_a_row(newest_first: Iterator[bool]) -> int:
    count = 0
    for hit in newest_first:
        if not hit:
            break
        count += 1
    return count


def _places(run: RunData, history: History, earlier: Sequence[str]) -> list[result_history.Place]:
    """The results that may be flakes: those that failed or were retried now, and those that were flakes before."""
    present = {(row["host"], row["step"]) for row in run.steps if not row.get("instances")}
    retried = [(row["host"], row["step"]) for row in run.steps if row.get("flake") and not row.get("instances")]
    before = [(about.get("host"), about.get("step")) for about in _told(history, earlier)]
    failed = [(row["host"], row["step"]) for row in run.steps if row["verdict"] in FAILED and row.get("inputs")]
    found = dict.fromkeys([*retried, *before, *failed])
    return [place for place in found if place in present][:MOST_PLACES]


def _told(history: History, earlier: Sequence[str]) -> list[dict[str, Any]]:
    return result_history.told(history.engine, earlier, KIND) if earlier else []


def _outcomes(
    run: RunData, history: History, earlier: Sequence[str], places: Sequence[result_history.Place]
) -> dict[result_history.Place, list[Outcome]]:
    """By result its outcomes, the oldest first, this run's last. Runs in which it was not judged are left out."""
    wanted = frozenset(places)
    rows = [*result_history.outcomes(history.engine, earlier, places)] if earlier and places else []
    order = {run_id: n for n, run_id in enumerate(earlier)}
    rows.sort(key=lambda row: order[row["run_id"]])
    found: dict[result_history.Place, list[Outcome]] = {place: [] for place in places}
    for row in (*rows, *run.steps):
        place = (row["host"], row["step"])
        if place in wanted and row["verdict"] in FAILED | PASSED:
            outcome = Outcome(row["verdict"] in PASSED, bool(row.get("flake")), row.get("inputs") or "")
            found[place].append(outcome)
    return found


def _finding(place: result_history.Place, flake: Flake, has_failed: bool) -> Finding:
    host, step = place
    grade, title, advice = _said(f"{step} on {host or 'the controller'}", flake)
    shown, sure = wilson(flake.failed, flake.runs), clopper_pearson(flake.failed, flake.runs)
    figures = {
        "failed": flake.failed, "runs": flake.runs, "rate": flake.failed / flake.runs,
        "wilson": [*shown], "clopper_pearson": [*sure],
        "passes_in_a_row": flake.passes_in_a_row, "passes_needed": flake.needed,
    }  # fmt: skip
    about = {"host": host, "step": step, "quarantine": flake.is_for_quarantine and not flake.is_broken}
    return Finding(KIND, grade, title, (ResultId(*place),), advice, figures, about, METHOD, explains=int(has_failed))


def _said(name: str, flake: Flake) -> tuple[str, str, str]:
    """The grade, the title and the advice."""
    again = "with the same inputs"
    low, high = wilson(flake.failed, flake.runs)
    rate = f"{flake.failed} of {flake.runs} runs failed at the first try {again} ({low:.0%} to {high:.0%} of runs)"
    if flake.is_broken:
        row = flake.failures_in_a_row
        title = f"{name} is no flake any more: it failed in the last {row} runs {again}, which its rate hardly explains"
        return PROBLEM, title, "Treat it as broken: look for what changed since it last passed."
    if flake.passes_in_a_row >= flake.needed:
        title = f"{name} is no flake any more: it passed at the first try in the last {flake.passes_in_a_row} runs"
        return NOTE, title, "End its quarantine."
    if flake.is_for_quarantine:
        wait = (
            f"until it has passed at the first try in {flake.needed} runs in a row; it has in {flake.passes_in_a_row}"
        )
        return NOTABLE, f"{name} is a flake: {rate}", f"Put it under quarantine (it still runs) {wait}."
    if flake.runs == 1:
        return NOTABLE, f"{name} passed only after a retry", "Watch it: there is no earlier run with the same inputs."
    return NOTABLE, f"{name} may be a flake: {rate}", "Watch it: these runs do not tell a flake from a single bad one."
