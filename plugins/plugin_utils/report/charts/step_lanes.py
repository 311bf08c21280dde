# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the stages and steps of a run went on, as rows of a timeline: for the page and for charts alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.verdict_order import rank
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.timeline import Lane, Span
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables.cells import RUN_SCOPED


class TimedResult(NamedTuple):
    """A result that ran: its start in seconds since 1970, and how many seconds it took."""

    step: str
    host: str
    stage: int
    start: float
    seconds: float
    verdict: str


def moment(text: Any) -> float | None:
    """An ISO time in seconds since 1970; None for what is no time."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def step_lanes(results: Iterable[TimedResult], most_steps: int | None = None) -> list[Lane]:
    """A row for each stage, from its first start to its last end on any host, and under it one for each of its steps.

    Times are in seconds since the first start. Stages and steps stand in the order of their starts. A run of more than
    `most_steps` steps has stages alone.
    """
    found = [*results]
    zero = min((one.start for one in found), default=0.0)
    stages = {stage: [one for one in found if one.stage == stage] for stage in sorted({one.stage for one in found})}
    with_steps = most_steps is None or len({one.step for one in found}) <= most_steps
    return [lane for stage, own in stages.items() for lane in _lanes(stage, own, zero, with_steps=with_steps)]


def _lanes(stage: int, results: Sequence[TimedResult], zero: float, *, with_steps: bool) -> Iterator[Lane]:
    yield Lane(f"stage {stage}", (_span(results, zero),))
    by_step: dict[str, list[TimedResult]] = {}
    for one in results if with_steps else ():
        by_step.setdefault(one.step, []).append(one)
    spans = {step: _span(own, zero) for step, own in by_step.items()}
    yield from (Lane(step, (spans[step],), inner=True) for step in sorted(spans, key=lambda name: spans[name].start))


def _span(results: Sequence[TimedResult], zero: float) -> Span:
    """From the first start to the last end, with the worst verdict and the hosts in words."""
    start, end = min(one.start for one in results), max(one.start + one.seconds for one in results)
    hosts, verdicts = {one.host for one in results}, dict.fromkeys(one.verdict for one in results)
    where = next(iter(hosts)) or RUN_SCOPED if len(hosts) == 1 else f"{len(hosts):,} hosts"
    return Span(start - zero, end - zero, min(verdicts, key=rank), where)
