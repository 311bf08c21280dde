# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures, measurements and times in sentences."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rack_recipes.analysis.load_values_over_runs import Series

DIGITS = 4
HOUR, DAY = 3600.0, 86400.0


def amount(value: float, unit: str = "") -> str:
    """A value with its unit, such as `0.3333 us`; whole numbers keep all their digits."""
    figure = f"{value:.0f}" if value == round(value) and abs(value) < 10**15 else f"{value:.{DIGITS}g}"
    return f"{figure} {unit}".rstrip()


def plural(number: int, one: str, many: str = "") -> str:
    """A number and what it counts, such as `1 host` and `2 hosts`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def the_last(number: int, one: str) -> str:
    """The newest of many, such as `the last run` and `the last 2 runs`."""
    return f"the last {one if number == 1 else plural(number, one)}"


def series_name(series: Series) -> str:
    """What a series is called: its name, and the step that measures it."""
    number = f" (number {series.number})" if series.number > 1 else ""
    return f"{series.name}{number} of {series.step}" if series.step else f"{series.name}{number}"


def age(earlier: str | None, later: str | None) -> str:
    """How long one ISO time is before another, in the greatest whole unit, such as `3 days`.

    Empty where one is unknown, and where it is not before the other: clocks differ.
    """
    try:
        seconds = (datetime.fromisoformat(later or "") - datetime.fromisoformat(earlier or "")).total_seconds()
    except ValueError:
        return ""
    if seconds < 60:
        return "less than a minute" if seconds >= 0 else ""
    if seconds >= 2 * DAY:
        return plural(int(seconds / DAY), "day")
    return plural(int(seconds / HOUR), "hour") if seconds >= HOUR else plural(int(seconds / 60), "minute")
