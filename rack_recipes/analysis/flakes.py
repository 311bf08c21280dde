# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Flakes: results that differ from try to try, or from run to run, with the same inputs.

Retries are not independent of each other, so runs are counted, and each run once: it counts as failed if its first try
failed. Looked at are the results that failed or were retried in this run, and those that earlier analyses call flakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.waiving import WAIVED
from rack_recipes.analysis.detect_flake import Flake, Outcome, flake_of
from rack_recipes.analysis.findings import NOTABLE, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData
from rack_recipes.natural_order import natural
from rack_recipes.store.reading import result_history
from rack_recipes.store.reading.earlier_runs import earlier_runs

KIND = "flake"
LENGTH = 100  # earlier runs: 29 passes in a row end a quarantine at a rate of 10 %
MOST = 50  # findings; the rest is counted
MOST_PLACES = 2000  # results of one run that are looked up in earlier ones

FAILED = frozenset(("failed", "error"))
BAD = FAILED | {WAIVED}  # a waived failure is one all the same: otherwise no quarantine would count what fails in it
PASSED = frozenset(("passed", "marginal"))


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """The flakes of a run, those that fail most often first."""
    earlier = [row["run_id"] for row in earlier_runs(run.run, run.runs, LENGTH)]
    places = _places(run, history, earlier)
    outcomes = _outcomes(run, history, earlier, places)
    found = [(place, flake_of(outcomes[place])) for place in places]
    flakes = [(place, flake) for place, flake in found if flake is not None]
    if flakes:
        yield from _told_of(run, flakes)


def _told_of(run: RunData, flakes: list[tuple[result_history.Place, Flake]]) -> Iterator[Finding]:
    from rack_recipes.analysis.quarantine_decision import METHOD, finding

    flakes.sort(key=lambda one: (-one[1].failed / one[1].runs, natural(one[0][0]), one[0][1]))
    failed = {(row["host"], row["step"]) for row in run.steps if row["verdict"] in FAILED}
    yield from (finding(place, flake, has_failed=place in failed) for place, flake in flakes[:MOST])
    rest = [ResultId(*place) for place, _flake in flakes[MOST:]]
    if rest:
        yield Finding(KIND, NOTABLE, f"{len(rest)} more results are flakes", tuple(rest), method=METHOD)


def _places(run: RunData, history: History, earlier: Sequence[str]) -> list[result_history.Place]:
    """The results that may be flakes: those that failed or were retried now, and those that were flakes before."""
    retried = [(row["host"], row["step"]) for row in run.steps if row.get("flake") and not row.get("instances")]
    before = [(about.get("host"), about.get("step")) for about in _told(history, earlier)]
    failed = [(row["host"], row["step"]) for row in run.steps if row["verdict"] in BAD and row.get("inputs")]
    found = dict.fromkeys([*retried, *before, *failed])
    if not found:
        return []
    present = {(row["host"], row["step"]) for row in run.steps if not row.get("instances")}
    return [place for place in found if place in present][:MOST_PLACES]


def _told(history: History, earlier: Sequence[str]) -> list[dict[str, Any]]:
    return result_history.told(history.engine, earlier, KIND) if earlier else []


def _outcomes(
    run: RunData, history: History, earlier: Sequence[str], places: Sequence[result_history.Place]
) -> dict[result_history.Place, list[Outcome]]:
    """By result its outcomes, the oldest first, this run's last. Runs in which it was not judged are left out."""
    if not places:
        return {}
    wanted = frozenset(places)
    rows = [*result_history.outcomes(history.engine, earlier, places)] if earlier else []
    order = {run_id: n for n, run_id in enumerate(earlier)}
    rows.sort(key=lambda row: order[row["run_id"]])
    found: dict[result_history.Place, list[Outcome]] = {place: [] for place in places}
    for row in (*rows, *run.steps):
        place = (row["host"], row["step"])
        if place in wanted and row["verdict"] in BAD | PASSED:
            outcome = Outcome(row["verdict"] in PASSED, bool(row.get("flake")), row.get("inputs") or "")
            found[place].append(outcome)
    return found
