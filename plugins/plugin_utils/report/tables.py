# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the frames of a run to the one set of tables that every writer takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis import figures
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.frames import Frames
from ansible_collections.rack.recipes.plugins.plugin_utils.report.model import Column, Row, Table

if TYPE_CHECKING:
    from pandas import DataFrame, Series

RUN_SCOPED = "(run)"
"""Stands for the host where a step or a key belongs to the run as a whole."""

STDERR_LINES, STDERR_CHARACTERS = 20, 2000
PAST_RUNS = 20

HOST, STEP, VERDICT = Column("host", "Host"), Column("step", "Step"), Column("verdict", "Verdict", "verdict")
REASON = Column("reason", "Reason")
SECONDS = Column("seconds", "Time", "seconds", "s")
KEY = Column("key", "Key")
TRIES = Column("tries", "Tries", "number")
CPU = (Column("user_sec", "User CPU", "seconds", "s"), Column("system_sec", "System CPU", "seconds", "s"))
MEMORY = Column("max_rss_kib", "Peak memory", "number", "KiB")

SUMMARY = (
    Column("run_id", "Run"),
    Column("status", "Status", "verdict"),
    Column("test_id", "Test"),
    Column("description", "Description"),
    Column("tester", "Tester"),
    Column("recipe", "Recipe"),
    Column("digest", "Recipe digest"),
    Column("started", "Started", "time", "UTC"),
    Column("ended", "Ended", "time", "UTC"),
    Column("seconds", "Duration", "seconds", "s"),
    Column("hosts", "Hosts", "number"),
    Column("steps", "Steps", "number"),
    Column("results", "Results", "number"),
    Column("not_passing", "Not passed", "number"),
    Column("controller", "Controller"),
    Column("user", "User"),
    Column("versions", "Versions"),
)
COUNTS = (VERDICT, Column("results", "Results", "number"), Column("share", "Share", "number", "%"))
NOT_PASSED = (VERDICT, HOST, STEP, REASON, SECONDS, TRIES, Column("stderr", "Log", "log"))
REASONS = (VERDICT, STEP, REASON, Column("hosts", "Hosts", "number"), Column("first_host", "First host"))
STEPS = (
    STEP,
    Column("stage", "Stage", "number"),
    Column("results", "Results", "number"),
    Column("passing", "Passed", "number"),
    Column("failed", "Failed", "number"),
    Column("error", "Errors", "number"),
    Column("not_run", "Not run", "number"),
    Column("retried", "Retried", "number"),
    Column("median", "Median", "seconds", "s"),
    Column("max", "Longest", "seconds", "s"),
    Column("total", "All hosts", "seconds", "s"),
    Column("slowest_host", "Slowest host"),
)
SLOWEST = (SECONDS, HOST, STEP, VERDICT, *CPU, MEMORY, TRIES)
MEASUREMENTS = (
    STEP,
    Column("name", "Measurement"),
    Column("unit", "Unit"),
    Column("hosts", "Hosts", "number"),
    Column("values", "Values", "number"),
    Column("min", "Least", "number"),
    Column("median", "Median", "number"),
    Column("max", "Greatest", "number"),
    Column("min_host", "Host of least"),
    Column("max_host", "Host of greatest"),
)
VALUES = (HOST, STEP, Column("name", "Measurement"), Column("value", "Value", "number"), Column("unit", "Unit"))
VERDICTS = (
    HOST,
    STEP,
    VERDICT,
    REASON,
    SECONDS,
    *CPU,
    MEMORY,
    TRIES,
    Column("exit_code", "Exit code", "number"),
    Column("started", "Started", "time", "UTC"),
)
CONTEXT = (
    KEY,
    HOST,
    Column("version", "Version", "number"),
    Column("value", "Value", "json"),
    Column("who", "Set by"),
    Column("time", "Set at", "time", "UTC"),
)
CONFLICTS = (
    KEY,
    HOST,
    Column("based_on", "Based on version", "number"),
    Column("version", "New version", "number"),
    Column("before", "Value before", "json"),
    Column("after", "Value after", "json"),
    STEP,
    Column("time", "Time", "time", "UTC"),
)
RUNS = (
    Column("run_id", "Run"),
    Column("status", "Status", "verdict"),
    Column("started", "Started", "time", "UTC"),
    SECONDS,
    Column("passing", "Passed", "number"),
    Column("not_passing", "Not passed", "number"),
)


