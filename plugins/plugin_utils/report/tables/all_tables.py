# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn the data frames of a run into the tables that every writer gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis import (
    limit_margins,
    retries_and_reuse,
    run_statistics,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.dataframes import Frames
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.dataframes import frames as framed
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.findings import Finding
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData
from ansible_collections.rack.recipes.plugins.plugin_utils.report.table_model import Column, Table
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables import columns as of
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables.cells import rows, tail
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables.finding_tables import (
    finding_results,
    finding_tables,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables.host_table import host_table
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables.run_summary import (
    PAST_RUNS,
    past_runs,
    summary,
)

if TYPE_CHECKING:
    from pandas import DataFrame


def tables(run: RunData, findings: Sequence[Finding] = ()) -> tuple[Table, ...]:
    """Every table of a report, in reading order, also those without rows; `findings` are those about the run."""
    frames = framed(run)
    counted: list[Any] = run_statistics.results(frames.steps).to_dict("records")
    verdicts = {(row["host"], row["step"]): row["verdict"] for row in run.steps}
    return (
        Table("summary", "Summary", of.SUMMARY, (summary(frames),), layout="record"),
        _table("counts", "Counts", of.COUNTS, run_statistics.counts(frames.steps), of.ABOUT_COUNTS),
        *finding_tables(findings),
        *_of_results(frames.steps),
        host_table(run, counted),
        *_of_steps(frames),
        *_of_measurements(frames),
        _table("verdicts", "Verdicts", _of_verdicts(frames.steps), frames.steps, of.ABOUT_VERDICTS),
        _table("context", "Context keys", of.CONTEXT, frames.context, "The context as the run left it."),
        _table("conflicts", "Conflicts", of.CONFLICTS, frames.conflicts, of.ABOUT_CONFLICTS),
        _table("artifacts", "Artifacts", of.ARTIFACTS, frames.artifacts, of.ABOUT_ARTIFACTS),
        finding_results(findings, verdicts),
        Table("past_runs", "Past runs", of.RUNS, past_runs(frames), f"The last {PAST_RUNS} earlier runs of this test."),
    )


def _of_results(steps: DataFrame) -> tuple[Table, ...]:
    return (
        _table(
            "not_passed",
            "Not passed",
            of.NOT_PASSED,
            _with_tails(run_statistics.not_passed(steps)),
            of.ABOUT_NOT_PASSED,
        ),
        _table("reasons", "Reasons", of.REASONS, run_statistics.reasons(steps), of.ABOUT_REASONS),
        _table("not_run", "Skipped and blocked", of.REASONS, run_statistics.not_run(steps), of.ABOUT_NOT_RUN),
        _table("flakes", "Flakes", of.FLAKES, retries_and_reuse.flakes(steps), of.ABOUT_FLAKES),
    )


def _of_steps(frames: Frames) -> tuple[Table, ...]:
    steps = frames.steps
    return (
        _table("criteria", "Criteria", of.CRITERIA, limit_margins.criteria(frames.measurements), of.ABOUT_CRITERIA),
        _matrix(run_statistics.matrix(steps)),
        _table("steps", "Steps", of.STEPS, run_statistics.by_step(steps), of.ABOUT_STEPS),
        _table("rounds", "Rounds", of.ROUNDS, retries_and_reuse.rounds(steps, frames.measurements), of.ABOUT_ROUNDS),
        _table("reused", "Reused results", of.REUSED, retries_and_reuse.reused(steps), of.ABOUT_REUSED),
        _table("hooks", "Hooks", of.HOOKS, retries_and_reuse.hooks(steps), of.ABOUT_HOOKS),
        _table("slowest", "Slowest", of.SLOWEST, run_statistics.slowest(steps), "The results that took longest."),
    )


def _of_measurements(frames: Frames) -> tuple[Table, ...]:
    measured = frames.measurements
    single = measured[~retries_and_reuse.over_rounds(frames.steps, measured)]
    return (
        _table("measurements", "Measurements", of.MEASUREMENTS, run_statistics.by_measurement(single), of.ABOUT_SPREAD),
        _table("values", "Values", of.VALUES, limit_margins.values(measured), of.ABOUT_VALUES),
    )


def _table(name: str, title: str, columns: tuple[Column, ...], frame: DataFrame, about: str) -> Table:
    return Table(name, title, columns, rows(frame, columns), about)


def _of_verdicts(steps: DataFrame) -> tuple[Column, ...]:
    """The columns of the verdicts; most runs have no step that ran through another host."""
    is_through = bool(steps["through"].notna().any())
    return tuple(column for column in of.VERDICTS if is_through or column is not of.THROUGH)


def _matrix(frame: DataFrame) -> Table:
    columns = (of.HOST, *(Column(step, step, "verdict") for step in frame.columns))
    return _table("matrix", "Matrix", columns, frame.reset_index(), "Verdicts of every host and step.")


def _with_tails(frame: DataFrame) -> DataFrame:
    return frame.assign(stderr=[tail(text) for text in frame["stderr"].fillna("")])
