# SPDX-License-Identifier: GPL-3.0-or-later

"""What should be known of the waivers of a run.

How often each was used, what they covered, which are about to end, over, or of no use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from rack_recipes.analysis.findings import NOTABLE, NOTE, Finding, ResultId, format_count
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData
from rack_recipes.errors import counted
from rack_recipes.journal.step_results_and_end_status import cell_of
from rack_recipes.recipe.waivers import ENDS_SOON, LIFTED, OVER, Place, Streak, Waiver, count_streaks, day_of
from rack_recipes.store.reading.waiver_history import is_for, results_of_step, runs_of, runs_with_waivers

if TYPE_CHECKING:
    from sqlalchemy import Engine
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WaiverUse:
    """One waiver and what the store knows of it.

    `runs` are the ids of the runs in which it was in force, the oldest first; `used` the results that it has waived,
    each with `run_id`, `step` and `host`. `streaks` has the passes in a row of the steps and hosts that it has waived.
    """

    waiver: Waiver
    state: str
    runs: Sequence[str] = ()
    used: Sequence[Row] = ()
    streaks: Mapping[Place, Streak] = field(default_factory=dict)

    @property
    def passes(self) -> int:
        """The fewest passes in a row of what it has waived; of what is lifted those that were needed."""
        passes = (self.waiver.passes if one.is_lifted else one.passes for one in self.streaks.values())
        return min(passes, default=0)


def read_waiver_uses(engine: Engine, waivers: Iterable[Waiver], today: date) -> list[WaiverUse]:
    """What the store knows of these waivers. Raises StoreError."""
    runs = runs_of(runs_with_waivers(engine))
    return [_use(engine, waiver, runs.get(waiver.id, ()), today) for waiver in waivers]


def _use(engine: Engine, waiver: Waiver, runs: Collection[str], today: date) -> WaiverUse:
    if not runs:
        return WaiverUse(waiver, waiver.state(today))
    rows = [row for row in results_of_step(engine, runs, waiver.step) if is_for(waiver, row)]
    used = [row for row in rows if waiver.id in (row["waived"] or {}).get("by", ())]
    found = _streaks_of_used(rows, used, waiver.passes) if waiver.passes else {}
    return WaiverUse(waiver, _state(waiver, found, today), [*runs], used, found)


def _streaks_of_used(rows: Sequence[Row], used: Sequence[Row], needed: int) -> dict[Place, Streak]:
    """The streaks of the results that it has waived. Whether it still holds for others does not matter."""
    places = {cell_of(row) for row in used}
    results = ((row["step"], row["host"], row["verdict"]) for row in rows if cell_of(row) in places)
    return count_streaks(results, needed)


def _state(waiver: Waiver, found: Mapping[Place, Streak], today: date) -> str:
    state = waiver.state(today)
    is_lifted = bool(found) and all(streak.is_lifted for streak in found.values())
    return LIFTED if is_lifted and state != OVER else state


UNUSED_RUNS = 5  # runs in which a waiver has covered nothing before that is told
METHOD = "a comparison of the waivers in the run's record with the results; no statistics"


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """Yield findings of the kind `waiver`. Raises StoreError where the history cannot be read."""
    recorded = run.run.get("waivers") or {}
    today = day_of(run.run["started"])
    in_force = [Waiver.from_data(told) for told in recorded.get("in_force") or ()]
    for use in read_waiver_uses(history.engine, in_force, today) if in_force else ():
        yield from _of_use(run, use, today)
    for told in recorded.get("over") or ():
        yield _over(run, Waiver.from_data(told))


def _of_use(run: RunData, use: WaiverUse, today: date) -> Iterator[Finding]:
    covered = [row for row in run.steps if use.waiver.id in (row.get("waived") or {}).get("by", ())]
    if covered:
        yield _covered(use, covered, today)
    elif use.state == LIFTED:
        yield _finding(
            use, NOTABLE, f"{_named(use)} is lifted: what it covered has passed {use.waiver.passes} times in a row.",
            advice=f"Remove it from the file of waivers, line {use.waiver.line}.",
        )  # fmt: skip
    elif not use.used and len(use.runs) >= UNUSED_RUNS:
        yield _finding(
            use, NOTE, f"{_named(use)} has covered nothing in {counted(len(use.runs), 'run')}.",
            advice=f"Remove it from the file of waivers, line {use.waiver.line}, if the fault is gone.",
        )  # fmt: skip


def _covered(use: WaiverUse, covered: Sequence[Row], today: date) -> Finding:
    waiver = use.waiver
    number = format_count(len(covered), "failure is", "failures are")
    title = f"{number} waived by {waiver.who} until {waiver.term}: {waiver.step}, {waiver.reason}."
    if use.state != ENDS_SOON or waiver.until is None:
        return _finding(use, NOTE, title, covered)
    left = format_count((waiver.until - today).days, "day")
    advice = f"Repair it, or give the waiver in line {waiver.line} a new date: after {waiver.until} it fails."
    return _finding(use, NOTABLE, f"{title} It ends in {left}.", covered, advice)


def _over(run: RunData, waiver: Waiver) -> Finding:
    failed = [row for row in run.steps if row["verdict"] in waiver.verdicts and _is_for(waiver, row)]
    said = f"The waiver of {waiver.step} by {waiver.who} was over after {waiver.until}"
    place = f"line {waiver.line} of the file of waivers"
    if failed:
        title = f"{said}, and {format_count(len(failed), 'result')} failed."
        return _finding(WaiverUse(waiver, ""), NOTABLE, title, failed, f"Repair it, or give {place} a new date.")
    return _finding(WaiverUse(waiver, ""), NOTE, f"{said}; nothing failed.", advice=f"Remove {place}.")


def _is_for(waiver: Waiver, row: Row) -> bool:
    """Whether it was for a result, as far as its file says: which hosts a pattern means is known in the run only."""
    return is_for(waiver, dict(row)) and not row.get("instances")


def _named(use: WaiverUse) -> str:
    return f"The waiver of {use.waiver.step} by {use.waiver.who}"


def _finding(use: WaiverUse, grade: str, title: str, rows: Iterable[Row] = (), advice: str = "") -> Finding:
    waiver = use.waiver
    figures: dict[str, Any] = {"used": len(use.used), "runs": len(use.runs)}
    if waiver.until:
        figures["until"] = str(waiver.until)
    if waiver.passes:
        figures |= {"passes": use.passes, "passes_needed": waiver.passes}
    about = {"step": waiver.step, "waiver": waiver.id, **({"name": waiver.measurement} if waiver.measurement else {})}
    results = tuple(ResultId(row["host"], row["step"]) for row in rows)
    return Finding("waiver", grade, title, results, advice, figures, about, METHOD)
