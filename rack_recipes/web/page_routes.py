# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of pages: every address once, with what makes its page; and what a visitor may see of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from rack_recipes.server.access.caller import ADMIN, AUTHOR, OPERATOR, VIEWER, Caller
from rack_recipes.server.problems import Problem
from rack_recipes.store.reading import counts_and_short_results, recorded_runs
from rack_recipes.web.actions import receive_pack, run_forms, start_run
from rack_recipes.web.actions.action_log import log_path, log_refusals
from rack_recipes.web.page_model import RECIPES, View
from rack_recipes.web.page_source import PageSource
from rack_recipes.web.views import (
    attachments,
    json_schemas_and_metrics,
    over_runs,
    recipes_and_scriptlets,
    run_detail_pages,
    run_list,
    runs,
)

GET, POST = "GET", "POST"


@dataclass(frozen=True, slots=True)
class PageRoute:
    """A row of the table: the path, in which `{name}` stands for one name, what the page tells, what makes it.

    `needs` is the weakest role that may use it. A page that is made `over_runs` is for those who may see all runs, one
    that `shows_keys` for those who may read all keys that it is made from. A form that is wrong is shown `again` on
    that page. A route that takes a file says by `takes`, from the headers of a request, how many bytes it may have.
    Where `action` is its name in the log of actions, those who may not do it have a line there.
    """

    path: str
    about: str
    view: View
    needs: str = VIEWER
    over_runs: bool = False
    shows_keys: bool = False
    method: str = GET
    again: View | None = None
    takes: Callable[[PageSource, Mapping[str, str]], int] | None = None
    action: str = ""

    def names_in(self, parts: Sequence[str]) -> dict[str, str] | None:
        """The names in the parts of an address; None for one that is not of this route.

        The name of a recipe is a path, so it may have several parts.
        """
        own = self.path.strip("/").split("/")
        if own[0] == RECIPES and len(parts) > len(own) > 1 and all(parts):
            rest = len(parts) - len(own) + 2
            parts = [parts[0], "/".join(parts[1:rest]), *parts[rest:]]
        pairs = [*zip(own, parts, strict=False)]
        if len(own) != len(parts) or not all(one == other or (_is_name(one) and other) for one, other in pairs):
            return None
        return {one[1:-1]: other for one, other in pairs if _is_name(one)}


def _is_name(part: str) -> bool:
    return part.startswith("{")


