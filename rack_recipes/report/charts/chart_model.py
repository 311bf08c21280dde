# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What charts are made of, and what they are: a picture, and a table with the same figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from markupsafe import Markup

from rack_recipes.report.table_model import Table


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: `svg` is one SVG element for a page that has the style sheet of chart_style.py.

    `figures` has the figures of the picture, for those who cannot see it and for those who want to know exactly.
    """

    svg: Markup
    figures: Table


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is measured, and in which unit; the unit is empty where there is none."""

    name: str
    unit: str = ""

    @property
    def label(self) -> str:
        """The text of an axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


LARGEST = 1e300
"""Larger numbers are not drawn: the distance of two of them is no number any more."""


def is_drawable(value: Any) -> TypeGuard[float]:
    """Whether a value is a finite number that has a place on an axis."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


class Limit(NamedTuple):
    """A limit on a value, as a criterion has it: `word` is max, min, warn max, within."""

    word: str
    value: float


def limits_of(criterion: Mapping[str, Any]) -> list[Limit]:
    """The limits of a measurement's criterion that are numbers; a tolerance has two ends."""
    return [limit for word, bound in criterion.items() for limit in _limits(word, bound)]


def _limits(word: str, bound: Any) -> Sequence[Limit]:
    if word == "warn" and isinstance(bound, dict):
        return [Limit(f"warn {limit.word}", limit.value) for limit in limits_of(bound)]
    if isinstance(bound, dict):
        return _ends(word, bound)
    return [Limit(word, float(bound))] if is_drawable(bound) else []


def _ends(word: str, tolerance: Mapping[str, Any]) -> Sequence[Limit]:
    of, by, percent = (tolerance.get(name) for name in ("of", "by", "percent"))
    if is_drawable(of) and is_drawable(percent):
        by = of * percent / 100
    return [Limit(word, of - abs(by)), Limit(word, of + abs(by))] if is_drawable(of) and is_drawable(by) else []
