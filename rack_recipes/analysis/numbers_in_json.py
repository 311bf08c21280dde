# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers inside of JSON values."""

from __future__ import annotations

from math import nan
from typing import Any

LONGEST_LIST = 32  # the numbers of a longer list are samples, not series of their own
NUMBERS = frozenset((int, float))  # true and false are none

Numbers = list[tuple[str, float]]


def number_of(value: Any) -> float:
    """A value as a float, or NaN where it is no number, or too large for a float."""
    try:
        return float(value) if type(value) in NUMBERS else nan
    except OverflowError:  # a whole number of more than 308 digits
        return nan


def numbers_in(value: Any, path: str = "") -> Numbers:
    """The numbers inside of a JSON value, each with its path, such as `.mean` or `.disks[0].hours`; "" is the value."""
    found: Numbers = []
    _gather(value, path, found)
    return found


def _gather(value: Any, path: str, found: Numbers) -> None:
    if type(value) in NUMBERS:
        found.append((path, number_of(value)))
    elif isinstance(value, dict):
        for name, inner in value.items():
            _gather(inner, f"{path}.{name}", found)
    elif isinstance(value, list) and len(value) <= LONGEST_LIST:
        for index, inner in enumerate(value):
            _gather(inner, f"{path}[{index}]", found)
