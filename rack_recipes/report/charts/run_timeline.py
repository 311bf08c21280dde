# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timeline of a run's stages and steps, from its rows in the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rack_recipes.report.charts.chart_model import Chart
from rack_recipes.report.charts.timeline import timeline
from rack_recipes.report.charts.timeline_rows import TimedResult, moment, step_lanes

Row = Mapping[str, Any]


def run_timeline(steps: Sequence[Row], run: Row) -> Chart:
    """A row for each stage, and below it one for each of its steps, from its first start to its last end.

    `steps` are rows of the table `steps`. What never ran or has no time is left out, and so are results of an earlier
    run, and instances, which are in their step.
    """
    return timeline(step_lanes(_timed(steps)), f"Timeline of run {run['run_id']}")


def _timed(steps: Sequence[Row]) -> Iterator[TimedResult]:
    for row in steps:
        start, seconds = moment(row.get("started")), row.get("seconds")
        if start is not None and seconds is not None and not row.get("parent") and not row.get("source_run"):
            yield TimedResult(row["step"], row["host"], row["stage"] or 0, start, seconds, row["verdict"] or "")
