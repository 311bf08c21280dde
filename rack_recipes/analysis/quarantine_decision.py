# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the rate of a flake means: quarantine, its end, or that it is broken; and the words for that.

The methods need numpy, so this is imported only where there is a flake.
"""

from __future__ import annotations

from rack_recipes.analysis.detect_flake import Flake
from rack_recipes.analysis.findings import NOTABLE, NOTE, PROBLEM, Finding, ResultId
from rack_recipes.analysis.methods.rates_and_prediction_intervals import (
    CONFIDENCE,
    clopper_pearson,
    passes_to_lift,
    wilson,
)
from rack_recipes.analysis.methods.rates_and_prediction_intervals import is_broken as is_more_than_chance

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


def finding(place: tuple[str, str], flake: Flake, *, has_failed: bool) -> Finding:
    """What is said of a flake, by its host and step; `has_failed` tells whether it failed in this run."""
    host, step = place
    grade, title, advice = _said(f"{step} on {host or 'the controller'}", flake)
    shown, sure = wilson(flake.failed, flake.runs), clopper_pearson(flake.failed, flake.runs)
    figures = {
        "failed": flake.failed, "runs": flake.runs, "episodes": flake.episodes, "rate": flake.failed / flake.runs,
        "wilson": [*shown], "clopper_pearson": [*sure],
        "passes_in_a_row": flake.passes_in_a_row, "passes_needed": passes_needed(flake),
    }  # fmt: skip
    about = {"host": host, "step": step, "quarantine": is_for_quarantine(flake) and not is_broken(flake)}
    return Finding("flake", grade, title, (ResultId(*place),), advice, figures, about, METHOD, explains=int(has_failed))


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
