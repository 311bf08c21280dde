# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timeline of a run's stages and steps, from its rows in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import ORDER
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.chart_model import Chart
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.timeline import Lane, Span, timeline
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables.cells import RUN_SCOPED

Row = Mapping[str, Any]
_PLACES = {verdict: place for place, verdict in enumerate(ORDER)}


def run_timeline(steps: Sequence[Row], run: Row) -> Chart:
    """A row for each stage, and below it one for each of its steps, from its first start to its last end.

    `steps` are rows of the table `steps`. What never ran is left out, and so are instances, which are in their step.
    """
    timed = [row for row in steps if row.get("started") and row.get("seconds") is not None and not row.get("parent")]
    zero = min((_moment(row["started"]) for row in timed), default=0.0)
    stages: dict[Any, dict[str, list[Row]]] = {}
    for row in sorted(timed, key=lambda row: (row["stage"] or 0, row["idx"] or 0)):
        stages.setdefault(row["stage"] or 0, {}).setdefault(row["step"], []).append(row)
    lanes = [lane for stage, by_step in stages.items() for lane in _stage(stage, by_step, zero)]
    return timeline(lanes, f"Timeline of run {run['run_id']}")


def _stage(stage: int, by_step: Mapping[str, Sequence[Row]], zero: float) -> list[Lane]:
    rows = [row for own in by_step.values() for row in own]
    inner = [Lane(step, (_span(own, zero),), inner=True) for step, own in by_step.items()]
    return [Lane(f"stage {stage}", (_span(rows, zero),)), *inner]


def _span(rows: Sequence[Row], zero: float) -> Span:
    starts = [_moment(row["started"]) - zero for row in rows]
    ends = [start + row["seconds"] for start, row in zip(starts, rows, strict=True)]
    worst = min((row["verdict"] or "" for row in rows), key=lambda verdict: _PLACES.get(verdict, -1))
    hosts = {row["host"] for row in rows}
    only = next(iter(hosts)) or RUN_SCOPED
    return Span(min(starts), max(ends), worst, only if len(hosts) == 1 else f"{len(hosts):,} hosts")


def _moment(text: str) -> float:
    """Seconds since 1970; a text that is no time counts as 1970."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0
