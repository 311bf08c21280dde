# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validators of the Open Compute Project's format, as limits of a step."""

from __future__ import annotations

import math

from scriptlets.tools.patterns import check_pattern, search
from scriptlets.tools.suite_cases import plain

# Those that have a word of ours for it: the check then shows value, limit and distance.
WORDS = {
    "EQUAL": "eq",
    "NOT_EQUAL": "ne",
    "LESS_THAN_OR_EQUAL": "max",
    "GREATER_THAN_OR_EQUAL": "min",
    "IN_SET": "one_of",
}
NUMBERS, TEXTS = (int, float), (str,)


def is_value(value):
    """Whether a measurement can have this value."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, (str, bool)) or (isinstance(value, int) and -(2**63) <= value < 2**63)


def _is_number(value):
    return isinstance(value, NUMBERS) and not isinstance(value, bool) and is_value(value)


def _same_kind(value, limit):
    return is_value(limit) and ((_is_number(value) and _is_number(limit)) or type(value) is type(limit))


def _numbers(value, limit):
    return _is_number(value) and _is_number(limit)


def _patterns(value, limit):
    return isinstance(value, str) and all(isinstance(each, str) for each in _listed(limit)) and bool(_listed(limit))


def _sets(value, limit):
    return isinstance(limit, list) and all(_same_kind(value, each) for each in limit) and bool(limit)


def _listed(limit):
    return limit if isinstance(limit, list) else [limit]


def _matches(value, limit):
    for pattern in _listed(limit):
        check_pattern("validator", pattern)
    return any(search("validator", pattern, value) for pattern in _listed(limit))


# type -> whether value and limit are of the types that it takes, and whether it holds
VALIDATORS = {
    "EQUAL": (_same_kind, lambda value, limit: value == limit),
    "NOT_EQUAL": (_same_kind, lambda value, limit: value != limit),
    "LESS_THAN": (_numbers, lambda value, limit: value < limit),
    "LESS_THAN_OR_EQUAL": (_numbers, lambda value, limit: value <= limit),
    "GREATER_THAN": (_numbers, lambda value, limit: value > limit),
    "GREATER_THAN_OR_EQUAL": (_numbers, lambda value, limit: value >= limit),
    "REGEX_MATCH": (_patterns, _matches),
    "REGEX_NO_MATCH": (_patterns, lambda value, limit: not _matches(value, limit)),
    "IN_SET": (_sets, lambda value, limit: value in limit),
    "NOT_IN_SET": (_sets, lambda value, limit: value not in limit),
}


def broken(value, validator):
    """What is wrong with a value by a validator; empty where it holds.

    Raises ValueError for a validator that is not known, or is not for such a value.
    """
    kind, limit = validator.get("type"), validator.get("value")
    if not isinstance(kind, str) or kind not in VALIDATORS:
        raise ValueError(f"the validator {plain(str(kind), 100)} is not known: known are {', '.join(VALIDATORS)}")
    takes, holds = VALIDATORS[kind]
    if not takes(value, limit):
        raise ValueError(f"the validator {kind} {plain(str(limit), 100)} is not for the value {plain(str(value), 100)}")
    return "" if holds(value, limit) else f"{plain(str(value), 100)} is not {kind} {plain(str(limit), 100)}"


def record(ctx, name, unit, values, validators):
    """Record the values of a measurement, or of a series by its extremes. Yields what does not hold, in words.

    Raises ValueError as `broken` does.
    """
    wrong = {}
    for validator in validators:
        for value in values:
            said = broken(value, validator)
            if said:
                wrong.setdefault(validator.get("name") or validator["type"], said)
    for label, value in _shown(name, values):
        _record_one(ctx, label, value, unit, validators)
    for said in wrong.values():
        yield f"{name}: {said}{' ' + unit if unit else ''}"


def _shown(name, values):
    """The values to record: one by itself, of several the last, the smallest and the largest."""
    if len(values) <= 1:
        return [(name, value) for value in values]
    if not all(map(_is_number, values)):
        return [(f"{name}.last", values[-1])]
    return [(f"{name}.min", min(values)), (f"{name}.max", max(values)), (f"{name}.last", values[-1])]


def _record_one(ctx, name, value, unit, validators):
    """Record one value: with the limits that are words of ours, and each other validator as a check of its own."""
    limits, others = {}, []
    for validator in validators:
        word = WORDS.get(validator["type"])
        if word and word not in limits:
            limits[word] = validator["value"]
        else:
            others.append(validator)
    if limits:
        ctx.check(name, value, unit, **limits)
    else:
        ctx.measure(name, value, unit)
    for validator in others:
        rule = f"{validator['type']} {plain(str(validator['value']), 100)}"
        ctx.check(f"{name} {rule}", not broken(value, validator), eq=True)
