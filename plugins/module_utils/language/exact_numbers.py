# SPDX-License-Identifier: GPL-3.0-or-later

"""Exact arithmetic on numbers as they are written, and equality of JSON values.

A float stands for the shortest decimal number that reads back as the same float. So 1.1 is within 10 % of 1, and
9 - 8.9 is 0.1.
"""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LARGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Union

    Number = Union[int, float]

LARGEST_FLOAT = 1.7976931348623157e308


def is_number(value: object) -> bool:
    """Whether a value is a finite JSON number. True and false are none, although they are integers in Python."""
    return isinstance(value, (int, float)) and value is not True and value is not False and abs(value) <= LARGEST_FLOAT


def equality_key(value: object) -> Hashable:
    """A key that is equal for equal JSON values, whatever the order of names: 1 and 1.0 are equal, 1 and true not."""
    if isinstance(value, bool):
        return bool, value
    if isinstance(value, dict):
        return dict, frozenset((key, equality_key(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return list, tuple(map(equality_key, value))
    found: Hashable = value
    return found


def difference(one: Number, other: Number) -> Number:
    """`one - other`; an integer for two integers, unless it is too large for a database."""
    (first, second), exponent = _aligned(one, other)
    return _number(first - second, exponent, whole=_are_integers(one, other))


def distance_inside(value: Number, centre: Number, by: Number) -> Number:
    """How far `value` is inside the range `centre` plus or minus `by`; negative outside."""
    (given, middle, reach), exponent = _aligned(value, centre, by)
    return _number(reach - abs(given - middle), exponent, whole=_are_integers(value, centre, by))


def distance_inside_percent(value: Number, centre: Number, percent: Number) -> Number:
    """How far `value` is inside the range `centre` plus or minus `percent` % of it; negative outside."""
    (given, middle, share), exponent = _aligned(value, centre, percent)
    hundred: int = 10 ** (2 - exponent)
    margin = abs(middle) * share - abs(given - middle) * hundred
    return _number(margin, 2 * exponent - 2, whole=_are_integers(value, centre, percent))


def quantile(values: list[Number], share: Number) -> Number:
    """The quantile of at least one number; `share` is from 0 to 1. It is interpolated linearly (numpy's default)."""
    ordered = sorted(values)
    (part,), exponent = _aligned(share)
    scale: int = 10**-exponent
    index, rest = divmod(part * (len(ordered) - 1), scale)
    if not rest:
        return ordered[index]
    low, high = ordered[index], ordered[index + 1]
    (first, second), places = _aligned(low, high)
    return _number(first * scale + (second - first) * rest, places + exponent, whole=_are_integers(low, high))


def _are_integers(*values: Number) -> bool:
    return all(isinstance(value, int) for value in values)


def _aligned(*values: Number) -> tuple[list[int], int]:
    """An integer for each value, and an exponent of at most 0: the value is the integer times `10**exponent`."""
    pairs = [(value, 0) if isinstance(value, int) else _decimal(value) for value in values]
    lowest = min(0, *(exponent for _digits, exponent in pairs))
    return [digits * 10 ** (exponent - lowest) for digits, exponent in pairs], lowest


def _decimal(value: float) -> tuple[int, int]:
    digits, _e, exponent = float.__repr__(value).partition("e")
    whole, _point, fraction = digits.partition(".")
    return int(whole + fraction), int(exponent or 0) - len(fraction)


def _number(digits: int, exponent: int, *, whole: bool) -> Number:
    """`digits * 10**exponent` as the nearest number that JSON and databases hold; `exponent` is at most 0."""
    scale: int = 10**-exponent
    if whole and digits % scale == 0 and -LARGEST <= digits // scale < LARGEST:
        return digits // scale
    try:
        return digits / scale
    except OverflowError:
        return LARGEST_FLOAT if digits > 0 else -LARGEST_FLOAT
