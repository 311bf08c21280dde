# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a run, and the earlier runs of the same test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from rack_recipes.analysis import run_statistics
from rack_recipes.analysis.run_data import RunData
from rack_recipes.journal.end_status import stopped_in_words
from rack_recipes.report.table_model import Row
from rack_recipes.report.tables.cells import as_text, in_words
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


def _note(part: Mapping[str, Any]) -> str:
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
