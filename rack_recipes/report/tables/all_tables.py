# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn a run and what was found about it into the tables that every writer gets."""

from __future__ import annotations

from collections.abc import Sequence

from rack_recipes.analysis import measured_and_derived_values, run_statistics
from rack_recipes.analysis.findings import Finding
from rack_recipes.analysis.measured_and_derived_values import statistics_of_run
from rack_recipes.analysis.run_data import Row, RunData
from rack_recipes.analysis.value_and_write_history import PastValues
from rack_recipes.report.table_model import RUN_SCOPED, Column, Table, rows, tail
from rack_recipes.report.tables import columns as of
from rack_recipes.report.tables.host_table import host_table
from rack_recipes.report.tables.summary_and_finding_tables import (
    PAST_RUNS,
    finding_results,
    finding_tables,
    past_runs,
    summary,
)

NOTHING_PAST = PastValues()


def tables(run: RunData, findings: Sequence[Finding] = (), past: PastValues = NOTHING_PAST) -> tuple[Table, ...]:
    """Every table of a report, in reading order, also those without rows.

    `run` is arranged (analysis/run_data.py), `findings` are those about it, `past` is what led to its values.
    """
    verdicts = {(row["host"], row["step"]): row["verdict"] for row in run.steps}
    values = measured_and_derived_values.measured_values(run)
    return (
        Table("summary", "Summary", of.SUMMARY, (summary(run),), layout="record"),
        _table("counts", "Counts", of.COUNTS, run_statistics.counts(run), of.ABOUT_COUNTS),
        *finding_tables(findings, run),
        *_of_results(run),
        host_table(run),
        _table(
            "criteria",
            "Criteria",
            of.CRITERIA,
            measured_and_derived_values.criteria_of_run(run, values),
            of.ABOUT_CRITERIA,
        ),
        *_of_steps(run),
        *_of_measurements(run, values),
        _trend(past),
        _table("verdicts", "Verdicts", _of_verdicts(run), run.steps, of.ABOUT_VERDICTS),
        _table("context", "Context keys", of.CONTEXT, run.context, "The context as the run left it."),
        _changes(past),
        _table("conflicts", "Conflicts", of.CONFLICTS, run.conflicts, of.ABOUT_CONFLICTS),
        _table("artifacts", "Artifacts", of.ARTIFACTS, run.artifacts, of.ABOUT_ARTIFACTS),
        _table("judgements", "Judgements", of.JUDGEMENTS, _judgements(run), of.ABOUT_JUDGEMENTS),
        finding_results(findings, verdicts),
        Table("past_runs", "Past runs", of.RUNS, past_runs(run), f"The last {PAST_RUNS} earlier runs of this test."),
    )


def _of_results(run: RunData) -> tuple[Table, ...]:
    not_passed = [{**row, "stderr": tail(row.get("stderr") or "")} for row in run_statistics.not_passed(run)]
    return (
        _table("not_passed", "Not passed", of.NOT_PASSED, not_passed, of.ABOUT_NOT_PASSED),
        _table("reasons", "Reasons", of.REASONS, run_statistics.reasons(run), of.ABOUT_REASONS),
        _table("not_run", "Skipped and blocked", of.REASONS, run_statistics.not_run(run), of.ABOUT_NOT_RUN),
        _table("waived", "Waived", of.WAIVED, run_statistics.waived_results(run), of.ABOUT_WAIVED),
        _table("flakes", "Flakes", of.FLAKES, run_statistics.passed_after_retry(run), of.ABOUT_FLAKES),
    )


def _of_steps(run: RunData) -> tuple[Table, ...]:
    timed = run_statistics.timed_results(run)
    return (
        _matrix(run),
        _table("steps", "Steps", of.STEPS, run_statistics.by_step(run, timed), of.ABOUT_STEPS),
        _table("rounds", "Rounds", of.ROUNDS, run_statistics.repeated_results(run), of.ABOUT_ROUNDS),
        _table("reused", "Reused results", of.REUSED, run_statistics.reused_results(run), of.ABOUT_REUSED),
        _table("hooks", "Hooks", of.HOOKS, run_statistics.failed_hooks(run), of.ABOUT_HOOKS),
        _table("slowest", "Slowest", of.SLOWEST, run_statistics.slowest(timed), "The results that took longest."),
    )


def _of_measurements(run: RunData, values: Sequence[Row]) -> tuple[Table, ...]:
    spread = run_statistics.by_measurement(run, run_statistics.without_statistics_of_rounds(run))
    return (
        _table("measurements", "Measurements", of.MEASUREMENTS, spread, of.ABOUT_SPREAD),
        _table("statistics", "Statistics", of.STATISTICS, statistics_of_run(run), of.ABOUT_STATISTICS),
        _table("values", "Values", of.VALUES, values, of.ABOUT_VALUES),
    )


def _trend(past: PastValues) -> Table:
    more = f" {past.left_out:,} more series have no room in this table." if past.left_out else ""
    return _table("trend", "Over runs", of.TREND, past.points, f"{of.ABOUT_TREND}{more}")


def _changes(past: PastValues) -> Table:
    more = f" The first {past.writes_left_out:,} writes have no room in this table." if past.writes_left_out else ""
    return _table("changes", "Changes of keys", of.CHANGES, past.writes, f"{of.ABOUT_CHANGES}{more}")


def _judgements(run: RunData) -> list[Row]:
    return [{**row, "changes": len(row.get("changes") or ())} for row in run.judgements]


def _table(name: str, title: str, columns: Sequence[Column], found: Sequence[Row], about: str) -> Table:
    return Table(name, title, tuple(columns), rows(found, columns), about)


def _of_verdicts(run: RunData) -> tuple[Column, ...]:
    """The columns of the verdicts; most runs have no step that ran through another host."""
    is_through = any(row.get("through") is not None for row in run.steps)
    return tuple(column for column in of.VERDICTS if is_through or column is not of.THROUGH)


def _matrix(run: RunData) -> Table:
    steps, found = run_statistics.matrix(run)
    columns = (of.HOST, *(Column(step, step, "verdict") for step in steps))
    cells = tuple((row["host"] or RUN_SCOPED, *map(row["verdicts"].get, steps)) for row in found)
    return Table("matrix", "Matrix", columns, cells, "Verdicts of every host and step.")
