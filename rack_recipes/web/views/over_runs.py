# SPDX-License-Identifier: GPL-3.0-or-later

"""What several runs say: a host, a key, a measurement over the runs; the differences of two runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import rank
from rack_recipes.analysis.findings import format_amount, the_last
from rack_recipes.analysis.run_statistics import count_bad
from rack_recipes.errors import UsageError
from rack_recipes.natural_order import natural
from rack_recipes.report.charts.chart_elements import Limit, Quantity
from rack_recipes.report.charts.trend import Change, TrendPoint, trend
from rack_recipes.report.table_model import Column, as_text
from rack_recipes.report.tables import columns as of
from rack_recipes.store.reading import counts_and_short_results, recorded_runs
from rack_recipes.web.page_model import Asked, Page, Section, page_address, table, to_run

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource

Row = Mapping[str, Any]
LAST, MOST = 20, 200
WINDOWS = (10, 20, 50, 100, 200)
RUN = Column("run_id", "Run")
BEFORE, AFTER = Column("before", "First run"), Column("after", "Second run")
HOSTS = (
    of.HOST,
    of.VERDICT,
    RUN,
    Column("runs", "Runs", "number"),
    Column("bad_runs", "Runs in which it did not pass", "number"),
)
OF_HOST = (
    of.VERDICT,
    RUN,
    Column("started", "Started (UTC)", "time"),
    of.RESULTS,
    Column("bad", "Not passed", "number"),
)
KEYS = (
    of.KEY,
    Column("hosts", "Hosts", "number"),
    Column("changes", "Writes", "number"),
    Column("time", "Last write (UTC)", "time"),
)
OF_KEY = (
    Column("version", "Version", "number"),
    of.HOST,
    Column("before", "From", "json"),
    Column("after", "To", "json"),
    of.STEP,
    Column("who", "Set by"),
    Column("time", "Set at (UTC)", "time"),
)
MEASURED = (of.NAME, of.STEP, of.UNIT, Column("values", "Values", "number"))
POINTS = (
    RUN,
    Column("started", "Started (UTC)", "time"),
    Column("value", "Value", "number"),
    Column("change", "Change of level"),
    Column("beyond", "Hosts beyond their limits in the run", "number"),
)
WORDS = {
    "run": "The runs themselves",
    "verdicts": "Verdicts",
    "measurements": "Measurements",
    "context": "Context",
    "durations": "Durations",
}
CHANGES: Mapping[str, Sequence[Column]] = {
    "run": (Column("field", "Field"), BEFORE, AFTER),
    "verdicts": (
        Column("before", "First run", "verdict"),
        Column("after", "Second run", "verdict"),
        of.STEP,
        of.HOST,
        of.REASON,
    ),
    "measurements": (of.NAME, BEFORE, AFTER, of.UNIT, Column("percent", "Change", "number", "%"), of.STEP, of.HOST),
    "context": (of.KEY, Column("field", "Field"), BEFORE, AFTER, of.HOST),
    "durations": (
        Column("before", "First run", "seconds", "s"),
        Column("after", "Second run", "seconds", "s"),
        Column("percent", "Change", "number", "%"),
        of.STEP,
        of.HOST,
    ),
}


def _newest(source: PageSource, number: int) -> Sequence[Row]:
    return recorded_runs.runs(source.store())[:number]


def hosts(source: PageSource, asked: Asked) -> Page:
    """The hosts of the last runs, with the newest verdict of each."""
    runs = _newest(source, asked.number("last", LAST, MOST))
    order = {run["run_id"]: place for place, run in enumerate(runs)}
    found: dict[str, dict[str, Counter[str]]] = {}
    for row in counts_and_short_results.count_results(source.store(), order, "run_id", "host", "verdict"):
        found.setdefault(row["host"], {}).setdefault(row["run_id"], Counter())[row["verdict"]] += row["results"]
    rows = [_host_row(host, own, order) for host, own in found.items() if host]
    rows.sort(key=lambda row: (-row["bad_runs"], natural(row["host"])))
    listed = table(
        "hosts", "Hosts", HOSTS, rows, {"host": lambda row: page_address("hosts", row["host"]), "run_id": to_run}
    )
    about = f"Of {the_last(len(runs), 'run')}; those that most often did not pass first."
    return Page("Hosts", sections=[Section("hosts", "Hosts", about, listed)])


def _host_row(host: str, own: Mapping[str, Counter[str]], order: Mapping[str, int]) -> dict[str, Any]:
    newest = min(own, key=order.__getitem__)
    bad = sum(count_bad(counts) > 0 for counts in own.values())
    return {"host": host, "verdict": min(own[newest], key=rank), "run_id": newest, "runs": len(own), "bad_runs": bad}


def one_host(source: PageSource, asked: Asked) -> Page:
    """One host over the runs: its gravest verdict in each, and what analyses have found about it."""
    host, store = asked.names["host"], source.store()
    with_host = counts_and_short_results.runs_with_host(store, host)
    runs = [run for run in recorded_runs.runs(store) if run["run_id"] in with_host][: asked.number("last", LAST, MOST)]
    if not runs:
        raise UsageError(f"no run in the store has a host {host!r}")
    counts: dict[str, Counter[str]] = {}
    ids = [run["run_id"] for run in runs]
    for row in counts_and_short_results.count_results(store, ids, "run_id", "verdict", host=host):
        counts.setdefault(row["run_id"], Counter())[row["verdict"]] += row["results"]
    rows = [
        {
            **run,
            "verdict": min(counts.get(run["run_id"], Counter()), key=rank, default=None),
            "results": counts.get(run["run_id"], Counter()).total(),
            "bad": count_bad(counts.get(run["run_id"], Counter())),
        }
        for run in runs
    ]

    def here(row: Row) -> str:
        return page_address("runs", row["run_id"], "hosts", host)

    own = recorded_runs.attributes(store, runs[0]["run_id"]).get(host, {})
    facts = [(name, as_text(value), "") for name, value in own.items()]
    listed = table("runs", "Runs", OF_HOST, rows, {"run_id": here, "verdict": here})
    about = "The newest first, with the gravest verdict of each. The facts are those of the newest."
    return Page(
        host,
        sections=[Section("runs", "Runs", about, listed, facts=facts)],
        above=(("Hosts", "/hosts"),),
        status=rows[0]["verdict"] or "",
    )


def keys(source: PageSource, asked: Asked) -> Page:
    """The keys of the context that the last runs have set."""
    runs = _newest(source, asked.number("last", LAST, MOST))
    found = counts_and_short_results.keys_of_runs(source.store(), [run["run_id"] for run in runs])
    listed = table("keys", "Keys", KEYS, found, {"key": lambda row: page_address("keys", row["key"])})
    about = f"What was set in {the_last(len(runs), 'run')}."
    return Page("Keys", sections=[Section("keys", "Keys", about, listed)])


def one_key(source: PageSource, asked: Asked) -> Page:
    """Who set a key in a run, when, from what to what; the newest run that has it, or `?run=`."""
    key, store = asked.names["key"], source.store()
    runs = counts_and_short_results.runs_with_key(store, key, LAST)
    if not runs:
        raise UsageError(f"no run in the store has set {key!r}")
    chosen = recorded_runs.find(store, asked.query["run"]) if asked.query.get("run") else runs[0]
    found = recorded_runs.history(store, chosen, key, asked.query.get("host") or None)
    links = {"host": lambda row: page_address("keys", key, run=chosen, host=row["host"]) if row["host"] else ""}
    of_run = ("Run", chosen, page_address("runs", chosen))
    sections = [
        Section("history", f"In run {chosen}", "Who set it, when, from what to what.",
                table("history", "History", OF_KEY, found, links), facts=[of_run]),
        Section("runs", "Other runs", links=[(one, page_address("keys", key, run=one)) for one in runs]),
        Section("more", "Numbers inside", links=[("Over the runs", page_address("trends", key))]),
    ]  # fmt: skip
    return Page(key, sections=sections, above=(("Keys", "/keys"),))


def trends(source: PageSource, asked: Asked) -> Page:
    """What the last runs have measured."""
    runs = _newest(source, asked.number("last", LAST, MOST))
    found = counts_and_short_results.measured_names(source.store(), [run["run_id"] for run in runs])
    listed = table(
        "measured",
        "Measurements",
        MEASURED,
        found,
        {"name": lambda row: page_address("trends", row["name"], step=row["step"])},
    )
    about = f"Measured in {the_last(len(runs), 'run')}. The pages of keys have the trends of numbers in the context."
    return Page("Trends", sections=[Section("measured", "Measurements", about, listed)])


def one_trend(source: PageSource, asked: Asked) -> Page:
    """A measurement, or a number in the context, over the runs, with limits, changes of level and the trend."""
    from rack_recipes.analysis.stored_trends import stored_trends

    key, query, store = asked.names["key"], asked.query, source.store()
    last = asked.number("last", LAST, MOST)
    until = recorded_runs.find(store, query["until"]) if query.get("until") else ""
    run_id, told = stored_trends(store, key, query.get("host", ""), query.get("step", ""), last, until)
    sections = [_window(asked, last, run_id, told), *(_series(place, one) for place, one in enumerate(told, 1))]
    data = {"key": key, "run_id": run_id, "series": told}
    return Page(key, sections=sections, data=data, above=(("Trends", "/trends"),))


def _window(asked: Asked, last: int, run_id: str, told: Sequence[Row]) -> Section:
    """Which runs are shown, and the way to others."""
    until = asked.query.get("until", "")
    same = {name: asked.query.get(name, "") for name in ("step", "host")}

    def address(number: int, end: str) -> str:
        return page_address("trends", asked.names["key"], **same, last=number, until=end)

    first = min((one["values"][0] for one in told), key=lambda value: value["started"] or "")["run_id"]
    has_earlier = any(one["of_runs"] > one["runs"] for one in told)
    links = [
        *([(f"{last} runs before", address(last, first))] if has_earlier and first != run_id else []),
        *([("The newest", address(last, ""))] if until else []),
        *((f"{number} runs", address(number, until)) for number in WINDOWS if number != last),
    ]
    about = f"The last {last} runs of the test that have it, up to run {run_id}."
    return Section("window", "Runs", about, links=links)


def _series(place: int, told: Row) -> Section:
    points = [TrendPoint(one["run_id"], one["started"] or "", one["value"]) for one in told["values"]]
    unit = told["unit"]
    changes = {
        one["since"]: f"{format_amount(one['before'], '')} to {format_amount(one['after'], unit)}"
        for one in told["changes"]
    }
    name = "strictest limit" if told["limits_of_hosts"] else "limit"
    limits = [Limit(name, end) for end in told["limits"]]
    marks = [Change(run_id, words.removesuffix(f" {unit}")) for run_id, words in changes.items()]
    chart = trend(Quantity(told["name"], unit), {told["whose"]: points}, limits, marks, partial(page_address, "runs"))
    rows = [
        {**one, "change": changes.get(one["run_id"]), "beyond": len(one["beyond"]) or None}
        for one in reversed(told["values"])
    ]
    listed = table(f"values-{place}", "Values", POINTS, rows, {"run_id": to_run})
    of_step = f" of {told['step']}" if told["step"] else ""
    title = f"{told['name']}{of_step}, {told['whose']}"
    return Section(f"series-{place}", title, _trend_words(told), listed, chart)


def _trend_words(told: Row) -> str:
    """What the series says, or why no trend is told."""
    from rack_recipes.analysis.stored_trends import told_in_words

    return " ".join(f"{sentence[:1].upper()}{sentence[1:]}." for sentence in told_in_words({**told}))


def differences(source: PageSource, asked: Asked) -> Page:
    """What changed between two runs: verdicts first."""
    from rack_recipes.analysis.regressions_and_baselines import stored_changes

    store = source.store()
    first, second = (recorded_runs.find(store, asked.names[name]) for name in ("first", "second"))
    found = stored_changes(store, first, second)
    sections = [_changes(name, WORDS[name], found[name], second) for name in WORDS if found[name]]
    facts = [("First run", first, page_address("runs", first)), ("Second run", second, page_address("runs", second))]
    links = [("The other way round", page_address("diff", second, first))]
    about = "" if sections else "Nothing differs."
    return Page(
        f"{first} and {second}",
        sections=[Section("runs", "Compared", about, facts=facts, links=links), *sections],
        data={"runs": [first, second], "changes": found},
        above=(("Runs", "/runs"),),
    )


def _changes(name: str, title: str, found: Sequence[Row], second: str) -> Section:
    is_number = name == "durations"
    rows = [row if is_number else {**row, **{side: _side(row, side) for side in ("before", "after")}} for row in found]

    def to_result_of(row: Row) -> str:
        return (
            page_address("runs", second, "hosts", row["host"], row["step"])
            if row.get("after") and row.get("step")
            else ""
        )

    listed = table(name, title, CHANGES[name], rows, {"step": to_result_of})
    return Section(name, f"{title}: {len(found):,}", table=listed)


def _side(row: Row, side: str) -> str | None:
    return as_text(row[side]) if side in row else None
