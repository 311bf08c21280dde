# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of runs: those that go on first, then those in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rack_recipes.errors import StoreError
from rack_recipes.report.table_model import Column, in_words
from rack_recipes.report.tables.summary_and_finding_tables import duration
from rack_recipes.store.reading import counts_and_short_results, recorded_runs
from rack_recipes.web.page_model import Asked, NoSuchPageError, Page, at, table, to_run

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource

Row = Mapping[str, Any]

AT_ONCE = 50
RUNS = (
    Column("status", "Status", "verdict"),
    Column("run_id", "Run"),
    Column("test_id", "Test"),
    Column("started", "Started (UTC)", "time"),
    Column("seconds", "Time", "seconds", "s"),
    Column("hosts", "Hosts", "number"),
    Column("results", "Results"),
    Column("labels", "Labels"),
)
SORTS: Mapping[str, Callable[[Row], Any]] = {
    "started": lambda run: run["started"] or "",
    "duration": lambda run: run["seconds"] or 0.0,
    "test": lambda run: run["test_id"] or "",
    "status": lambda run: run["status"],
}


def all_runs(source: PageSource, asked: Asked) -> Page:
    """The runs that the query leaves, a page of them."""
    live = [one.about() for one in source.going_on().values()]
    stored, problem = _stored(source)
    known = {run["run_id"] for run in live}
    seen = [run for run in (*live, *(run for run in stored if run["run_id"] not in known)) if asked.sees(run)]
    everything = [*map(_row, seen)]
    found = _sorted(_filtered(source, everything, asked), asked)
    page = asked.number("page", 1, max(1, -(-len(found) // AT_ONCE)))
    shown = found[(page - 1) * AT_ONCE : page * AT_ONCE]
    listed = table("runs", "Runs", RUNS, shown, {"run_id": to_run, "status": to_run})
    told = {
        "listed": listed,
        "total": len(everything),
        "found": len(found),
        "live": len(live),
        "problem": problem,
        "query": asked.query,
        "choices": _choices(everything),
        "sorts": [*SORTS],
        "newer": _page_at(asked, page - 1) if page > 1 else "",
        "older": _page_at(asked, page + 1) if page * AT_ONCE < len(found) else "",
        "differences": _two_newest(found),
    }
    data = {"total": len(everything), "found": len(found), "page": page, "runs": [_for_programs(run) for run in shown]}
    return Page("Runs", "runs.html.j2", told=told, data=data)


def _stored(source: PageSource) -> tuple[Sequence[Row], str]:
    """The runs in the store, and why there are none. A store that is made by the first run is no fault."""
    try:
        return recorded_runs.runs(source.store()), ""
    except StoreError as error:
        return [], str(error)


def _row(run: Row) -> dict[str, Any]:
    counts = ", ".join(f"{number:,} {verdict}" for verdict, number in (run.get("counts") or {}).items())
    seconds = duration(run.get("started"), run.get("ended"))
    labels = {str(name): value for name, value in (run.get("labels") or {}).items()}
    told = {"seconds": seconds, "results": counts, "labels": in_words(labels, ": "), "given_labels": labels}
    return {**run, **told, "status": run.get("status") or "running"}


def _for_programs(run: Row) -> dict[str, Any]:
    names = ("run_id", "status", "test_id", "recipe", "started", "ended", "seconds", "hosts", "counts")
    return {**{name: run.get(name) for name in names}, "labels": run["given_labels"], "address": to_run(run)}


def _filtered(source: PageSource, runs: Sequence[Row], asked: Asked) -> list[Row]:
    """The runs with all words of `q`, and with the label, the status, the test and the host of the query."""
    words = asked.query.get("q", "").lower().split()
    wanted = {name: asked.query[name] for name in ("label", "status", "test") if asked.query.get(name)}
    host = asked.query.get("host", "")
    on_host = counts_and_short_results.runs_with_host(source.store(), host) if host else set()
    return [
        run
        for run in runs
        if all(word in _text(run) for word in words)
        and wanted.get("status", run["status"]) == run["status"]
        and wanted.get("test", run.get("test_id")) == run.get("test_id")
        and ("label" not in wanted or wanted["label"] in _labels(run))
        and (not host or run["run_id"] in on_host)
    ]


def _text(run: Row) -> str:
    names = ("run_id", "status", "test_id", "recipe", "description", "tester", "user", "labels", "results")
    return " ".join(str(run.get(name) or "") for name in names).lower()


def _labels(run: Row) -> list[str]:
    return [f"{name}: {value}" for name, value in run["given_labels"].items()]


def _sorted(runs: list[Row], asked: Asked) -> list[Row]:
    name = asked.query.get("sort", "started")
    if name not in SORTS:
        raise NoSuchPageError(f"sort={name[:40]}: there are {', '.join(SORTS)}")
    return sorted(runs, key=SORTS[name], reverse=name in ("started", "duration"))


def _choices(runs: Sequence[Row]) -> dict[str, list[str]]:
    """What the filters offer."""
    return {
        "status": sorted({run["status"] for run in runs}),
        "test": sorted({run["test_id"] for run in runs if run.get("test_id")}),
        "label": sorted({label for run in runs for label in _labels(run)}),
    }


def _page_at(asked: Asked, page: int) -> str:
    return at("runs", **{**asked.query, "page": page})


def _two_newest(runs: Sequence[Row]) -> str:
    """The differences of the newest run that has ended and the one before it of the same test."""
    ended = [run for run in runs if run.get("ended")]
    twins = [run for run in ended if run["test_id"] == ended[0]["test_id"]] if ended else []
    return at("diff", twins[1]["run_id"], twins[0]["run_id"]) if len(twins) > 1 else ""
