# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a run that have pages of their own: findings, steps, hosts, rack, context, one host, one result."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import isfinite
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS, PASSING, rank
from rack_recipes.analysis import run_statistics
from rack_recipes.analysis.findings import FINDING_KINDS, Finding
from rack_recipes.analysis.run_data import RunData, arrange_run, number_of, place_steps
from rack_recipes.analysis.run_statistics import count_bad
from rack_recipes.errors import UsageError
from rack_recipes.natural_order import natural
from rack_recipes.report.charts.chart_elements import Chart, Quantity
from rack_recipes.report.charts.heat_map import map_by_place, verdict_map
from rack_recipes.report.charts.timeline import run_timeline
from rack_recipes.report.page.hosts_by_rack import address
from rack_recipes.report.page.page_tables import MOST_ROWS
from rack_recipes.report.table_model import RUN_SCOPED, Column, Table, as_text, in_words, text_or_none
from rack_recipes.report.tables import columns as of
from rack_recipes.store.reading import counts_and_short_results, recorded_runs
from rack_recipes.store.reading.reading_order import by_names
from rack_recipes.web.actions.run_forms import waiver_form
from rack_recipes.web.page_model import (
    Asked,
    LinkedTable,
    Page,
    Section,
    above_run,
    page_address,
    table,
    to_result,
    to_run,
)
from rack_recipes.web.views import attachments
from rack_recipes.web.views.runs import findings_of

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource

Row = Mapping[str, Any]
PAST, MOST_ON_MAP = 50, 400
ON_MAP = ("host", "step", "idx", "verdict", "parent", "instances")
TIMED = tuple(name for name in counts_and_short_results.SHORT if name not in ("reason", "through"))
COUNTS = (
    of.HOST,
    of.VERDICT,
    Column("rack", "Rack"),
    Column("position", "Position"),
    of.RESULTS,
    Column("bad", "Not passed", "number"),
)
BY_PLACE = (COUNTS[2], COUNTS[3], of.HOST, of.VERDICT, of.RESULTS, COUNTS[5])
RESULTS = (of.VERDICT, of.STEP, of.REASON, of.SECONDS, of.TRIES, Column("started", "Started (UTC)", "time"))
PAST_RESULTS = (
    of.VERDICT,
    Column("run_id", "Run"),
    Column("started", "Started (UTC)", "time"),
    of.SECONDS,
    of.TRIES,
    Column("flake", "Flake"),
    of.REASON,
)
MEASURED = (of.STEP, of.NAME, of.VALUE, of.UNIT, of.VERDICT, of.LIMITS, of.DISTANCE)
FINDINGS = (
    Column("grade", "Grade"),
    Column("title", "Finding"),
    Column("action", "Action"),
    Column("advice", "Do next"),
    Column("explains", "Explains", "number"),
)


def findings(source: PageSource, asked: Asked) -> Page:
    """All that the last analysis of a run has found, by kind, causes first."""
    run = source.run_of(asked.names["run"])
    found = _found(source, asked, run)
    sections = [
        _of_kind(run, kind, [(n, one) for n, one in found if one.kind == kind])
        for kind in dict.fromkeys([*FINDING_KINDS])
        if any(one.kind == kind for _n, one in found)
    ]
    none = "" if found else f"This run was not analysed: `rack-recipes analyse {run['run_id']}` does it."
    return Page("Findings", sections=sections, above=above_run(run), status=run["status"] or "running", about=none)


def _found(source: PageSource, asked: Asked, run: Row) -> list[tuple[int, Finding]]:
    """What was found about a run, each with its number."""
    counts = run["counts"] or {
        "": sum(row["results"] for row in counts_and_short_results.count_results(source.store(), [run["run_id"]]))
    }
    results = sum(counts.values())
    return [*enumerate(findings_of(source, asked, run["run_id"], results), 1)]


def _about(source: PageSource, asked: Asked, run: Row, host: str, step: str = "") -> Sequence[Section]:
    """The findings that rest on a host, or on one of its results, for those who may read all keys."""
    if not asked.caller.reads_all:
        return []
    found = [
        (n, one)
        for n, one in _found(source, asked, run)
        if any(result.host == host and step in ("", result.step) for result in one.results)
    ]
    name = f"{step} on {host or RUN_SCOPED}" if step else host or RUN_SCOPED
    listed = _listed(run, "findings", "Findings", found, page_address("runs", run["run_id"], "findings"))
    return [Section("findings", f"Findings about {name}", table=listed)] if found else []


