# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What limits say of a series of values: where they end, and which direction is better."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rack_recipes.analysis.load_values_over_runs import Series
from rack_recipes.analysis.numbers_in_json import NUMBERS

HIGHER, LOWER, TARGET = "higher", "lower", "target"
Ends = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class SeriesLimits:
    """The limits of a series in its unit: the least and the greatest value that is allowed, None where there is no end.

    `better` is "higher", "lower", "target" or "" where nothing is known; `target` is the best value, `tolerance` how
    far from it is allowed.
    """

    low: float | None = None
    high: float | None = None
    better: str = ""
    target: float | None = None
    tolerance: float | None = None

    def is_worse(self, before: float, after: float) -> bool | None:
        """Whether a value is worse than another; None where no limit tells which direction is good."""
        if self.target is not None:
            return abs(after - self.target) > abs(before - self.target)
        return (after > before) == (self.better == LOWER) if self.better else None


NO_LIMITS = SeriesLimits()


class KnownLimits:
    """The limits of all series of a run. Where hosts have several, the strictest count."""

    def __init__(self, measurements: Iterable[Mapping[str, Any]]) -> None:
        self._ends: dict[tuple[str, str, str], list[Ends]] = defaultdict(list)
        for row in measurements:
            if row["limits"]:
                self._ends[row["step"], row["name"], row["unit"] or ""].append(_ends(row["limits"]))

    def of(self, series: Series) -> SeriesLimits:
        """The limits of a series; those of equally named measurements are the same."""
        found = {*self._ends.get((series.step, series.name, series.unit), ())}
        lows = [low for low, _high in found if low is not None]
        highs = [high for _low, high in found if high is not None]
        return _limits(max(lows, default=None), min(highs, default=None))


def _limits(low: float | None, high: float | None) -> SeriesLimits:
    if low is None or high is None:
        return SeriesLimits(low, high, better=HIGHER if low is not None else LOWER if high is not None else "")
    return SeriesLimits(low, high, TARGET, (low + high) / 2, abs(high - low) / 2)


def _ends(limits: Mapping[str, Any]) -> Ends:
    within = limits.get("within")
    if isinstance(within, dict):
        return _around(*(_number(within.get(name)) for name in ("of", "by", "percent")))
    same = _number(limits.get("eq"))
    return (same, same) if same is not None else (_number(limits.get("min")), _number(limits.get("max")))


def _around(target: float | None, by: float | None, percent: float | None) -> Ends:
    reach = by if by is not None else None if percent is None or target is None else abs(target * percent) / 100
    return (None, None) if target is None or reach is None else (target - reach, target + reach)


def _number(value: Any) -> float | None:
    return float(value) if type(value) in NUMBERS else None
