# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of pages: every address once, with what makes its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rack_recipes.server.access.caller import ADMIN, AUTHOR, OPERATOR, VIEWER
from rack_recipes.web.actions import baseline, start, stop, upload, waive
from rack_recipes.web.page_model import View
from rack_recipes.web.page_source import PageSource
from rack_recipes.web.views import (
    gallery,
    json_format_reference,
    metrics,
    over_runs,
    past_actions,
    run,
    run_detail_pages,
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
        """The names in the parts of an address; None for one that is not of this route."""
        own = self.path.strip("/").split("/")
        pairs = [*zip(own, parts, strict=False)]
        if len(own) != len(parts) or not all(one == other or (_is_name(one) and other) for one, other in pairs):
            return None
        return {one[1:-1]: other for one, other in pairs if _is_name(one)}


def _is_name(part: str) -> bool:
    return part.startswith("{")


ROUTES: tuple[PageRoute, ...] = (
    PageRoute("/runs", "All runs, those that go on first; search, filters, sorting.", runs.all_runs),
    PageRoute("/runs/{run}", "One run: what is wrong, and where; live while it goes on.", run.one_run, shows_keys=True),
    PageRoute("/runs/{run}/events", "What a run that goes on is at, for the page's script.", run.events),
    PageRoute("/runs/{run}/tables/{table}", "A table of a run in columns, for the page's script.", run.one_table),
    PageRoute("/runs/{run}/report", "The whole report of a run.", run.report, over_runs=True, shows_keys=True),
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
    PageRoute("/recipes", "The recipes of the project and of the collection.", gallery.recipes),
    PageRoute(
        "/recipes/{name}", "A recipe: graph, parameters, how to run it; a form that runs it.", gallery.one_recipe
    ),
    PageRoute("/scriptlets", "The scriptlets that recipes here can use.", gallery.scriptlets),
    PageRoute("/scriptlets/{name}", "A scriptlet: arguments, keys, example.", gallery.one_scriptlet),
    PageRoute("/starts/{run}", "A run that a page has started, until it has begun.", start.one_start, OPERATOR),
    PageRoute("/metrics", "What Prometheus reads of the runs in the store.", metrics.metrics, over_runs=True),
    PageRoute("/shapes", "What each page is as data.", json_format_reference.shapes),
    PageRoute("/actions", "What was done by pages: who, when, what.", past_actions.done, ADMIN, over_runs=True),
    PageRoute(
        "/runs/{run}/baseline",
        "Make a run the baseline of its test.",
        baseline.accept,
        AUTHOR,
        method=POST,
        again=run.one_run,
    ),
    PageRoute("/runs/{run}/stop", "Stop a run that goes on.", stop.stop, OPERATOR, method=POST, again=run.one_run),
    PageRoute(
        "/runs/{run}/hosts/{host}/{step}/waiver",
        "Waive a failure in the runs from now on.",
        waive.waive,
        AUTHOR,
        method=POST,
        again=run_detail_pages.one_result,
    ),
    PageRoute(
        "/recipes/{name}/runs",
        "Start a recipe.",
        gallery.start_recipe,
        OPERATOR,
        method=POST,
        again=gallery.one_recipe,
        action="start",
    ),
    PageRoute(
        "/uploads",
        "Take the run of another controller.",
        upload.upload,
        OPERATOR,
        method=POST,
        takes=upload.allowed_size,
        action="upload",
    ),
)