def _of_kind(run: Row, kind: str, found: Sequence[tuple[int, Finding]]) -> Section:
    about = FINDING_KINDS[kind]
    return Section(kind, about.title, about.about, _listed(run, kind, about.title, found))


def _listed(run: Row, name: str, title: str, found: Sequence[tuple[int, Finding]], link: str = "") -> LinkedTable:
    """Findings as a table; each leads to `link`, else to the first result that it rests on."""
    rows = [
        {
            "grade": one.grade,
            "title": f"{one.title}{' (suggestion)' if one.suggestion else ''}",
            "action": one.action or None,
            "advice": one.advice or None,
            "explains": one.explains or None,
            "n": n,
            "first": next(iter(one.results), None),
        }
        for n, one in found
    ]

    def where(row: Row) -> str:
        first = row["first"]
        if link or first is None:
            return link
        return page_address("runs", run["run_id"], "hosts", first.host, first.step) if first.step else ""

    return table(name, title, FINDINGS, rows, {"title": where})


def steps(source: PageSource, asked: Asked) -> Page:
    """The steps of a run: how many passed, how long they took, on a timeline."""
    run = source.run_of(asked.names["run"])
    rows, chart = source.of_run(run, "steps", lambda: _timed_steps(source, run))

    def to_results(row: Row) -> str:
        return f"{to_run(run)}#results&step={address(row['step'])}"

    def to_slowest(row: Row) -> str:
        host = row.get("slowest_host")
        return page_address("runs", run["run_id"], "hosts", host, row["step"]) if host is not None else ""

    listed = table("steps", "Steps", of.STEPS, rows, {"step": to_results, "slowest_host": to_slowest})
    sections = [
        Section("steps", "Steps", of.ABOUT_STEPS, listed),
        *(
            [Section("timeline", "Timeline", "From the first start to the last end on any host.", chart=chart)]
            if chart
            else []
        ),
    ]
    return Page("Steps", sections=sections, above=above_run(run), status=run["status"] or "running")


def _timed_steps(source: PageSource, run: Row) -> tuple[list[Row], Chart | None]:
    found = counts_and_short_results.short_results(source.store(), run["run_id"], columns=TIMED)
    data = place_steps(RunData(run=run, steps=found))
    timed = [row for row in data.steps if row["started"] and row["tries"]]
    rows: list[Row] = [*run_statistics.by_step(data, run_statistics.timed_results(data))]
    return rows, run_timeline(timed, run) if timed else None


def hosts(source: PageSource, asked: Asked) -> Page:
    """The hosts of a run, those that did not pass first."""
    run = source.run_of(asked.names["run"])
    rows = sorted(
        _hosts(source, run), key=lambda row: (rank(row["verdict"]) if row["verdict"] else 99, natural(row["host"]))
    )
    links = {"host": lambda row: page_address("runs", run["run_id"], "hosts", row["host"])}
    section = Section(
        "hosts", "Hosts", "With the gravest verdict of each.", table("hosts", "Hosts", COUNTS, rows, links)
    )
    return Page("Hosts", sections=[section], above=above_run(run), status=run["status"] or "running")


def _hosts(source: PageSource, run: Row) -> Iterator[dict[str, Any]]:
    attributes = recorded_runs.attributes(source.store(), run["run_id"])
    found: dict[str, Counter[str]] = {host: Counter() for host in attributes}
    for row in counts_and_short_results.count_results(source.store(), [run["run_id"]], "host", "verdict"):
        found.setdefault(row["host"], Counter())[row["verdict"]] += row["results"]
    for host, counts in found.items():
        if host:
            own = attributes.get(host, {})
            yield {
                "host": host,
                "verdict": min(counts, key=rank, default=None),
                "rack": text_or_none(own.get("rack")),
                "position": text_or_none(own.get("position")),
                "results": counts.total(),
                "bad": count_bad(counts),
            }


