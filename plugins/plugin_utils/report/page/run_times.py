# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the stages and steps of a run went on, as rows of a timeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.verdicts import rank
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.timeline import Lane, Span
from ansible_collections.rack.recipes.plugins.plugin_utils.report.table_model import Table

MOST_STEPS = 60
"""A run with more steps is shown by its stages."""

type Result = tuple[str, int, float, float, str]  # step, stage, start, end, verdict


def lanes(verdicts: Table, steps: Table) -> list[Lane]:
    """A row for each stage, from its first start to its last end on any host, and under it one for each of its steps.

    Results that an earlier run had are left out, and so are times that are none. Times are in seconds since the first
    start.
    """
    found = [*_results(verdicts, dict(zip(steps.values("step"), steps.values("stage"), strict=True)))]
    first = min((start for _step, _stage, start, _end, _verdict in found), default=0.0)
    stages = {stage: [one for one in found if one[1] == stage] for stage in sorted({one[1] for one in found})}
    names = {one[0] for one in found}
    return [lane for stage, own in stages.items() for lane in _lanes(stage, own, first, len(names) <= MOST_STEPS)]


def _results(verdicts: Table, stages: Mapping[str, int | None]) -> Iterable[Result]:
    columns = map(verdicts.values, ("step", "started", "seconds", "source_run", "verdict", "tries"))
    for step, started, seconds, source, verdict, tries in zip(*columns, strict=True):
        start = _instant(started)
        if source is None and start is not None and tries != 0:
            yield step, stages.get(step) or 0, start, start + (seconds or 0.0), verdict or ""


def _instant(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def _lanes(stage: int, results: Sequence[Result], first: float, with_steps: bool) -> Iterable[Lane]:
    yield Lane(f"stage {stage}", (_span(results, first),))
    if with_steps:
        by_step: dict[str, list[Result]] = {}
        for one in results:
            by_step.setdefault(one[0], []).append(one)
        spans = {step: _span(own, first) for step, own in by_step.items()}
        for step in sorted(spans, key=lambda name: spans[name].start):
            yield Lane(step, (spans[step],), inner=True)


def _span(results: Sequence[Result], first: float) -> Span:
    start, end = min(one[2] for one in results) - first, max(one[3] for one in results) - first
    return Span(start, end, min((one[4] for one in results), key=rank))
