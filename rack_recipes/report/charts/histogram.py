# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The histogram of a measurement: how many values lie where, and where its limits are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor

from markupsafe import Markup

from rack_recipes.analysis.methods.moments_without_numpy import quantile_of_sorted
from rack_recipes.report.charts.axes import Area, Scale, axis_below, axis_left, left_width, round_step, scale_of
from rack_recipes.report.charts.chart_model import Chart, Limit, Quantity, is_drawable
from rack_recipes.report.charts.limit_lines import upright_limits
from rack_recipes.report.charts.number_words import number
from rack_recipes.report.charts.svg_elements import element, picture
from rack_recipes.report.table_model import Column, Table

WIDTH, HEIGHT = 640, 300
TOP, BOTTOM, RIGHT = 64, 44, 24
FEWEST_BINS, MOST_BINS = 5, 50
ABOUT = "How many values lie in each range: from its lower end on, below its upper end."


@dataclass(frozen=True, slots=True)
class Bins:
    """Ranges of equal width, and how many values lie in each."""

    first: float
    width: float
    counts: tuple[int, ...]

    def ends(self, place: int) -> tuple[float, float]:
        """The lower and the upper end of a range."""
        return self.first + place * self.width, self.first + (place + 1) * self.width


def histogram(quantity: Quantity, values: Sequence[float], limits: Sequence[Limit] = ()) -> Chart:
    """The histogram of the values. Values that cannot be drawn are left out, and the title says how many."""
    known = sorted(value for value in values if is_drawable(value))
    bins = bins_of(known)
    return Chart(_drawn(quantity, bins, limits, _title(quantity, known, len(values))), _figures(quantity, bins))


def bins_of(ordered: Sequence[float]) -> Bins:
    """Ranges for sorted values, by the rule of Freedman and Diaconis, with round ends."""
    if not ordered:
        return Bins(0.0, 1.0, ())
    width = _width(ordered)
    middle = width / 2 if width == 1 and all(value == floor(value) for value in ordered) else 0.0
    places = [floor((value + middle) / width) for value in ordered]
    counted = Counter(place - places[0] for place in places)
    return Bins(places[0] * width - middle, width, tuple(counted[place] for place in range(places[-1] - places[0] + 1)))


def _width(ordered: Sequence[float]) -> float:
    span = scale_of(ordered, 0, 1, room=0)
    whole = span.high - span.low
    spread = quantile_of_sorted(ordered, 0.75) - quantile_of_sorted(ordered, 0.25)
    best = 2 * spread / len(ordered) ** (1 / 3)
    wished = min(max(whole / best if best > 0 else FEWEST_BINS, FEWEST_BINS), MOST_BINS)
    width = round_step(whole / wished)
    is_whole = all(value == floor(value) for value in ordered)
    if is_whole and whole <= MOST_BINS:
        return 1.0
    return max(width, 1.0) if is_whole else width


def _title(quantity: Quantity, known: Sequence[float], total: int) -> str:
    left_out = f"; {total - len(known):,} more are no finite numbers" if len(known) < total else ""
    if not known:
        return f"Histogram of {quantity.label}: no values{left_out}"
    middle = quantile_of_sorted(known, 0.5)
    spread = f"from {number(known[0])} to {number(known[-1])}, median {number(middle)}"
    return f"Histogram of {quantity.label}: {len(known):,} values {spread}{left_out}"


def _drawn(quantity: Quantity, bins: Bins, limits: Sequence[Limit], title: str) -> Markup:
    up = scale_of([0, max(bins.counts, default=1)], HEIGHT - BOTTOM, TOP, room=0)
    area = Area(left_width(up), TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)
    ends = [bins.ends(0)[0], bins.ends(len(bins.counts) - 1)[1]] if bins.counts else [0.0]
    across = scale_of([*ends, *(limit.value for limit in limits)], area.left, area.right)
    return picture(
        "histogram", WIDTH, HEIGHT, title,
        axis_left(area, up, "Values", whole=True), axis_below(area, across, quantity.label),
        *_bars(bins, across, up), *upright_limits(area, across, limits),
    )  # fmt: skip


def _bars(bins: Bins, across: Scale, up: Scale) -> Iterator[Markup]:
    for place, count in enumerate(bins.counts):
        if count:
            low, high = bins.ends(place)
            left, right = across(low), across(high)
            said = element("title", f"{number(low)} to {number(high)}: {count:,}")
            size = {"width": f"{max(right - left - 1, 1):.1f}", "height": f"{up(0) - up(count):.1f}"}
            yield element("rect", said, x=f"{left:.1f}", y=f"{up(count):.1f}", **size, class_="bar")


def _figures(quantity: Quantity, bins: Bins) -> Table:
    columns = (
        Column("from", "From", "number", quantity.unit),
        Column("to", "To", "number", quantity.unit),
        Column("values", "Values", "number"),
    )
    rows = tuple((*bins.ends(place), count) for place, count in enumerate(bins.counts) if count)
    return Table("histogram", f"Histogram of {quantity.name}", columns, rows, ABOUT)
