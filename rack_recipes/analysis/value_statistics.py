# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statistics of every number of a run over its hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from rack_recipes.analysis.derived import derived_numbers
from rack_recipes.analysis.measured_and_context_numbers import Metric, by_metric
from rack_recipes.analysis.methods.moments_without_numpy import FewMoments, moments, percentile_of_sorted
from rack_recipes.analysis.run_data import RunData

GREATEST = 1e150  # as in methods/arrays.py
FEW = 5_000  # numbers for which numpy is not worth its import
PERCENTS = (5, 25, 75, 95)
"""The percentiles that are told beside the median, by Hyndman and Fan's type 7; each needs enough values."""


def statistics(run: RunData) -> list[Mapping[str, Any]]:
    """A row for each metric, measurements first, and for each derived number: its moments and percentiles.

    Only finite numbers up to `GREATEST` count. What too few values do not have is None or NaN: there is no p95 of fewer
    than 20.
    """
    numbers, derived = by_metric(run), derived_numbers(run)
    numbers |= {Metric("", one.name, one.unit): [*one.numbers.values()] for one in derived if one.numbers}
    definitions = {one.name: one.definition for one in derived}
    ordered = sorted(numbers, key=lambda metric: (not metric.step, run.place(metric.step), metric.name, metric.unit))
    groups = [[number for number in numbers[metric] if abs(number) <= GREATEST] for metric in ordered]
    tell = _few_moments if sum(map(len, groups)) <= FEW else _many_moments
    return [
        {**metric._asdict(), **told, "definition": definitions.get(metric.name)}
        for metric, told in zip(ordered, tell(groups), strict=True)
    ]


def _few_moments(groups: Sequence[Sequence[float]]) -> Iterator[dict[str, Any]]:
    """Moments and percentiles of each group, without numpy."""
    for numbers in groups:
        ordered = sorted(numbers)
        percentiles = {f"p{percent}": percentile_of_sorted(ordered, percent) for percent in PERCENTS}
        yield {**asdict(moments(ordered)), **percentiles}


def _many_moments(groups: Sequence[Sequence[float]]) -> Iterator[dict[str, Any]]:
    """The same with numpy, all groups at once."""
    import numpy as np

    from rack_recipes.analysis.methods.moments import group_moments, percentile

    codes = np.repeat(np.arange(len(groups)), [*map(len, groups)])
    found = group_moments(np.fromiter(chain(*groups), np.float64, len(codes)), codes, len(groups))
    for place, numbers in enumerate(groups):
        percentiles = {f"p{percent}": percentile(numbers, percent) for percent in PERCENTS}
        yield {**{name: getattr(found, name)[place].item() for name in FewMoments.__slots__}, **percentiles}
