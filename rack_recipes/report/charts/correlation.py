# SPDX-License-Identifier: GPL-3.0-or-later

"""Which measurements of the same hosts move together: a map of coefficients, or the dots of two measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import sqrt
from typing import NamedTuple

from markupsafe import Markup

from rack_recipes.report.charts.axes import Area, axis_below, axis_left, left_width, scale_of
from rack_recipes.report.charts.chart_elements import (
    LETTER,
    OPPOSITES,
    Chart,
    Quantity,
    dot,
    element,
    is_drawable,
    label,
    label_width,
    picture,
)
from rack_recipes.report.format_values import number
from rack_recipes.report.table_model import Column, Table

CELL, MOST_MEASUREMENTS = 46, 24
WIDTH, HEIGHT, TOP, BOTTOM, RIGHT = 480, 400, 40, 44, 24
FEWEST_HOSTS = 4
"""With fewer hosts any two measurements seem to move together, so there is no coefficient."""

ABOUT = (
    "Spearman's coefficient of the ranks over the hosts that have both: 1 both rise together, -1 one falls as the "
    "other rises, 0 neither. It does not say which of both is the reason, or whether a third thing is."
)

Values = Mapping[str, float]


class Pair(NamedTuple):
    """Two measurements, their coefficient (None where there is none), and how many hosts have both."""

    one: Quantity
    other: Quantity
    coefficient: float | None
    hosts: int


def correlation(measured: Sequence[tuple[Quantity, Values]]) -> Chart:
    """The map of coefficients of measurements, each with its values by host; of two measurements, their dots.

    Of more than `MOST_MEASUREMENTS` the first ones are drawn and computed.
    """
    shown = measured[:MOST_MEASUREMENTS]
    pairs = [_pair(shown[one], shown[other]) for one in range(len(shown)) for other in range(one)]
    drawn = _dots(shown[0], shown[1], pairs[0]) if len(shown) == 2 else _map(shown, pairs)
    return Chart(drawn, _figures(pairs))


def _pair(one: tuple[Quantity, Values], other: tuple[Quantity, Values]) -> Pair:
    both = [(one[1][host], other[1][host]) for host in _shared_hosts(one[1], other[1])]
    return Pair(one[0], other[0], spearman(both), len(both))


def _shared_hosts(one: Values, other: Values) -> list[str]:
    """The hosts that have both values, in the order of the first."""
    return [host for host in one if is_drawable(one[host]) and is_drawable(other.get(host))]


def spearman(both: Sequence[tuple[float, float]]) -> float | None:
    """The coefficient of the ranks; None for too few values, or where one side is always the same."""
    if len(both) < FEWEST_HOSTS:
        return None
    left, right = (_ranks([pair[side] for pair in both]) for side in (0, 1))
    middle = (len(both) + 1) / 2
    spread = sqrt(sum((rank - middle) ** 2 for rank in left)) * sqrt(sum((rank - middle) ** 2 for rank in right))
    shared = sum((one - middle) * (other - middle) for one, other in zip(left, right, strict=True))
    return max(-1.0, min(1.0, shared / spread)) if spread else None


def _ranks(values: Sequence[float]) -> list[float]:
    """The rank of each value, from 1 on; equal values share the mean of their ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and values[order[last + 1]] == values[order[first]]:
            last += 1
        for place in order[first : last + 1]:
            ranks[place] = (first + last) / 2 + 1
        first = last + 1
    return ranks


# --- Many measurements ------------------------------------------------------------------------------------------------


def _map(measured: Sequence[tuple[Quantity, Values]], pairs: Sequence[Pair]) -> Markup:
    names = [quantity.label for quantity, _values in measured]
    left, top = label_width(names), label_width(names) * 0.72 + 10
    size = CELL * len(names)
    title = f"Correlation of {len(names)} measurements"
    known = {(pair.one.label, pair.other.label): pair for pair in pairs}
    cells = (
        _cell(pair, left + column * CELL, top + row * CELL)
        for row, column in product(range(len(names)), repeat=2)
        if row != column and (pair := known.get((names[max(row, column)], names[min(row, column)])))
    )
    return picture("correlation", left + size + label_width(names) * 0.72, top + size + 4, title,
                   *_names(names, left, top), *cells)  # fmt: skip


def _names(names: Sequence[str], left: float, top: float) -> Iterator[Markup]:
    for place, name in enumerate(names):
        middle = (place + 0.5) * CELL
        said = element("title", name)
        yield element("text", said, label(name), x=f"{left - 8:.1f}", y=f"{top + middle:.1f}", class_="name")
        slanted = f"translate({left + middle:.1f} {top - 8:.1f}) rotate(-45)"
        yield element("text", said, label(name), transform=slanted)


def _cell(pair: Pair, x: float, y: float) -> Markup:
    text = "–" if pair.coefficient is None else f"{pair.coefficient:.2f}"
    css = level_of(pair.coefficient)
    box = element("rect", x=f"{x:.1f}", y=f"{y:.1f}", width=CELL - 2, height=CELL - 2, class_=css)
    place = {"x": f"{x + CELL / 2 - 1:.1f}", "y": f"{y + CELL / 2 - 1:.1f}", "class_": f"in-cell t{css}"}
    return element("g", element("title", _said(pair)), box, element("text", text, **place))


def level_of(coefficient: float | None) -> str:
    """The class of a coefficient's colour."""
    half = len(OPPOSITES) // 2
    return f"o-{half if coefficient is None else half + round(coefficient * half)}"


def _said(pair: Pair) -> str:
    coefficient = "no coefficient" if pair.coefficient is None else f"{pair.coefficient:.3f}"
    return f"{pair.one.label} and {pair.other.label}: {coefficient}, {pair.hosts:,} hosts"


# --- Two measurements -------------------------------------------------------------------------------------------------


def _dots(one: tuple[Quantity, Values], other: tuple[Quantity, Values], pair: Pair) -> Markup:
    hosts = _shared_hosts(one[1], other[1])
    up = scale_of([other[1][host] for host in hosts], HEIGHT - BOTTOM, TOP)
    area = Area(max(left_width(up), LETTER), TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)
    across = scale_of([one[1][host] for host in hosts], area.left, area.right)
    dots = (
        dot(f"{host}: {number(x)}, {number(y)}", across(x), up(y), "f-1 thin")
        for host in hosts
        for x, y in [(one[1][host], other[1][host])]
    )
    return picture("correlation", WIDTH, HEIGHT, f"Correlation of {_said(pair)}", axis_left(area, up, other[0].label),
                   axis_below(area, across, one[0].label), *dots)  # fmt: skip


def _figures(pairs: Sequence[Pair]) -> Table:
    columns = (
        Column("one", "Measurement"),
        Column("other", "With"),
        Column("coefficient", "Coefficient", "number"),
        Column("hosts", "Hosts", "number"),
    )
    ordered = sorted(pairs, key=lambda pair: -abs(pair.coefficient or 0))
    rows = tuple((pair.one.label, pair.other.label, pair.coefficient, pair.hosts) for pair in ordered)
    return Table("correlation", "Correlation", columns, rows, ABOUT)