def rack(source: PageSource, asked: Asked) -> Page:
    """Every step of every host by its place in the racks; with `?measurement=` its values by rack and position."""
    run, store = source.run_of(asked.names["run"]), source.store()
    attributes = recorded_runs.attributes(store, run["run_id"])
    measured = counts_and_short_results.measured_names(store, [run["run_id"]])
    here = ("runs", run["run_id"], "rack")
    links = [
        ("Verdicts", page_address(*here)),
        *(
            (f"{row['name']} of {row['step']}", page_address(*here, measurement=row["name"], step=row["step"]))
            for row in measured
        ),
    ]
    name = asked.query.get("measurement", "")
    if name:
        chart = _values_by_place(source, run, asked, attributes)
    else:
        chart = source.of_run(run, "rack", lambda: _verdicts_by_place(source, run, attributes))
    about = "A column for each step; hosts by rack, from the top down." if not name else "By rack and position."
    if chart is None:
        about = "No picture: no host with this number has a rack and a position in the inventory."
    values = _values_of_hosts(source, run, asked) if name else []
    by_place = sorted(_hosts(source, run), key=lambda row: _place(attributes.get(row["host"], {})))
    to_host = {"host": lambda row: page_address("runs", run["run_id"], "hosts", row["host"])}
    sections = [
        Section("map", name or "Verdicts", about, chart=chart, links=links if measured else ()),
        *values,
        Section("places", "Hosts by their places", table=table("places", "Hosts", BY_PLACE, by_place, to_host)),
    ]
    return Page("Rack view", sections=sections, above=above_run(run), status=run["status"] or "running")


def _verdicts_by_place(source: PageSource, run: Row, attributes: Mapping[str, Row]) -> Chart:
    found = counts_and_short_results.short_results(source.store(), run["run_id"], columns=ON_MAP)
    names, matrix = run_statistics.matrix(arrange_run(RunData(run=run, steps=found)))
    if not matrix:
        raise UsageError(f"run {run['run_id']} has no results")
    order = {row["host"]: _place(attributes.get(row["host"], {})) for row in matrix}
    ordered = sorted(matrix, key=lambda row: order[row["host"]])
    if len(ordered) > MOST_ON_MAP:
        ordered = _by_rack(ordered, attributes)
    cells = tuple((row["host"] or RUN_SCOPED, *map(row["verdicts"].get, names)) for row in ordered)
    columns = (of.HOST, *(Column(step, step, "verdict") for step in names))
    return verdict_map(Table("matrix", "Verdicts", columns, cells, "Verdicts of every host and step."))


def _place(own: Row) -> tuple[Any, ...]:
    """By rack, from the top of each down."""
    position = own.get("position")
    high = -float(position) if isinstance(position, int | float) else 0.0
    return natural(str(own.get("rack") or "")), high, natural(str(position or ""))


def _by_rack(matrix: Sequence[Row], attributes: Mapping[str, Row]) -> list[Row]:
    """A row for each rack with the gravest verdict of its hosts, where a row for each host would be too thin."""
    groups = groupby(matrix, key=lambda row: str(attributes.get(row["host"], {}).get("rack") or "no rack"))
    found: list[Row] = []
    for name, rows in groups:
        verdicts: dict[str, str] = {}
        for row in rows:
            for step, verdict in row["verdicts"].items():
                verdicts[step] = min(verdict, verdicts.get(step, verdict), key=rank)
        found.append({"host": name, "verdicts": verdicts})
    return found


def _rows_of(source: PageSource, run: Row, asked: Asked) -> list[Row]:
    """The finite values of the measurement of an address."""
    name, step = asked.query["measurement"], asked.query.get("step", "")
    found = recorded_runs.measurements(source.store(), run["run_id"], name=name, step=step or None)
    return [row for row in found if row["name"] == name and isfinite(number_of(row["value"]))]


def _values_of_hosts(source: PageSource, run: Row, asked: Asked) -> list[Section]:
    """The values behind the picture, the least first."""
    told = [
        {**row, "run_id": run["run_id"], "limits": in_words(row["limits"], " ")} for row in _rows_of(source, run, asked)
    ]
    told.sort(key=lambda row: number_of(row["value"]))
    listed = table("values", "Values", (of.HOST, *MEASURED), told, {"host": to_result})
    return [Section("values", "Values", "The least first.", listed)]


