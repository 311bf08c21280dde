# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a run, the earlier runs of the same test, and the findings about the run, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from rack_recipes.analysis import run_statistics
from rack_recipes.analysis.findings import FINDING_KINDS, Finding, ResultId
from rack_recipes.analysis.run_data import RunData
from rack_recipes.journal.step_results_and_end_status import stopped_in_words
from rack_recipes.report.table_model import RUN_SCOPED, Column, Row, Table, as_text, in_words
from rack_recipes.report.tables import columns as of
from rack_recipes.report.tables.columns import SUMMARY

PAST_RUNS = 20


def summary(data: RunData) -> Row:
    """The single row of the table `summary`."""
    run, counted = data.run, data.results
    known = {
        **run,
        "status": run.get("status") or "running",
        "seconds": duration(run.get("started"), run.get("ended")),
        "steps": len({*map(data.planned, {row["step"] for row in data.steps})}),
        "results": len(counted),
        "not_passing": len(run_statistics.not_passed(data)),
        "not_run": sum(row["verdict"] in NOT_TRIED for row in counted),
        "versions": ", ".join(f"{name} {version}" for name, version in (run.get("versions") or {}).items()),
        "labels": in_words(run.get("labels"), ": "),
        "params": in_words(run.get("params"), " = "),
        "options": in_words(run.get("options"), " = "),
        "stopped": stopped_in_words(run) or None,
        "parts": _parts(run.get("group_info") or {}),
        "refs": ", ".join(map(as_text, run.get("refs") or ())) or None,
    }
    return tuple(known.get(column.name) for column in SUMMARY)


def _parts(info: Mapping[str, Any]) -> str | None:
    """How each part of the run ended, with what is to be said of it; None for a run that has no parts."""
    return "; ".join(f"{part['part']}: {part['state']}{_note(part)}" for part in info.get("told", ())) or None


def _note(part: Mapping[str, object]) -> str:
    return f" ({part['note']})" if part["note"] else ""


def past_runs(data: RunData) -> tuple[Row, ...]:
    """The rows of the table `past_runs`: the last earlier runs of the same test."""
    started = data.run.get("started") or ""
    earlier = (one for one in data.runs if one["started"] and one["started"] < started)
    twins = (one for one in earlier if one["test_id"] == data.run.get("test_id"))
    newest = sorted(twins, key=lambda one: (one["started"], one["run_id"]), reverse=True)[:PAST_RUNS]
    return tuple(map(_past_run, newest))


def _past_run(run: Mapping[str, Any]) -> Row:
    counts = run["counts"] or {}
    passing, not_tried = (sum(counts.get(verdict, 0) for verdict in verdicts) for verdicts in (PASSING, NOT_TRIED))
    others = sum(counts.values()) - passing - not_tried
    seconds = duration(run["started"], run["ended"])
    return (run["run_id"], run["status"] or "running", run["started"], seconds, passing, others, not_tried)


def duration(started: str | None, ended: str | None) -> float | None:
    """Seconds between two ISO times; None while the run has not ended."""
    if not started or not ended:
        return None
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


MOST_NAMED = 5
"""How many results of a finding are named in its row; all of them stand in the table `finding_results`."""
SUGGESTION = "suggestion"
"""Stands beside a finding that comes from a heuristic or from a language model."""


TEAMS = ("team", "owner")
"""Labels of a run, and attributes of hosts, that name who looks after them."""


def finding_tables(findings: Sequence[Finding], data: RunData) -> tuple[Table, ...]:
    """The causes, and all findings about a run; a finding has the same number in every table."""
    numbered = [*enumerate(findings, 1)]
    causes = [(n, finding) for n, finding in numbered if finding.kind == "cause"]
    return (
        Table("causes", "Causes", of.CAUSES, _rows(causes, of.CAUSES, data), of.ABOUT_CAUSES),
        Table("findings", "Findings", of.FINDINGS, _rows(numbered, of.FINDINGS, data), of.ABOUT_FINDINGS),
    )


def finding_results(findings: Sequence[Finding], verdicts: Mapping[tuple[str, str], str]) -> Table:
    """The results that each finding rests on; `verdicts` has the verdict of each result, by host and step."""
    rows = tuple(
        _result(n, result, verdicts)
        for n, finding in enumerate(findings, 1)
        for result in dict.fromkeys(finding.results)
    )
    return Table("finding_results", "Results of findings", of.FINDING_RESULTS, rows, of.ABOUT_FINDING_RESULTS)


def _rows(numbered: Sequence[tuple[int, Finding]], columns: Sequence[Column], data: RunData) -> tuple[Row, ...]:
    told = ({**_told(n, finding), "owner": _owner(finding, data)} for n, finding in numbered)
    return tuple(tuple(cells[column.name] for column in columns) for cells in told)


def _told(n: int, finding: Finding) -> Mapping[str, Any]:
    return {
        "n": n,
        "grade": finding.grade,
        "kind": FINDING_KINDS[finding.kind].title,
        "title": finding.title,
        "action": finding.action or None,
        "rule": finding.rule or None,
        "advice": finding.advice or None,
        "explains": finding.explains or None,
        "results": _named(finding.results),
        "figures": in_words(finding.figures, " = "),
        "about": in_words(finding.about, ": "),
        "method": finding.method or None,
        "origin": finding.origin,
        "suggestion": SUGGESTION if finding.suggestion else None,
    }


def _owner(finding: Finding, data: RunData) -> str | None:
    """Whose hosts these are, by the inventory; else whose test it is, by the labels of the run."""
    hosts = dict.fromkeys(result.host for result in finding.results)
    said = (data.attributes.get(host, {}).get(name) for host in hosts for name in TEAMS)
    teams = dict.fromkeys(as_text(team) for team in said if team)
    labels = data.run.get("labels") or {}
    return ", ".join(teams) or next((as_text(labels[name]) for name in TEAMS if labels.get(name)), None)


def _named(results: Sequence[ResultId]) -> str | None:
    """The first results in words: `r1: link (rx), r2: link and 3 more`."""
    named = ", ".join(map(_name, results[:MOST_NAMED]))
    left_out = len(results) - MOST_NAMED
    return f"{named} and {left_out:,} more" if left_out > 0 else named or None


def _name(result: ResultId) -> str:
    name = f" ({result.name})" if result.name else ""
    return f"{result.host or RUN_SCOPED}: {result.step}{name}"


def _result(n: int, result: ResultId, verdicts: Mapping[tuple[str, str], str]) -> Row:
    verdict = verdicts.get((result.host, result.step))
    return n, result.host or RUN_SCOPED, result.step or None, result.name or None, verdict
