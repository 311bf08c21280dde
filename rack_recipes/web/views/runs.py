# SPDX-License-Identifier: GPL-3.0-or-later

"""The first page of one run.

Its report's first screen at once, its results when they are asked for, live while it goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS, NOT_TRIED, rank
from rack_recipes.analysis import run_statistics
from rack_recipes.analysis.findings import Finding, finding_from_row
from rack_recipes.analysis.run_data import RunData, arrange_run
from rack_recipes.errors import StoreError, UsageError
from rack_recipes.natural_order import natural
from rack_recipes.report.charts.heat_map import proportions
from rack_recipes.report.format_values import for_script, visible
from rack_recipes.report.page import hosts_by_rack, run_and_finding_texts
from rack_recipes.report.page.hosts_by_rack import HostPlace, rack_picture
from rack_recipes.report.page.page_tables import block_data
from rack_recipes.report.page.since_when import since_when
from rack_recipes.report.table_model import Column, Table, as_text, rows, text_or_none
from rack_recipes.report.tables import columns as of
from rack_recipes.report.tables.summary_and_finding_tables import (
    PAST_RUNS,
    finding_results,
    finding_tables,
    past_runs,
    summary,
)
from rack_recipes.store.reading import counts_and_short_results, recorded_runs
from rack_recipes.web.actions.run_forms import baseline_form, stop_form
from rack_recipes.web.page_model import Asked, NoSuchPageError, Page, page_address

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource
Row = Mapping[str, Any]
OF_RESULTS = ("host", "step", "verdict", "reason", "seconds", "tries", "source_run", "started")
RESULTS = tuple(column for column in of.VERDICTS if column.name in OF_RESULTS)
ABOVE = (("Runs", "/runs"),)
OVER_RUNS = frozenset({"regression", "baseline", "change_point", "drift", "flake", "moved"})  # kinds of findings


def one_run(source: PageSource, asked: Asked) -> Page:
    """A run: live while it goes on, else what its report shows first."""
    run_id = asked.names["run"]
    live = source.live(run_id)
    if live is not None:
        told = live.told()
        forms = [form for form in (stop_form(run_id, asked),) if form]
        shown = {"run": told, "forms": forms}
        return Page(run_id, "live.html.j2", told=shown, data={"run": told}, above=ABOVE, status="running")
    return _stored_run_page(source, _found(source, run_id), asked)


def events(source: PageSource, asked: Asked) -> Page:
    """What a run that goes on is at, as server-sent events. Raises NoSuchPageError for any other."""
    live = source.live(asked.names["run"])
    if live is None:
        raise NoSuchPageError(f"run {asked.names['run'][:80]} does not go on here, so it has no events")
    return Page("", follow=live)


def _found(source: PageSource, start: str) -> str:
    """The id of a run that begins so. Raises UsageError, with what to do where only a journal has it."""
    try:
        return recorded_runs.find(source.store(), start)
    except (UsageError, StoreError) as error:
        if (source.runs / start).is_dir() and "/" not in start:
            raise UsageError(f"{error}, but in a journal: `rack-recipes flush {start}` brings it there") from error
        raise


def _stored_run_page(source: PageSource, run_id: str, asked: Asked) -> Page:
    store = source.store()
    run = recorded_runs.run(store, run_id)
    bad = counts_and_short_results.not_passed(store, run_id)
    counted = counts_and_short_results.count_results(store, [run_id], "host", "verdict")
    attributes = recorded_runs.attributes(store, run_id)
    past = [*filter(asked.sees, recorded_runs.runs(store))]
    data = arrange_run(
        RunData(run, steps=bad, runs=past, attributes=attributes, plan=recorded_runs.plan(store, run_id))
    )
    hosts = _hosts(counted, attributes)
    tables = _tables(data, counted, findings_of(source, asked, run_id, sum(row["results"] for row in counted)))
    told = _told(data, tables, hosts)
    numbers = {name: told["run"][name] for name in ("status", "results", "not_passing", "not_run", "seconds")}
    return Page(
        title=str(run["test_id"] or run["recipe"] or run_id),
        template="run.html.j2",
        told={
            **told,
            "head": _head(run_id, told["run"], tables, hosts),
            "numbers": numbers,
            "run_id": run_id,
            "forms": [form for form in (baseline_form(run, asked),) if form],
        },
        data=_report_for_programs(data, tables, hosts),
        above=ABOVE,
        status=told["run"]["status"],
    )


def findings_of(source: PageSource, asked: Asked, run_id: str, results: int) -> Sequence[Finding]:
    """What the last analysis has found, without what rests on runs that who asks may not see.

    A small run that nobody has analysed is analysed now; this is not stored.
    """
    found = _all_findings(source, run_id, results)
    hidden = (
        [] if asked.caller.sees_all_runs else [run for run in recorded_runs.runs(source.store()) if not asked.sees(run)]
    )
    ids = [run["run_id"] for run in hidden]
    return [one for one in found if not (ids and (one.kind in OVER_RUNS or any(name in f"{one}" for name in ids)))]


def _all_findings(source: PageSource, run_id: str, results: int) -> Sequence[Finding]:
    from rack_recipes.analysis.analyse_run import MOST_ANALYSED, analyse_run

    found = [finding_from_row(row) for row in recorded_runs.findings(source.store(), run_id)]
    if found or results > MOST_ANALYSED:
        return found
    name = ("findings", run_id, results)
    known: Sequence[Finding] = source.kept.get(name) or source.keep(name, analyse_run(source.store(), run_id))
    return known


def _hosts(counted: Sequence[Row], attributes: Mapping[str, Mapping[str, object]]) -> list[HostPlace]:
    """The hosts with their gravest verdicts, by rack and from the top of each rack down."""
    verdicts: dict[str, list[str]] = {host: [] for host in attributes}
    for row in counted:
        verdicts.setdefault(row["host"], []).append(row["verdict"])
    verdicts.pop("", None)
    names = ("rack", "position")
    records = [
        (host, min(own, key=rank, default=None), *(text_or_none(attributes.get(host, {}).get(name)) for name in names))
        for host, own in verdicts.items()
    ]
    columns = (of.HOST, of.VERDICT, Column(hosts_by_rack.RACK, "rack"), Column(hosts_by_rack.POSITION, "position"))
    return hosts_by_rack.places(Table("hosts", "Hosts", columns, tuple(records)))


def _tables(data: RunData, counted: Sequence[Row], findings: Sequence[Any]) -> dict[str, Table]:
    counts: Counter[str] = Counter()
    for row in counted:
        counts[row["verdict"]] += row["results"]
    total = max(counts.total(), 1)
    shares = [
        {"verdict": verdict, "results": counts[verdict], "share": round(100 * counts[verdict] / total, 2)}
        for verdict in sorted(counts, key=rank)
    ]
    reasons = run_statistics.reasons(data)
    verdicts = {(row["host"], row["step"]): row["verdict"] for row in data.steps}
    made = (
        Table("summary", "Summary", of.SUMMARY, (summary(data),), layout="record"),
        Table("counts", "Counts", of.COUNTS, rows(shares, of.COUNTS) if shares else (), of.ABOUT_COUNTS),
        *finding_tables(findings, data),
        finding_results(findings, verdicts),
        Table("reasons", "Reasons", of.REASONS, rows(reasons, of.REASONS) if reasons else (), of.ABOUT_REASONS),
        Table("past_runs", "Past runs", of.RUNS, past_runs(data), f"The last {PAST_RUNS} earlier runs of this test."),
    )
    return {table.name: table for table in made}


def _told(data: RunData, tables: Mapping[str, Table], hosts: Sequence[HostPlace]) -> dict[str, Any]:
    """What the parts of the report's page need, from what was counted instead of from all results."""
    counts = dict(zip(tables["counts"].values("verdict"), tables["counts"].values("results"), strict=True))
    run_id = data.run["run_id"]
    run = {
        **tables["summary"].record(),
        "steps": len((data.plan or {}).get("steps", ())),
        "results": sum(counts.values()),
        "not_passing": run_statistics.count_bad(counts),
        "not_run": sum(counts.get(verdict, 0) for verdict in NOT_TRIED),
    }
    groups = hosts_by_rack.groups(hosts)

    def address_of(host: str, step: str) -> str:
        return page_address("runs", run_id, "hosts", host, *([step] if step else []))

    return {
        "run": run,
        "sentence": run_and_finding_texts.sentence(run, hosts),
        "facts": run_and_finding_texts.facts(tables["summary"]),
        "since_when": since_when(run, tables["past_runs"]),
        "last_pass": run_and_finding_texts.last_pass(tables["past_runs"]),
        "findings": run_and_finding_texts.findings(tables, address_of),
        "tables": tables,
        "pictures": {
            "proportions": proportions(tables["counts"]),
            "racks": rack_picture(groups, partial(page_address, "runs", run_id, "hosts")) if groups else None,
        },
        "logo": "",
    }


