# SPDX-License-Identifier: GPL-3.0-or-later

"""Analyse a run.

Every method of the table below looks at the run and its history and adds its findings. They can be written into the
store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sql

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.analysis.actions import with_actions
from rack_recipes.analysis.findings import (
    NOTE,
    SUMMARY,
    Finding,
    finding_from_row,
    finding_to_record,
    most_important_first,
)
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData, load_run_data, mark_cut_off
from rack_recipes.store.database.databases_and_errors import call_patiently, translate_errors
from rack_recipes.store.database_engine import WRITERS, opened
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.reading.earlier_runs import LAST_RUNS
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.record_to_rows import analysis_row
from rack_recipes.store.writing.write_rows import write_rows

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rack_recipes.settings import Settings
PATIENCE = 30.0  # seconds for which a write is tried again after a passing fault
SHORT_PATIENCE = 2.0  # the same where somebody waits for more than the findings


def store_findings_at(url: str, run_id: str, findings: Sequence[Finding]) -> None:
    """Replace the findings about a run in the store at a URL, which has the newest schema. Raises StoreError."""
    engine = opened(url, WRITERS)
    try:
        store_findings(engine, run_id, findings, SHORT_PATIENCE)
    finally:
        engine.dispose()


def store_findings(engine: Engine, run_id: str, findings: Sequence[Finding], patience: float = PATIENCE) -> None:
    """Replace the rows of a run in the table `analysis`, in one transaction. Raises StoreError."""
    time = now()
    told = ({**finding_to_record(one), "time": time} for one in findings)
    rows = [analysis_row(run_id, n, record) for n, record in enumerate(told, 1)]
    with translate_errors(engine.url):
        call_patiently(lambda: _replace(engine, run_id, rows), patience)


def _replace(engine: Engine, run_id: str, rows: list[tuple[object, ...]]) -> None:
    table = tables().analysis
    with engine.begin() as connection:
        connection.execute(sql.delete(table).where(table.c.run_id == run_id))
        write_rows(connection, table, rows)


ANALYSERS: Sequence[str] = (
    "causes",
    "cabling_and_link_faults",
    "faults_of_moved_parts",
    "missing_results_and_values",
    "measured_and_derived_values",
    "outliers",
    "flakes",
    "findings_from_scriptlets",
    "change_points_and_drift",
    "hosts_beside_twins",
    "regressions_and_baselines",
    "values_unlike_earlier_runs",
    "waiver_use",
    "coverage",
)
"""The modules of this folder whose function `findings(run, history)` yields findings; imported when needed.

`run` is the `RunData` of the run, `history` the `History` of its earlier runs, which reads nothing before it is asked.
"""
MOST_ANALYSED = 5000
"""A run with more results is not analysed because somebody looks at it, or waits for it: that would take long."""


class Needs(NamedTuple):
    """What a method needs before it can find anything: results of so many hosts, and so many runs with this one."""

    hosts: int = 0
    runs: int = 0


NEEDS: Mapping[str, Needs] = {
    "outliers": Needs(hosts=4),
    "change_points_and_drift": Needs(runs=10),
    "hosts_beside_twins": Needs(hosts=4, runs=10),
    "values_unlike_earlier_runs": Needs(runs=4),
}
"""Methods that are left out where they can find nothing, since numpy takes longer to import than a small report."""


def analyse(engine: Engine, run: RunData, length: int = LAST_RUNS) -> list[Finding]:
    """All findings about a run, the most important first, from it and its last `length` earlier runs.

    Raises StoreError where the history cannot be read.
    """
    return analyse_history(History(engine, run, length))


def analyse_history(history: History) -> list[Finding]:
    """All findings about the run of a history, the most important first. Raises StoreError."""
    run = mark_cut_off(history.run)
    found = [one for name in _useful(run, history) for one in _findings(name, run, history)]
    return most_important_first(with_actions(_once_for_each_cause(found), run.results))


def _once_for_each_cause(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield the findings; what a cause has said already is only a note.

    That is a difference of the same hosts, groups of hosts that the attribute parts in the steps of the cause, and what
    is unusual of results whose failing pairs the cause explains.
    """
    causes = [one for one in findings if one.kind == "cause" and "attribute" in one.about]
    hosts = {(one.about["attribute"], one.hosts) for one in causes}
    steps = {(one.about["attribute"], result.step) for one in causes for result in one.results}
    of_pairs = {result[:2] for one in findings if "failed_pairs" in one.figures for result in one.results}
    for one in findings:
        attribute = one.about.get("attribute")
        # A value of the context has no step.
        places = {result[:2] for result in one.results if result.step}
        is_told = (
            (attribute, one.hosts) in hosts or (bool(places) and places <= of_pairs)
            if one.kind == "outlier"
            else (
                one.kind in ("groups", "change_point")
                and all((attribute, result.step) in steps for result in one.results)
            )
        )
        yield replace(one, grade=NOTE) if is_told else one


def analyse_run(engine: Engine, run_id: str, length: int = LAST_RUNS) -> list[Finding]:
    """All findings about the run with this id. Raises UsageError for an unknown run, and StoreError."""
    return analyse(engine, load_run_data(engine, run_id, recorded_runs.judged), length)


def found_or_analysed(engine: Engine, run_id: str, results: int) -> Sequence[Finding]:
    """What the last analysis of a run has found; a small run that nobody has analysed is analysed now, not stored.

    `results` is how many the run has. Raises UsageError for an unknown run, and StoreError.
    """
    found = [finding_from_row(row) for row in recorded_runs.findings(engine, run_id)]
    return found if found or results > MOST_ANALYSED else analyse_run(engine, run_id)


def _useful(run: RunData, history: History) -> Iterator[str]:
    hosts = len({row["host"] for row in run.steps})
    for name in ANALYSERS:
        needs = NEEDS.get(name, Needs())
        if hosts >= needs.hosts and (not needs.runs or len(history.runs) + 1 >= needs.runs):
            yield name


def with_summary(engine: Engine, run: RunData, findings: list[Finding], summary_by: Settings | None) -> list[Finding]:
    """The findings about a run with its summary: a new one where there are settings for it, else the stored one.

    Raises StoreError where the stored one cannot be read.
    """
    if summary_by is None:
        return [*findings, *_stored_summary(engine, run)]
    # only who asks for a summary pays for this import
    from rack_recipes.analysis.summary.write_summary import summarise

    return [*findings, *summarise(run, findings, summary_by)]


def _stored_summary(engine: Engine, run: RunData) -> Iterator[Finding]:
    """The summary that was made after the run had ended: its results are what they were then."""
    ended = run.run.get("ended")
    for row in recorded_runs.findings(engine, run.run["run_id"]) if ended else ():
        if row["kind"] == SUMMARY and row["time"] >= ended:
            yield finding_from_row(row)


def _findings(name: str, run: RunData, history: History) -> Iterable[Finding]:
    found: Iterable[Finding] = import_module(f"{__package__}.{name}").findings(run, history)
    return found
