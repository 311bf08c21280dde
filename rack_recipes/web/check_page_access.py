# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a visitor may see of a page: its role, the runs and the keys that its token or the policy lets it see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rack_recipes.server.access.caller import ANY, Caller, no_objection
from rack_recipes.server.problems import Problem
from rack_recipes.store.reading import counts_and_short_results, recorded_runs
from rack_recipes.web.actions.action_log import log_path, refusals_logged

if TYPE_CHECKING:
    from rack_recipes.web.page_routes import PageRoute
    from rack_recipes.web.page_source import PageSource

RUN_NAMES = ("run", "first", "second")  # names in paths that are ids of runs


def check_rights(route: PageRoute, source: PageSource, names: Mapping[str, str], caller: Caller) -> None:
    """Raise Problem if this caller may not have a page: for its role, a run, or a key that the page is made from.

    A page shows what it is made from in many places, such as findings and pictures. So it is for those who may see all
    of that, and nothing is left out of it for others.
    """
    if route.action:
        with refusals_logged(log_path(source.runs), caller, route.action, names):
            _check(route, source, names, caller)
    else:
        _check(route, source, names, caller)


def _check(route: PageRoute, source: PageSource, names: Mapping[str, str], caller: Caller) -> None:
    caller.check_role(route.needs, f"{route.method} {route.path}")
    if caller.runs != ANY and route.over_runs:
        raise Problem(
            "not-allowed",
            f"{caller.name} may see the runs {', '.join(caller.runs)}, and this page is made of all runs",
            "look at one of these runs, from /runs",
        )
    if caller.runs != ANY:
        for run in _runs(source, names):
            caller.check_run(run)
    if route.shows_keys and not (caller.keys == ANY and caller.objection is no_objection):
        for key in [names["key"]] if "key" in names else _keys(source, names):
            caller.check_read(key)


def _runs(source: PageSource, names: Mapping[str, str]) -> Iterator[str]:
    """The whole ids of the runs in an address. Raises UsageError, StoreError."""
    for name in RUN_NAMES:
        if name in names:
            is_here = source.live(names[name]) is not None
            yield names[name] if is_here else recorded_runs.find(source.store(), names[name])


def _keys(source: PageSource, names: Mapping[str, str]) -> list[str]:
    """The keys of the runs in an address; without one those of all runs."""
    store = source.store()
    named = any(name in names for name in RUN_NAMES)
    runs = [*_runs(source, names)] if named else [run["run_id"] for run in recorded_runs.runs(store)]
    return sorted({row["key"] for row in counts_and_short_results.keys_of_runs(store, runs)})