ROUTES: tuple[PageRoute, ...] = (
    PageRoute("/runs", "All runs, those that go on first; search, filters, sorting.", run_list.all_runs),
    PageRoute(
        "/runs/{run}", "One run: what is wrong, and where; live while it goes on.", runs.one_run, shows_keys=True
    ),
    PageRoute("/runs/{run}/events", "What a run that goes on is at, for the page's script.", runs.events),
    PageRoute("/runs/{run}/tables/{table}", "A table of a run in columns, for the page's script.", runs.one_table),
    PageRoute("/runs/{run}/report", "The whole report of a run.", runs.report, over_runs=True, shows_keys=True),
    PageRoute(
        "/runs/{run}/findings", "All findings of a run, causes first.", run_detail_pages.findings, shows_keys=True
    ),
    PageRoute("/runs/{run}/steps", "Its steps, how long they took, a timeline.", run_detail_pages.steps),
    PageRoute("/runs/{run}/rack", "Every step of every host by place; by measurement.", run_detail_pages.rack),
    PageRoute("/runs/{run}/context", "The context as the run left it.", run_detail_pages.context, shows_keys=True),
    PageRoute("/runs/{run}/hosts", "Its hosts, those that did not pass first.", run_detail_pages.hosts),
    PageRoute(
        "/runs/{run}/hosts/{host}",
        "One host of a run: results, measurements, keys.",
        run_detail_pages.one_host,
        shows_keys=True,
    ),
    PageRoute("/runs/{run}/hosts/{host}/{step}", "One result: logs, tries, earlier runs.", run_detail_pages.one_result),
    PageRoute("/runs/{run}/attachments", "The files that its steps have attached.", attachments.attachments),
    PageRoute(
        "/runs/{run}/attachments/{digest}/{name}",
        "The bytes of an attached file; with `save=yes` also those of a picture to be saved.",
        attachments.one_attachment,
    ),
    PageRoute("/hosts", "The hosts of the last runs.", over_runs.hosts, over_runs=True),
    PageRoute("/hosts/{host}", "One host over the runs.", over_runs.one_host, over_runs=True, shows_keys=True),
    PageRoute("/keys", "The keys that the last runs have set.", over_runs.keys, over_runs=True, shows_keys=True),
    PageRoute(
        "/keys/{key}", "Who set a key, when, from what to what.", over_runs.one_key, over_runs=True, shows_keys=True
    ),
    PageRoute("/trends", "What the last runs have measured.", over_runs.trends, over_runs=True, shows_keys=True),
    PageRoute(
        "/trends/{key}",
        "A number over the runs: limits, changes of level, trend.",
        over_runs.one_trend,
        over_runs=True,
        shows_keys=True,
    ),
    PageRoute("/diff/{first}/{second}", "What changed between two runs.", over_runs.differences, shows_keys=True),
    PageRoute("/recipes", "The recipes of the project and of the collection.", recipes_and_scriptlets.recipes),
    PageRoute(
        "/recipes/{name}",
        "A recipe: graph, parameters, how to run it; a form that runs it.",
        recipes_and_scriptlets.one_recipe,
    ),
    PageRoute("/scriptlets", "The scriptlets that recipes here can use.", recipes_and_scriptlets.scriptlets),
    PageRoute("/scriptlets/{name}", "A scriptlet: arguments, keys, example.", recipes_and_scriptlets.one_scriptlet),
    PageRoute("/starts/{run}", "A run that a page has started, until it has begun.", start_run.one_start, OPERATOR),
    PageRoute(
        "/metrics", "What Prometheus reads of the runs in the store.", json_schemas_and_metrics.metrics, over_runs=True
    ),
    PageRoute("/shapes", "What each page is as data.", json_schemas_and_metrics.shapes),
    PageRoute("/actions", "What was done by pages: who, when, what.", start_run.list_actions, ADMIN, over_runs=True),
    PageRoute(
        "/runs/{run}/baseline",
        "Make a run the baseline of its test.",
        run_forms.accept,
        AUTHOR,
        method=POST,
        again=runs.one_run,
    ),
    PageRoute(
        "/runs/{run}/stop", "Stop a run that goes on.", run_forms.stop, OPERATOR, method=POST, again=runs.one_run
    ),
    PageRoute(
        "/runs/{run}/hosts/{host}/{step}/waiver",
        "Waive a failure in the runs from now on.",
        run_forms.waive,
        AUTHOR,
        method=POST,
        again=run_detail_pages.one_result,
    ),
    PageRoute(
        "/recipes/{name}/runs",
        "Start a recipe.",
        recipes_and_scriptlets.start_recipe,
        OPERATOR,
        method=POST,
        again=recipes_and_scriptlets.one_recipe,
        action="start",
    ),
    PageRoute(
        "/uploads",
        "Take the run of another controller.",
        receive_pack.upload,
        OPERATOR,
        method=POST,
        takes=receive_pack.allowed_size,
        action="upload",
    ),
)


RUN_NAMES = ("run", "first", "second")  # names in paths that are ids of runs


def check_rights(route: PageRoute, source: PageSource, names: Mapping[str, str], caller: Caller) -> None:
    """Raise Problem if this caller may not have a page: for its role, a run, or a key that the page is made from.

    A page shows what it is made from in many places, such as findings and pictures. So it is for those who may see all
    of that, and nothing is left out of it for others.
    """
    noted = log_refusals(log_path(source.runs), caller, route.action, names) if route.action else nullcontext()
    with noted:
        _check(route, source, names, caller)


def _check(route: PageRoute, source: PageSource, names: Mapping[str, str], caller: Caller) -> None:
    caller.check_role(route.needs, f"{route.method} {route.path}")
    if route.over_runs and not caller.sees_all_runs:
        raise Problem(
            "not-allowed",
            f"{caller.name} may see the runs {', '.join(caller.runs)}, and this page is made of all runs",
            "look at one of these runs, from /runs",
        )
    if not caller.sees_all_runs:
        for run in _runs(source, names):
            caller.check_run(run)
    if route.shows_keys and not caller.reads_all:
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
