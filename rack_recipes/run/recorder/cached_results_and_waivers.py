# SPDX-License-Identifier: GPL-3.0-or-later

"""What the store tells a run that begins.

The results under the cache keys of its steps, and the waivers that are in force.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.errors import StoreError
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.journal.step_results_and_end_status import Cell
from rack_recipes.recipe.waiver_file import waivers_of
from rack_recipes.recipe.waivers import Attributes, RunWaivers, day_of, waivers_for
from rack_recipes.run.recorder.ansible_api import Resolve
from rack_recipes.run.recorder.play_outline import PlayOutline
from rack_recipes.settings import Settings

if TYPE_CHECKING:
    from rack_recipes.run.earlier_run import Offer
PATIENCE = 5.0  # seconds to wait for a store that is away


def cached_offers(db: str, steps: Iterable[RunStep]) -> dict[Cell, list[Offer]]:
    """The results that may be reused, by cell, the newest first.

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
    from rack_recipes.store.database_engine import connect_store
    from rack_recipes.store.reading.earlier_runs import read_cached_results

    store = connect_store(db, PATIENCE)
    try:
        return list(read_cached_results(store, keys))
    finally:
        store.dispose()  # no connection crosses a fork


def _offers(found: Iterable[Mapping[str, Any]], by_key: Mapping[str, list[RunStep]]) -> dict[Cell, list[Offer]]:
    offers: dict[Cell, list[Offer]] = defaultdict(list)
    now = time.time()
    for result in found:
        for step in by_key[result["key"]]:
            if step.expires_sec is None or now - _seconds(result["ended"]) < step.expires_sec:
                offers[Cell(step.name, result["host"])] += _offer(result)
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


def find_waivers(
    settings: Settings,
    recipe: Mapping[str, object],
    play_outline: PlayOutline,
    resolve: Resolve,
    attributes: Attributes,
) -> tuple[RunWaivers, str]:
    """The waivers, and why passes in a row could not be counted; empty where they could.

    Raises UsageError for a file that is wrong, and TrustError where the policy does not allow this user to waive.
    """
    file = waivers_of(settings)
    if not file.waivers:
        return RunWaivers(file), ""
    found = waivers_for(file, recipe, [*play_outline.steps], resolve, day_of(now()), attributes)
    if settings.policy and found.in_force:
        # a run without a policy does not pay for this import
        from rack_recipes.run.trust.check_trust import check_waivers

        everywhere = [*play_outline.hosts]
        waived = [
            (each.waiver.step, everywhere if each.hosts is None else sorted(each.hosts)) for each in found.in_force
        ]
        check_waivers(str(recipe.get("path") or ""), waived, settings, resolve)
    if not any(each.waiver.passes for each in found.in_force):
        return found, ""
    try:
        return _with_passes(found, settings.db), ""
    except StoreError as error:
        return found, f"the passes that lift waivers could not be counted, so all of these are in force: {error}"


def _with_passes(found: RunWaivers, db: str) -> RunWaivers:
    # only runs with such waivers pay for these imports, 0.2 s
    from rack_recipes.store.database_engine import connect_store
    from rack_recipes.store.reading.waiver_history import lifted_places, runs_of, runs_with_waivers

    store = connect_store(db, PATIENCE)
    try:
        runs = runs_of(runs_with_waivers(store))
        in_force = (
            replace(each, lifted=lifted_places(store, runs[each.waiver.id], each)) if each.waiver.id in runs else each
            for each in found.in_force
        )
        return replace(found, in_force=tuple(in_force))
    finally:
        store.dispose()  # no connection crosses a fork