def _values_by_place(source: PageSource, run: Row, asked: Asked, attributes: Mapping[str, Row]) -> Chart | None:
    """None where no host with a value has a place in the inventory. Raises UsageError where there are no values."""
    name, rows = asked.query["measurement"], _rows_of(source, run, asked)
    cells = {
        (as_text(own["rack"]), as_text(own["position"])): number_of(row["value"])
        for row in rows
        if (own := attributes.get(row["host"], {})).get("rack") is not None and own.get("position") is not None
    }
    if not rows:
        raise UsageError(f"run {run['run_id']} has no numbers {name!r}")
    if not cells:
        return None
    unit = next((row["unit"] for row in rows if row["unit"]), "")
    return map_by_place(Quantity(name, unit), cells, "places", name)


def context(source: PageSource, asked: Asked) -> Page:
    """The context as the run left it."""
    run = source.run_of(asked.names["run"])
    found = recorded_runs.context(source.store(), run["run_id"], most=None if asked.as_data else MOST_ROWS, brief=True)
    links = {"key": lambda row: page_address("keys", row["key"], run=run["run_id"])}
    listed = table("context", "Context", of.CONTEXT, by_names(found, "key", "host"), links)
    about = "The context as the run left it."
    if len(found) == MOST_ROWS and (total := recorded_runs.number_of_values(source.store(), run["run_id"])) > MOST_ROWS:
        about = f"The first {MOST_ROWS:,} of {total:,} values. The page as data has all of them."
    return Page(
        "Context",
        sections=[Section("context", "Keys", about, listed)],
        above=above_run(run),
        status=run["status"] or "running",
    )


def one_host(source: PageSource, asked: Asked) -> Page:
    """One host in one run: its results, what did not pass first, its measurements and its keys."""
    run, store, host = source.run_of(asked.names["run"]), source.store(), asked.names["host"]
    found = counts_and_short_results.short_results(store, run["run_id"], _host_of(host))
    own = recorded_runs.attributes(store, run["run_id"]).get(host)
    if not found and own is None:
        raise UsageError(f"run {run['run_id']} has no host {host!r}")
    data = arrange_run(RunData(run=run, steps=found))
    rows = [{**row, "run_id": run["run_id"]} for row in sorted(data.steps, key=lambda row: row["verdict"] in PASSING)]
    listed = table("results", "Results", RESULTS, rows, {"step": to_result, "verdict": to_result})
    measured = recorded_runs.measurements(store, run["run_id"], host=_host_of(host))
    keys = recorded_runs.context(store, run["run_id"], _host_of(host))
    facts = [(name, as_text(value), "") for name, value in (own or {}).items()]
    worst = min((row["verdict"] for row in data.results), key=rank, default="")
    sections = [
        Section("results", "Results", "What did not pass first. A step leads to its log.", listed, facts=facts,
                links=[("All runs of this host", page_address("hosts", host))]),
        *_about(source, asked, run, _host_of(host)),
        *([Section("measurements", "Measurements", table=_measured(measured))] if measured else []),
        *([Section("context", "Context", table=_keys(run, keys))] if keys else []),
    ]  # fmt: skip
    return Page(
        host,
        sections=sections,
        above=above_run(run, ("Hosts", page_address("runs", run["run_id"], "hosts"))),
        status=worst,
    )


def _host_of(name: str) -> str:
    return "" if name == RUN_SCOPED else name


def _measured(rows: Sequence[Row]) -> LinkedTable:
    told = [{**row, "limits": in_words(row["limits"], " ")} for row in rows]
    return table(
        "measurements",
        "Measurements",
        MEASURED,
        told,
        {"name": lambda row: page_address("trends", row["name"], step=row["step"])},
    )


def _keys(run: Row, rows: Sequence[Row]) -> LinkedTable:
    return table(
        "context", "Context", of.CONTEXT, rows, {"key": lambda row: page_address("keys", row["key"], run=run["run_id"])}
    )


