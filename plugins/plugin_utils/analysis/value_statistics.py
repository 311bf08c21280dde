# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statistics of every number of a run over its hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.values import Metric, Value, values

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.moments import GroupMoments

PERCENTS = (5, 25, 75, 95)
"""The percentiles that are told beside the median, by Hyndman and Fan's type 7; each needs enough values."""


def statistics(run: RunData) -> list[Mapping[str, Any]]:
    """A row for each metric, measurements first, with what moments.py and percentile say of it.

    Only finite numbers up to 1e150 count. What too few values do not have is None: there is no p95 of fewer than 20.
    """
    numbers = _by_metric(values(run))
    ordered = sorted(numbers, key=lambda metric: (not metric.step, run.place(metric.step), metric.name, metric.unit))
    return [*_told(ordered, [numbers[metric] for metric in ordered])] if ordered else []


def _by_metric(found: Iterator[Value]) -> dict[Metric, list[float]]:
    gathered: dict[Metric, list[float]] = {}
    for metric, _host, number in found:
        gathered.setdefault(metric, []).append(number)
    return gathered


def _told(metrics: Sequence[Metric], numbers: Sequence[Sequence[float]]) -> Iterator[dict[str, Any]]:
    import numpy as np

    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.arrays import usable
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.moments import group_moments

    codes = np.repeat(np.arange(len(metrics)), [len(own) for own in numbers])
    flat = np.fromiter((number for own in numbers for number in own), np.float64, len(codes))
    kept = usable(flat)
    flat, codes = flat[kept], codes[kept]
    moments = group_moments(flat, codes, len(metrics))
    parts = np.split(flat, np.cumsum(moments.count)[:-1])
    for place, metric in enumerate(metrics):
        yield {**metric._asdict(), **_moments(moments, place), **_percentiles(parts[place])}


def _moments(moments: GroupMoments, place: int) -> dict[str, Any]:
    """The moments of one group; NaN is what it does not have."""
    return {name: getattr(moments, name)[place].item() for name in moments.__slots__}


def _percentiles(numbers: Any) -> dict[str, float | None]:
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.moments import percentile

    return {f"p{percent}": percentile(numbers, percent) for percent in PERCENTS}