def tables(frames: Frames) -> tuple[Table, ...]:
    """Every table of a report, in reading order; a table without rows is there too."""
    steps = frames.steps
    return (
        Table("summary", "Summary", SUMMARY, (_summary(frames),), layout="record"),
        _table("counts", "Counts", COUNTS, figures.counts(steps), "Results by verdict, the gravest first."),
        _table("not_passed", "Not passed", NOT_PASSED, _with_tails(figures.not_passed(steps)), ABOUT_NOT_PASSED),
        _table("reasons", "Reasons", REASONS, figures.reasons(steps), "The same step, verdict and reason, by hosts."),
        _matrix(figures.matrix(steps)),
        _table("steps", "Steps", STEPS, figures.by_step(steps), ABOUT_STEPS),
        _table("slowest", "Slowest", SLOWEST, figures.slowest(steps), "The step runs that took longest."),
        _table("measurements", "Measurements", MEASUREMENTS, figures.by_measurement(frames.measurements), ABOUT_SPREAD),
        _table("values", "Values", VALUES, frames.measurements, "Every measured value."),
        _table("verdicts", "Verdicts", VERDICTS, steps, "Every result: each step on each host."),
        _table("context", "Context keys", CONTEXT, frames.context, "The context as the run left it."),
        _table("conflicts", "Conflicts", CONFLICTS, frames.conflicts, ABOUT_CONFLICTS),
        Table("past_runs", "Past runs", RUNS, _past_runs(frames), f"The last {PAST_RUNS} earlier runs of this test."),
    )


ABOUT_NOT_PASSED = (
    "Results that did not pass, the gravest first. Passed, marginal, cached and waived ones are left out."
)
ABOUT_STEPS = "Times are those of results that ran; cached, skipped, blocked and unreachable ones do not count."
ABOUT_SPREAD = "Spread over hosts by step, measurement and unit. Values that are not numbers count under Values only."
ABOUT_CONFLICTS = "Writes of a key that another write had changed in between."


def _table(name: str, title: str, columns: tuple[Column, ...], frame: DataFrame, about: str) -> Table:
    return Table(name, title, columns, _rows(frame, columns), about)


def _rows(frame: DataFrame, columns: tuple[Column, ...]) -> tuple[Row, ...]:
    return tuple(zip(*(_cells(frame[column.name], column) for column in columns), strict=True))


def _cells(series: Series, column: Column) -> list[Any]:
    if column.kind == "json":
        return [_json(value) for value in series]
    plain = series.astype(object)
    values = plain.where(plain.notna(), None).tolist()
    if column.name.endswith("host"):
        return [RUN_SCOPED if host == "" else host for host in values]
    return [_number(value) for value in values] if column.kind == "number" else values


def _number(value: Any) -> Any:
    """Whole numbers without a point, and what is no number as text: a measurement may be anything."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    is_plain = value is None or (isinstance(value, int | float | str) and not isinstance(value, bool))
    return value if is_plain else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _summary(frames: Frames) -> Row:
    run, steps = frames.run, frames.steps
    known = {
        **run,
        "status": run.get("status") or "running",
        "seconds": duration(run.get("started"), run.get("ended")),
        "steps": int(steps["step"].nunique()),
        "results": len(steps),
        "not_passing": int((~steps["verdict"].isin(PASSING)).sum()),
        "versions": ", ".join(f"{name} {version}" for name, version in (run.get("versions") or {}).items()),
    }
    return tuple(known.get(column.name) for column in SUMMARY)


def _matrix(frame: DataFrame) -> Table:
    columns = (HOST, *(Column(step, step, "verdict") for step in frame.columns))
    return _table("matrix", "Matrix", columns, frame.reset_index(), "Verdicts of every host and step.")


def _with_tails(frame: DataFrame) -> DataFrame:
    return frame.assign(stderr=[tail(text) for text in frame["stderr"].fillna("")])


def _past_runs(frames: Frames) -> tuple[Row, ...]:
    run, runs = frames.run, frames.runs
    twins = runs[(runs["test_id"] == run.get("test_id")) & (runs["started"] < (run.get("started") or ""))]
    newest = twins.sort_values(["started", "run_id"], ascending=False).head(PAST_RUNS)
    return tuple(map(_past_run, newest.to_dict("records")))


def _past_run(run: Mapping[Any, Any]) -> Row:
    counts = run["counts"] or {}
    passing = sum(number for verdict, number in counts.items() if verdict in PASSING)
    seconds = duration(run["started"], run["ended"])
    status = run["status"] or "running"
    return (run["run_id"], status, run["started"], seconds, passing, sum(counts.values()) - passing)


def duration(started: str | None, ended: str | None) -> float | None:
    """Seconds between two ISO times; None while the run has not ended."""
    if not started or not ended:
        return None
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def tail(text: str) -> str:
    """The last lines of a log, with the number of characters that were left out before them."""
    stripped = text.rstrip()
    end = "\n".join(stripped.split("\n")[-STDERR_LINES:])[-STDERR_CHARACTERS:]
    left_out = len(stripped) - len(end)
    return f"[{left_out:,} characters before this are left out]\n{end}" if left_out else end
