# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.analysis.values_over_runs import NO_LIMITS, KnownLimits, Series, SeriesLimits

T = Series("read", "t", "C")


def row(limits: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    return {"step": "read", "name": "t", "unit": "C", "limits": limits, **fields}


@pytest.mark.parametrize(
    ("limits", "known"),
    [
        ({"max": 80}, SeriesLimits(high=80, better="lower")),
        ({"min": 5}, SeriesLimits(low=5, better="higher")),
        ({"min": 10, "max": 20}, SeriesLimits(10, 20, "target", 15, 5)),
        ({"within": {"of": 100, "by": 3}}, SeriesLimits(97, 103, "target", 100, 3)),
        ({"within": {"of": 50, "percent": 10}}, SeriesLimits(45, 55, "target", 50, 5)),
        ({"within": {"of": 50}}, NO_LIMITS),
        ({"eq": 4}, SeriesLimits(4, 4, "target", 4, 0)),
        ({"eq": "up"}, NO_LIMITS),
        ({"max": "${key}"}, NO_LIMITS),
        ({"ne": 3, "warn": {"max": 9}}, NO_LIMITS),
        (None, NO_LIMITS),
    ],
    ids=str,
)
def test_what_limits_say(limits: dict[str, Any] | None, known: SeriesLimits) -> None:
    assert KnownLimits([row(limits)]).of(T) == known


def test_the_strictest_limit_of_all_hosts_counts() -> None:
    assert KnownLimits([row({"max": 80}), row({"max": 70})]).of(T) == SeriesLimits(high=70, better="lower")


def test_limits_belong_to_one_name_and_unit_of_a_step() -> None:
    known = KnownLimits([row({"max": 80})])
    others = (Series("read", "t"), Series("read", "u", "C"), Series("other", "t", "C"))
    assert {known.of(other) for other in others} == {NO_LIMITS}
    assert known.of(T._replace(number=2)) == known.of(T)


@pytest.mark.parametrize(
    ("limits", "before", "after", "worse"),
    [
        (SeriesLimits(), 1, 2, None),
        (SeriesLimits(high=9, better="lower"), 1, 2, True),
        (SeriesLimits(high=9, better="lower"), 2, 1, False),
        (SeriesLimits(low=0, better="higher"), 1, 2, False),
        (SeriesLimits(low=0, better="higher"), 2, 1, True),
        (SeriesLimits(0, 10, "target", 5, 5), 4, 7, True),
        (SeriesLimits(0, 10, "target", 5, 5), 3, 6, False),
    ],
    ids=str,
)
def test_whether_a_value_is_worse(limits: SeriesLimits, before: float, after: float, worse: bool | None) -> None:
    assert limits.is_worse(before, after) is worse
