# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads from the store how long a recipe's steps took, and which results have its cache keys."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rack_recipes.errors import StoreError
from rack_recipes.plan.plan_model import Plan
from rack_recipes.store.database_engine import open_store_for_reading
from rack_recipes.store.reading.earlier_runs import RUNS_OF_FORECAST, median_durations, read_cached_results

STORE_TIMEOUT = 2.0  # seconds

Results = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """What the store knows: median seconds of each (step, host) over the last `runs` runs, and cached results by step.

    `problem` says why there is nothing.
    """

    seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    cached: Mapping[str, Results] = field(default_factory=dict)
    problem: str = ""
    runs: int = RUNS_OF_FORECAST

    def source_text(self) -> str:
        """Return a text that says where the durations come from."""
        if self.seconds:
            return f"the steps alone, by the median of each in the last {self.runs} runs"
        return self.problem or "no run of this recipe is in the store yet"


def stored_history_of(db: str, plan: Plan) -> StoredHistory:
    """Return what the store at a URL knows; if it cannot be read, `problem` has the reason."""
    try:
        store = open_store_for_reading(db, STORE_TIMEOUT)
    except StoreError as error:
        return StoredHistory(problem=str(error))
    try:
        names = [planned.step.name for planned in plan.steps]
        return StoredHistory(median_durations(store, plan.recipe.test_meta.test_id, names), _cached(store, plan))
    except StoreError as error:
        return StoredHistory(problem=str(error))
    finally:
        store.dispose()


def _cached(store: Any, plan: Plan) -> dict[str, Results]:
    """Return the cached results of each step with a cache key, without the expired ones."""
    keys = {planned.step.name: planned.step.cache_key for planned in plan.steps if planned.step.cache_key}
    if not keys:
        return {}
    found = read_cached_results(store, {key.key for key in keys.values()})
    return {
        name: [one for one in found if one["key"] == key.key and _is_fresh(one, key.expires_sec)]
        for name, key in keys.items()
    }


def _is_fresh(result: Mapping[str, Any], expires_sec: float | None) -> bool:
    return expires_sec is None or time.time() - datetime.fromisoformat(result["ended"]).timestamp() < expires_sec