def _head(run_id: str, run: Row, tables: Mapping[str, Table], hosts: Sequence[HostPlace]) -> dict[str, Any]:
    """What the script of the page needs."""
    abouts = [
        {"name": "verdicts", "title": "Results", "about": of.ABOUT_VERDICTS, "total": run["results"], "rows": 0},
        {"name": "finding_results", "title": "Results of findings", "about": "", "total": 0, "rows": 0},
    ]
    return {
        **for_script(),
        "tables": abouts if run["results"] else [],
        "tablesAt": page_address("runs", run_id, "tables"),
        "hostsAt": page_address("runs", run_id, "hosts"),
        "hosts": [visible(one.host) for one in hosts],
        "racks": [visible(group.name) for group in hosts_by_rack.groups(hosts)],
    }


def _report_for_programs(data: RunData, tables: Mapping[str, Table], hosts: Sequence[HostPlace]) -> dict[str, Any]:
    from rack_recipes.report.writers.json import as_data

    found = {name: as_data(table)["rows"] for name, table in tables.items() if name not in ("summary", "causes")}
    bad = [{"host": one.host, "verdict": one.verdict} for one in hosts if one.verdict not in HARMLESS]
    return {"run": {**data.run}, **found, "hosts_not_passed": bad}


def one_table(source: PageSource, asked: Asked) -> Page:
    """A table of a run as compact columns, for the script of the page."""
    store, run_id = source.store(), asked.names["run"]
    run = recorded_runs.run(store, run_id)
    name = asked.names["table"]
    table = TABLES.get(name)
    if table is None:
        raise UsageError(f"there is no table {name[:80]!r}: there are {', '.join(TABLES)}")
    seen = "" if asked.caller.sees_all_runs else f" for {asked.caller.runs}"
    body = source.of_run(run, f"{name}{seen}", lambda: block_data(table(source, asked, run_id)))
    return Page("", kind="application/json", body=body)


