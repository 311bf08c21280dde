# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look up cached results: what the store holds under the cache keys of a run's steps."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.journal.step_results import Place
from rack_recipes.run.current_run import RunStep

if TYPE_CHECKING:
    from rack_recipes.run.reuse.earlier_run import Offer

PATIENCE = 5.0  # seconds to wait for a store that is away


def cached_offers(db: str, steps: Iterable[RunStep]) -> dict[Place, list[Offer]]:
    """The results that may be reused, by (step, host), the newest first.

    Raises StoreError where the store cannot be read.
    """
    by_key: dict[str, list[RunStep]] = defaultdict(list)
    for step in steps:
        if step.cache_key:
            by_key[step.cache_key].append(step)
    if not by_key:
        return {}
    return _offers(_read(db, list(by_key)), by_key)


def _read(db: str, keys: list[str]) -> list[Mapping[str, Any]]:
    # only runs with a cache key pay for this import, 0.2 s
    from rack_recipes.store.database_engine import engine
    from rack_recipes.store.reading.cached_results import cached

    store = engine(db, PATIENCE)
    try:
        return list(cached(store, keys))
    finally:
        store.dispose()  # no connection crosses a fork


def _offers(found: Iterable[Mapping[str, Any]], by_key: Mapping[str, list[RunStep]]) -> dict[Place, list[Offer]]:
    offers: dict[Place, list[Offer]] = defaultdict(list)
    now = time.time()
    for result in found:
        for step in by_key[result["key"]]:
            if step.expires_sec is None or now - _seconds(result["ended"]) < step.expires_sec:
                offers[step.name, result["host"]] += _offer(result)
    return dict(offers)


def _offer(result: Mapping[str, Any]) -> list[Offer]:
    """A result that passed, in the form that is sent to the host; an empty list for one that did not, or was waived."""
    verdicts = [record["verdict"] for record in result["records"] if record["kind"] == "step"]
    is_waived = any("waived" in record for record in result["records"])  # then the step runs, for today's waivers
    if not verdicts or verdicts[-1] not in PASSING or is_waived:
        return []
    named = {name: result[name] for name in ("run", "inputs", "records")}
    return [{**named, "verdict": verdicts[-1], "kind": "cache"}]


def _seconds(time_text: str) -> float:
    return datetime.fromisoformat(time_text).timestamp()
