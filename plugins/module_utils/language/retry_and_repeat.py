# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pause before the next try of a step that is retried, and figures over all rounds of a step that is repeated."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import is_number, quantile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Union

    Number = Union[int, float]
    Measurement = dict[str, Any]

KEPT = 10_000  # values of one measurement that are kept for its p95
LONGEST = 7 * 24 * 3600.0  # seconds


def delay(retry: dict[str, Any], tries: int) -> float:
    """The seconds to wait after this many `tries` (1 or more).

    They grow by the factor `backoff` with each try, up to `max_delay_sec`, or up to a week where that is not given.
    """
    first = float(retry.get("delay_sec") or 0.0)
    most = retry.get("max_delay_sec")
    try:
        grown = first * float(retry.get("backoff") or 1.0) ** (tries - 1)
    except OverflowError:
        grown = LONGEST if first else 0.0
    return min(grown, LONGEST if most is None else float(most))


class RoundFigures:
    """Figures of every numeric measurement, over all rounds of a step."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], Series] = {}

    def add(self, measurements: Iterable[Measurement]) -> None:
        """Add the measurements of one round; a value that is no number is ignored."""
        for given in measurements:
            if is_number(given["value"]):
                name = given["name"], given.get("unit") or ""
                if name not in self._series:
                    self._series[name] = Series(given["value"])
                self._series[name].add(given["value"])

    def measurements(self) -> list[Measurement]:
        """`NAME.count`, `NAME.min` and so on, each a measurement with its unit; a count has no unit."""
        return [
            {"name": f"{name}.{figure}", "value": value, "unit": "" if figure == "count" else unit}
            for (name, unit), series in self._series.items()
            for figure, value in series.figures().items()
        ]


class Series:
    """The values of one measurement in a bounded memory.

    Mean and deviation are computed from the differences to the first value (Welford's method). So they keep their
    digits far from zero too. The deviation is the population's (divided by the count). Beyond 10,000 values there is
    no p95: the p95 of a part of the rounds would look like that of all.
    """

    def __init__(self, first: Number) -> None:
        self.count = 0
        self.min = self.max = self._first = first
        self._mean = 0.0
        self._squares = 0.0
        self._kept: list[Number] = []

    def add(self, value: Number) -> None:
        """Add one more value."""
        self.count += 1
        self.min, self.max = min(self.min, value), max(self.max, value)
        offset = value - self._first
        before = offset - self._mean
        self._mean += before / self.count
        self._squares += before * (offset - self._mean)
        if self.count <= KEPT:
            self._kept.append(value)

    def figures(self) -> dict[str, Number]:
        """Count, min, mean, max, stdev and p95, in this order. A figure that is too large for a number is left out."""
        mean = self._first + self._mean
        stdev = (self._squares / self.count) ** 0.5
        found: dict[str, Number] = {"count": self.count, "min": self.min, "mean": mean, "max": self.max, "stdev": stdev}
        if self.count <= KEPT:
            found["p95"] = quantile(self._kept, 0.95)
        return {figure: value for figure, value in found.items() if is_number(value)}
