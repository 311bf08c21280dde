# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the stages and steps of a run went on, as rows of a timeline: for the page and for charts alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import add
from typing import Any, NamedTuple

from rack_recipes.analysis.verdict_order import rank
from rack_recipes.report.charts.timeline import Lane, Span
from rack_recipes.report.tables.cells import RUN_SCOPED


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
    grouped: dict[tuple[int, str], list[TimedResult]] = {}
    for one in results:
        grouped.setdefault((one.stage, one.step), []).append(one)
    stages: dict[int, dict[str, _Extent]] = {}
    for (stage, step), own in grouped.items():
        stages.setdefault(stage, {})[step] = _extent(own)
    zero = min((one.start for steps in stages.values() for one in steps.values()), default=0.0)
    with_steps = most_steps is None or len({step for _stage, step in grouped}) <= most_steps
    return [lane for stage in sorted(stages) for lane in _lanes(stage, stages[stage], zero, with_steps=with_steps)]


class _Extent(NamedTuple):
    """From the first start to the last end of some results, with their gravest verdict and their hosts."""

    start: float
    end: float
    verdict: str
    hosts: frozenset[str]

    def span(self, zero: float) -> Span:
        """The same beside other spans, with the hosts in words."""
        where = next(iter(self.hosts)) or RUN_SCOPED if len(self.hosts) == 1 else f"{len(self.hosts):,} hosts"
        return Span(self.start - zero, self.end - zero, self.verdict, where)


def _extent(results: Sequence[TimedResult]) -> _Extent:
    _steps, hosts, _stages, starts, seconds, verdicts = zip(*results, strict=True)
    return _Extent(
        min(starts), max(map(add, starts, seconds)), min(dict.fromkeys(verdicts), key=rank), frozenset(hosts)
    )


def _lanes(stage: int, steps: Mapping[str, _Extent], zero: float, *, with_steps: bool) -> Iterator[Lane]:
    own = [*steps.values()]
    whole = _Extent(
        min(one.start for one in own),
        max(one.end for one in own),
        min((one.verdict for one in own), key=rank),
        frozenset().union(*(one.hosts for one in own)),
    )
    yield Lane(f"stage {stage}", (whole.span(zero),))
    for step in sorted(steps, key=lambda name: steps[name].start) if with_steps else ():
        yield Lane(step, (steps[step].span(zero),), inner=True)
