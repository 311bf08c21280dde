# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of runs, above it the state of each test and of each rack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, VERDICTS, rank
from rack_recipes.analysis.run_statistics import count_bad
from rack_recipes.errors import StoreError, counted
from rack_recipes.journal.step_results_and_end_status import counts_in_words
from rack_recipes.natural_order import natural
from rack_recipes.report import format_values
from rack_recipes.report.charts.heat_map import proportions_of
from rack_recipes.report.page.since_when import RunBar, runs_chart
from rack_recipes.report.table_model import as_text, in_words
from rack_recipes.report.tables.summary_and_finding_tables import duration
from rack_recipes.store.reading import counts_and_short_results, recorded_runs
from rack_recipes.visible_text import visible
from rack_recipes.web.page_model import Asked, NoSuchPageError, Page, page_address, to_run

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource
Row = Mapping[str, Any]
AT_ONCE = 50
SORTS: Mapping[str, Callable[[Row], Any]] = {
    "started": lambda run: run["started"] or "",
    "ended": lambda run: run.get("ended") or "",
    "duration": lambda run: run["seconds"] or 0.0,
    "test": lambda run: run["test_id"] or "",
    "status": lambda run: run["status"],
}


def all_runs(source: PageSource, asked: Asked) -> Page:
    """The runs that the query leaves, a page of them."""
    live = [one.about() for one in source.going_on().values()]
    stored, problem = _stored_runs(source)
    note = "; ".join(filter(None, (problem, asked.caller.restriction)))
    known = {run["run_id"] for run in live}
    seen = [run for run in (*live, *(run for run in stored if run["run_id"] not in known)) if asked.sees(run)]
    everything = [*map(_row, seen)]
    found = _sorted(_filtered(source, everything, asked), asked)
    page = asked.number("page", 1, max(1, -(-len(found) // AT_ONCE)))
    shown = found[(page - 1) * AT_ONCE : page * AT_ONCE]
    told = {
        "rows": [_card(run) for run in shown],
        "tests": tests_of(seen),
        "racks": _racks(source, stored, asked),
        "total": len(everything),
        "found": len(found),
        "live": len(live),
        "note": note,
        "query": asked.query,
        "choices": _choices(everything),
        "sorts": [*SORTS],
        "newer": _page_at(asked, page - 1) if page > 1 else "",
        "older": _page_at(asked, page + 1) if page * AT_ONCE < len(found) else "",
        "differences": _two_newest(found),
    }
    data = {
        "total": len(everything),
        "found": len(found),
        "page": page,
        **({"problem": problem} if problem else {}),
        "runs": [_run_for_programs(run) for run in shown],
    }
    return Page("Runs", "runs.html.j2", told=told, data=data)


def _card(run: Row) -> dict[str, Any]:
    """A run as the list shows it."""
    counts = {verdict: number for verdict, number in (run.get("counts") or {}).items() if number}
    texts = {name: visible(str(run.get(name) or "")) for name in ("test_id", "recipe", "results", "labels", "run_id")}
    return {
        **run,
        **texts,
        "address": to_run(run),
        "took": format_values.seconds(run["seconds"]),
        "bar": proportions_of(counts) if counts else "",
    }


RUNNING = "running"
STATES = tuple(dict.fromkeys([RUNNING, *VERDICTS, *format_values.STATUSES, "incomplete"]))
"""The words that the status of a run may be."""
MOST_BARS, MOST_TESTS = 20, 12


@dataclass(frozen=True, slots=True)
class TestState:
    """A test: its newest run, and a picture of its last ones, the newest at the right."""

    test_id: str
    newest: Row
    address: str
    chart: Markup


def tests_of(runs: Sequence[Row]) -> Sequence[TestState]:
    """The tests that ran last, by their runs with the newest first; those that go on are left out."""
    by_test: dict[str, list[Row]] = {}
    for run in runs:
        if run.get("ended") and run.get("test_id"):
            by_test.setdefault(str(run["test_id"]), []).append(run)
    return [_test_state(test_id, own[:MOST_BARS]) for test_id, own in islice(by_test.items(), MOST_TESTS)]


def _test_state(test_id: str, runs: Sequence[Row]) -> TestState:
    newest = _row(runs[0])
    bars = [_run_bar(run) for run in reversed(runs)]
    name = visible(test_id)
    title = f"The last {counted(len(bars), 'run')} of {name}, the newest at the right"
    return TestState(name, newest, page_address("runs", test=test_id), runs_chart(bars, title))


def _run_bar(run: Row) -> RunBar:
    counts = run.get("counts") or {}
    tried = sum(number for verdict, number in counts.items() if verdict not in NOT_TRIED)
    return RunBar(run["run_id"], str(run["status"]), str(run["started"] or ""), count_bad(counts), tried)


LAST_OF_RACKS, MOST_RACKS = 20, 24


@dataclass(frozen=True, slots=True)
class RackState:
    """A rack: how many of its hosts did not pass when they ran last, the gravest verdict, and the newest run of it."""

    rack: str
    verdict: str
    hosts: int
    bad: int
    run_id: str
    started: str
    address: str


def _racks(source: PageSource, stored: Sequence[Row], asked: Asked) -> Sequence[RackState]:
    """The racks of the last runs that who asks may see, those that did not pass first."""
    runs = [run for run in stored if asked.sees(run) and run.get("ended")][:LAST_OF_RACKS]
    if not runs:
        return ()
    name = ("racks", *(run["run_id"] for run in runs))
    known: Sequence[RackState] | None = source.kept.get(name)
    return source.keep(name, [*_rack_states(source, runs)]) if known is None else known


def _rack_states(source: PageSource, runs: Sequence[Row]) -> Iterator[RackState]:
    store, order = source.store(), {run["run_id"]: place for place, run in enumerate(runs)}
    newest: dict[str, tuple[int, list[str]]] = {}  # of each host: the place of its newest run, its verdicts there
    for row in counts_and_short_results.count_results(store, [*order], "run_id", "host", "verdict"):
        place = order[row["run_id"]]
        kept = newest.get(row["host"])
        if kept is None or place < kept[0]:
            newest[row["host"]] = (place, [row["verdict"]])
        elif place == kept[0]:
            kept[1].append(row["verdict"])
    racks: dict[str, dict[str, str]] = {}
    for place in sorted({place for place, _verdicts in newest.values()}):
        for host, own in recorded_runs.attributes(store, runs[place]["run_id"]).items():
            if own.get("rack") and host in newest and newest[host][0] == place:
                racks.setdefault(as_text(own["rack"]), {})[host] = min(newest[host][1], key=rank)
    states = [_rack_state(rack, hosts, min(newest[host][0] for host in hosts), runs) for rack, hosts in racks.items()]
    yield from sorted(states, key=lambda one: (not one.bad, natural(one.rack)))[:MOST_RACKS]


def _rack_state(rack: str, hosts: Mapping[str, str], place: int, runs: Sequence[Row]) -> RackState:
    bad = count_bad(Counter(hosts.values()))
    run, gravest = runs[place], min(hosts.values(), key=rank)
    return RackState(
        visible(rack),
        gravest,
        len(hosts),
        bad,
        run["run_id"],
        str(run["started"]),
        page_address("runs", run["run_id"], "rack"),
    )


def _stored_runs(source: PageSource) -> tuple[Sequence[Row], str]:
    """The runs in the store, and why there are none. A store that is made by the first run is no fault."""
    try:
        return recorded_runs.runs(source.store()), ""
    except StoreError as error:
        return [], str(error)


def _row(run: Row) -> dict[str, Any]:
    counts = counts_in_words(run.get("counts") or {})
    seconds = duration(run.get("started"), run.get("ended"))
    labels = {str(name): value for name, value in (run.get("labels") or {}).items()}
    told = {"seconds": seconds, "results": counts, "labels": in_words(labels, ": "), "given_labels": labels}
    return {**run, **told, "status": run.get("status") or "running"}


def _run_for_programs(run: Row) -> dict[str, Any]:
    names = ("run_id", "status", "test_id", "recipe", "started", "ended", "seconds", "hosts", "counts")
    return {**{name: run.get(name) for name in names}, "labels": run["given_labels"], "address": to_run(run)}


def _filtered(source: PageSource, runs: Sequence[Row], asked: Asked) -> list[Row]:
    """The runs with all words of `q`, and with the label, the status, the test and the host of the query."""
    words = asked.query.get("q", "").lower().split()
    wanted = {name: asked.query[name] for name in ("label", "status", "test") if asked.query.get(name)}
    if wanted.get("status", RUNNING) not in STATES:  # nobody may take a word that is none for "no run is like this"
        raise NoSuchPageError(f"status={wanted['status'][:40]}: there are {', '.join(STATES)}")
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
    return sorted(runs, key=SORTS[name], reverse=name in ("started", "ended", "duration"))


def _choices(runs: Sequence[Row]) -> dict[str, list[str]]:
    """What the filters offer."""
    return {
        "status": sorted({run["status"] for run in runs}),
        "test": sorted({run["test_id"] for run in runs if run.get("test_id")}),
        "label": sorted({label for run in runs for label in _labels(run)}),
    }


def _page_at(asked: Asked, page: int) -> str:
    return page_address("runs", **{**asked.query, "page": page})


def _two_newest(runs: Sequence[Row]) -> str:
    """The differences of the newest run that has ended and the one before it of the same test."""
    ended = [run for run in runs if run.get("ended")]
    twins = [run for run in ended if run["test_id"] == ended[0]["test_id"]] if ended else []
    return page_address("diff", twins[1]["run_id"], twins[0]["run_id"]) if len(twins) > 1 else ""
