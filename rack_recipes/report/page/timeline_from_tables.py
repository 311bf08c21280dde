# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the stages and steps of a run went on, from the tables of its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rack_recipes.report.charts.timeline import Lane
from rack_recipes.report.charts.timeline_rows import TimedResult, moment, step_lanes
from rack_recipes.report.table_model import Table

MOST_STEPS = 60
"""A run with more steps is shown by its stages."""


def lanes(verdicts: Table, steps: Table) -> list[Lane]:
    """The rows of the timeline; results that an earlier run had are left out, and so are times that are none."""
    stages = dict(zip(steps.values("step"), steps.values("stage"), strict=True))
    return step_lanes(_timed(verdicts, stages), MOST_STEPS)


def _timed(verdicts: Table, stages: Mapping[str, int | None]) -> Iterable[TimedResult]:
    columns = map(verdicts.values, ("step", "host", "started", "seconds", "source_run", "verdict", "tries"))
    moments = {text: moment(text) for text in set(verdicts.values("started"))}
    for step, host, started, seconds, source, verdict, tries in zip(*columns, strict=True):
        start = moments[started]
        if source is None and start is not None and tries != 0:
            yield TimedResult(step, host, stages.get(step) or 0, start, seconds or 0.0, verdict or "")
