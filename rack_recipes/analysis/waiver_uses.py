# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often each waiver was used, in which runs it was in force, and how many passes in a row were counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from rack_recipes.recipe.waivers.pass_streaks import Place, Streak, streaks
from rack_recipes.recipe.waivers.waiver_model import LIFTED, OVER, Waiver
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
        counted = (self.waiver.passes if one.is_lifted else one.passes for one in self.streaks.values())
        return min(counted, default=0)


def uses(engine: Engine, waivers: Iterable[Waiver], today: date) -> list[WaiverUse]:
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
    """The streaks where it has waived something: elsewhere it does not matter whether it still holds."""
    places = {(row["step"], row["host"]) for row in used}
    results = ((row["step"], row["host"], row["verdict"]) for row in rows if (row["step"], row["host"]) in places)
    return streaks(results, needed)


def _state(waiver: Waiver, found: Mapping[Place, Streak], today: date) -> str:
    state = waiver.state(today)
    is_lifted = bool(found) and all(streak.is_lifted for streak in found.values())
    return LIFTED if is_lifted and state != OVER else state
