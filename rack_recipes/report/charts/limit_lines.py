# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines for the limits of a value, with their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from rack_recipes.report.charts.axes import Area, Scale
from rack_recipes.report.charts.chart_model import Limit
from rack_recipes.report.charts.number_words import number
from rack_recipes.report.charts.svg_elements import LETTER, element, label

LETTERS = 22
LINE = 13
"""The height of a line of text in pixels."""


def text_of(limit: Limit) -> str:
    """A limit in words: max 9.5."""
    return f"{limit.word} {number(limit.value)}"


def css_of(limit: Limit) -> str:
    """A limit of a warning is shown like what is marginal, any other like what failed."""
    return "limit warn" if limit.word.startswith("warn") else "limit"


def upright_limits(area: Area, scale: Scale, limits: Sequence[Limit]) -> Iterator[Markup]:
    """Upright lines, each with its name above the area; names that would overlap stand one above the other."""
    taken = [0.0] * 4
    for limit in sorted(limits, key=lambda one: one.value):
        at, text = scale(limit.value), label(text_of(limit), LETTERS)
        half = len(text) * LETTER / 2 + 4
        row = next((row for row, end in enumerate(taken) if end <= at - half), len(taken) - 1)
        taken[row] = at + half
        line = element("path", d=f"M{at:.1f} {area.top - 3:.1f}V{area.bottom:.1f}", class_=css_of(limit))
        name = element("text", text, x=f"{at:.1f}", y=f"{area.top - 10 - row * LINE:.1f}", class_="limit-name middle")
        yield element("g", element("title", text_of(limit)), line, name)


def level_limits(area: Area, scale: Scale, limits: Sequence[Limit]) -> Iterator[Markup]:
    """Level lines, each with its name at the right; names that would overlap move down."""
    last = area.top - LINE
    for limit in sorted(limits, key=lambda one: -one.value):
        at = scale(limit.value)
        last = max(at, last + LINE)
        line = element("path", d=f"M{area.left:.1f} {at:.1f}H{area.right:.1f}", class_=css_of(limit))
        text = label(text_of(limit), LETTERS)
        name = element("text", text, x=f"{area.right + 6:.1f}", y=f"{last:.1f}", class_="limit-name")
        yield element("g", element("title", text_of(limit)), line, name)


def names_width(limits: Sequence[Limit]) -> float:
    """The pixels at the right that the names of level limits need."""
    return max((len(label(text_of(limit), LETTERS)) for limit in limits), default=0) * LETTER + 12
