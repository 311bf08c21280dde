# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the waivers that are in force in the run that begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.errors import StoreError
from rack_recipes.recipe.waivers.in_force import Attributes, RunWaivers, waivers_for
from rack_recipes.recipe.waivers.read_waivers import waivers_of
from rack_recipes.recipe.waivers.waiver_model import day_of
from rack_recipes.run.recorder.ansible_api import Resolve
from rack_recipes.run.recorder.play_outline import PlayOutline
from rack_recipes.settings import Settings

PATIENCE = 5.0  # seconds to wait for a store that is away


def find_waivers(
    settings: Settings, recipe: Mapping[str, Any], play_outline: PlayOutline, resolve: Resolve, attributes: Attributes
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
    from rack_recipes.store.database_engine import engine
    from rack_recipes.store.reading.waiver_history import lifted_places, runs_of, runs_with_waivers

    store = engine(db, PATIENCE)
    try:
        runs = runs_of(runs_with_waivers(store))
        in_force = (
            replace(each, lifted=lifted_places(store, runs[each.waiver.id], each)) if each.waiver.id in runs else each
            for each in found.in_force
        )
        return replace(found, in_force=tuple(in_force))
    finally:
        store.dispose()  # no connection crosses a fork