def one_result(source: PageSource, asked: Asked) -> Page:
    """One step on one host: each try with its log, what it measured and attached, and how it ended in earlier runs.

    With `?format=text` the log alone, with `?record=yes` also all that the store has of it.
    """
    run, store = source.run_of(asked.names["run"]), source.store()
    host, step = asked.names["host"], asked.names["step"]
    found = counts_and_short_results.result(store, run["run_id"], _host_of(host), step)
    if found is None:
        raise UsageError(f"run {run['run_id']} has no step {step!r} on {host!r}")
    if asked.query.get("format") == "text":
        return _log_file(run, host, step, found)
    logs = [
        Section(f"log-{place}", title, text=text, open=found["verdict"] not in HARMLESS)
        for place, (title, text) in enumerate(_logs(found), 1)
    ]
    measured = recorded_runs.measurements(store, run["run_id"], host=_host_of(host), step=step)
    past = [*filter(asked.sees, counts_and_short_results.past_results(store, _host_of(host), step, PAST))]
    form = waiver_form(found["verdict"], asked)
    earlier = [{**row, "flake": "flake" if row["flake"] else None} for row in past]
    here = ("runs", run["run_id"], "hosts", host, step)
    whole = asked.query.get("record") == "yes"
    links = [
        *([("This log as a file", page_address(*here, format="text"))] if logs else []),
        *([] if whole else [("The whole record", f"{page_address(*here, record='yes')}#record")]),
    ]
    sections = [
        Section("result", "Result", _changed(past, run["run_id"]), facts=_facts(found), links=links),
        *logs,
        *_about(source, asked, run, _host_of(host), step),
        *([Section("measurements", "Measurements", table=_measured(measured))] if measured else []),
        *attachments.of_result(source, run["run_id"], _host_of(host), step),
        *([Section("record", "The whole record", text=_record(found, measured), open=True)] if whole else []),
        Section("history", "This step on this host over the runs", "The newest first.",
                table("history", "History", PAST_RESULTS, earlier, {"run_id": to_result, "verdict": to_result})),
        *([Section("waive", form.title, form.about, form=form)] if form else []),
    ]  # fmt: skip
    own = (host, page_address("runs", run["run_id"], "hosts", host))
    names = ("host", "step", "verdict", "reason", "started", "seconds", "tries", "source_run")
    told = {**{name: found.get(name) for name in names}, "run_id": run["run_id"], "host": host, "step": step}
    data = {"result": told}
    return Page(f"{step} on {host}", sections=sections, data=data, above=above_run(run, own), status=found["verdict"])


def _record(found: Row, measured: Sequence[Row]) -> str:
    """All that the store has of a result."""
    return json.dumps({**found, "measurements": measured}, indent=2, ensure_ascii=False, default=str)


def _facts(found: Row) -> list[tuple[str, str, str]]:
    """What is known of a result beside its logs."""
    source, reason = found["source_run"], found["reason"]
    return [
        ("Verdict", found["verdict"], ""),
        *([("Reason", reason, "")] if reason else []),
        ("Started (UTC)", str(found["started"] or "")[:19].replace("T", " "), ""),
        ("Time", f"{found['seconds'] or 0:.3f} s", ""),
        ("Tries", str(found["tries"] or 0), ""),
        *([("From run", source, page_address("runs", source))] if source else []),
    ]


def _log_file(run: Row, host: str, step: str, found: Row) -> Page:
    """The logs of a result as a file, whose name has no sign that a header could mean something by."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{run['run_id']}-{host}-{step}.log")
    headers = (("content-disposition", f'attachment; filename="{name}"'),)
    body = "\n".join(text for _title, text in _logs(found)).encode("utf-8", "replace")
    return Page("", kind="text/plain; charset=utf-8", body=body, headers=headers)


def _changed(past: Sequence[Row], run_id: str) -> str:
    """Since when the verdict is what it is."""
    ids = [row["run_id"] for row in past]
    own = past[ids.index(run_id) :] if run_id in ids else []
    other = next((row for row in own if row["verdict"] != own[0]["verdict"]), None)
    if len(own) < 2:
        return "No earlier run has this step on this host."
    if other is None:
        return f"The same in all {len(own)} runs that are known."
    first = next(place for place, row in enumerate(own) if row["verdict"] != own[0]["verdict"])
    since = own[first - 1]["run_id"]
    return f"It has been so since run {since}; before that it was {other['verdict']}, in run {other['run_id']}."


def _logs(found: Row) -> Iterator[tuple[str, str]]:
    """The output of each try, the last one first."""
    attempts = found["attempts"] or []
    for place, attempt in reversed([*enumerate(attempts, 1)]):
        for name in ("stderr", "stdout"):
            text = str(attempt.get(name) or "").rstrip()
            if text:
                number = f" of try {place}" if len(attempts) > 1 else ""
                yield f"{name}{number}", text
