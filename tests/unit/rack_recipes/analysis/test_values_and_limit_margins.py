# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import inf, isnan, nan

import pytest

from rack_recipes.analysis.measured_and_derived_values import criteria, limits_in_words, margin, measured_values
from rack_recipes.analysis.run_data import RunData, arrange_run


def measured(*cells, steps=()):
    """A run with (host, step, name, value, limits, distance, verdict), all in ms."""
    names = ("host", "step", "name", "value", "limits", "distance", "verdict")
    rows = [dict(zip(names, cell, strict=False)) | {"n": n, "unit": "ms"} for n, cell in enumerate(cells)]
    return arrange_run(RunData(run={}, measurements=rows, steps=steps))


@pytest.mark.parametrize(
    ("limits", "distance", "value", "expected"),
    [
        ({"max": 20}, 0.5, 19.5, 2.5),
        ({"min": 10}, -9, 1, -90),
        ({"min": 3, "max": 9}, 1.5, 4.5, 25),
        ({"min": -5, "max": 5, "warn": {"max": 4}}, 5, 0, 50),
        ({"min": -8}, 2, -6, 25),
        ({"within": {"of": 200, "percent": 10}}, 5, 215, 25),
        ({"within": {"of": 200, "by": 8}}, -4, 212, -50),
        ({"within": {"of": -200, "percent": 10}}, 5, -215, 25),
        ({"max": 0}, -12, 12, -100),
        ({"eq": 5}, -1, 4, -25),
    ],
)
def test_the_margin_is_a_share_of_the_room(limits, distance, value, expected):
    assert margin(limits, distance, value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("limits", "distance", "value"),
    [
        ({"max": 0}, 0, 0),
        ({"one_of": ["a"]}, None, nan),
        ({"max": "a"}, 0, nan),
        ({"max": 5}, nan, 5),
        ({"max": 5}, inf, 5),
        ({"min": 1e308, "max": -1e308}, 1.0, 1.0),
        ({"within": 3}, 1, 1),
        ({"within": {}}, 1, 1),
        ({"max": True}, 1, 0),
        ({}, 1, 1),
        ({"max": 0}, -1, nan),
    ],
)
def test_a_margin_that_means_nothing_is_none(limits, distance, value):
    assert isnan(margin(limits, distance, value))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"min": 3, "max": 9.5}, "min 3, max 9.5"),
        ({"max": 9, "warn": {"min": 4, "max": 8}}, "max 9, warn min 4, warn max 8"),
        ({"within": {"of": 50, "percent": 10}}, "within 10 % of 50"),
        ({"within": {"of": 50, "by": 2}}, "within 2 of 50"),
        ({"within": "odd"}, "within odd"),
        ({"within": [1]}, "within [1]"),
        ({"one_of": ["a", 1, True]}, "one of a, 1, true"),
        ({"one_of": "odd"}, "one_of odd"),
        ({"eq": "x y"}, "eq x y"),
        ({"ne": None}, "ne null"),
        ({"matches": "leaf[0-9]+"}, "matches leaf[0-9]+"),
        ({"eq": {"a": ["ü"]}}, 'eq {"a": ["ü"]}'),
        ({"later": {"a": 1}}, 'later {"a": 1}'),
        ({"warn": 3}, "warn 3"),
    ],
)
def test_limits_in_words(limits, words):
    assert limits_in_words(limits) == words


LIMITS = {"max": 10}


def test_values_come_by_verdict_and_the_nearest_first():
    run = measured(
        ("r1", "a", "seen", 5),
        ("r1", "a", "far", 1, LIMITS, 9, "passed"),
        ("r1", "a", "near", 9, LIMITS, 1, "passed"),
        ("r1", "a", "text", "x", {"eq": "x"}, None, "passed"),
        ("r2", "a", "warned", 8, LIMITS, 2, "marginal"),
        ("r1", "a", "over", 11, LIMITS, -1, "failed"),
        ("r2", "a", "far over", 90, LIMITS, -80, "failed"),
        ("r2", "a", "wrong", "y", {"eq": "x"}, None, "failed"),
        ("", "a", "seen", 4),
    )
    found = measured_values(run)
    assert [row["name"] for row in found] == [
        "far over", "over", "wrong", "warned", "near", "far", "text", "seen", "seen",
    ]  # fmt: skip
    assert [row["host"] for row in found[-2:]] == ["", "r1"]
    assert found[0]["limits"] == "max 10"
    assert found[-1].get("limits") is None


def test_a_criterion_gathers_hosts_and_instances():
    steps = [
        {"host": "r1", "step": "port", "verdict": "failed", "instances": 2},
        *({"host": "r1", "step": f"port[{name}]", "verdict": "passed", "parent": "port"} for name in "ab"),
    ]
    run = measured(
        ("r1", "port[a]", "speed", 9, LIMITS, 1, "passed"),
        ("r1", "port[b]", "speed", 12, LIMITS, -2, "failed"),
        ("r2", "port[a]", "speed", 8.5, {"max": 11}, 2.5, "marginal"),
        ("r1", "port[a]", "seen", 3),
        steps=steps,
    )
    (row,) = criteria(run, measured_values(run))
    assert row == row | {
        "step": "port",
        "name": "speed",
        "unit": "ms",
        "limits": "differ",
        "verdict": "failed",
        "values": 3,
        "failed": 1,
        "marginal": 1,
        "passed": 1,
        "value": 12,
        "distance": -2.0,
        "margin": -20.0,
        "nearest_host": "r1",
    }


def test_nothing_was_measured():
    assert criteria(measured(), []) == measured_values(measured()) == []


def test_nothing_had_limits():
    run = measured(("r1", "a", "seen", [1, {"x": 2}]))
    assert criteria(run, measured_values(run)) == []
    assert [row["value"] for row in measured_values(run)] == [[1, {"x": 2}]]