def _results(source: PageSource, _asked: Asked, run_id: str) -> Table:
    store = source.store()
    found = counts_and_short_results.short_results(store, run_id)
    data = arrange_run(RunData(run={"run_id": run_id}, steps=found))
    table = Table("verdicts", "Results", RESULTS, rows(data.steps, RESULTS) if found else (), of.ABOUT_VERDICTS)
    attributes = recorded_runs.attributes(store, run_id)
    places = [HostPlace(host, "", as_text(own["rack"])) for host, own in attributes.items() if own.get("rack")]
    return hosts_by_rack.with_racks(table, sorted(places, key=lambda one: natural(one.host)))


def _finding_results(source: PageSource, asked: Asked, run_id: str) -> Table:
    results = sum(row["results"] for row in counts_and_short_results.count_results(source.store(), [run_id]))
    return finding_results(findings_of(source, asked, run_id, results), {})


TABLES = {"verdicts": _results, "finding_results": _finding_results}


def report(source: PageSource, asked: Asked) -> Page:
    """The whole report of a run, as `rack-recipes report` writes it; what it has found is not stored."""
    from rack_recipes.analysis.analyse_run import analyse_history
    from rack_recipes.analysis.history import History
    from rack_recipes.analysis.run_data import load_run_data
    from rack_recipes.analysis.value_and_write_history import read_past_values
    from rack_recipes.report.tables.all_tables import tables
    from rack_recipes.report.writers import html

    store = source.store()
    history = History(store, load_run_data(store, _found(source, asked.names["run"])))
    text = html.render(tables(history.run, analyse_history(history), read_past_values(history)))
    # The page has a policy of its own, which names the digests of its script and its style.
    headers = (("content-security-policy", "frame-ancestors 'none'"),)
    return Page("", kind="text/html; charset=utf-8", body=text.encode("utf-8", "replace"), headers=headers)
