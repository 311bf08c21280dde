# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from collections.abc import Mapping
from math import inf, isnan, nan
from statistics import median, variance
from typing import Any
from unittest.mock import Mock

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.planted_runs import NO_HISTORY
from rack_recipes.analysis import measured_and_derived_values
from rack_recipes.analysis.measured_and_derived_values import (
    DerivedNumbers,
    criteria_of_run,
    derived_numbers,
    limits_in_words,
    margin_to_limits,
    measured_values,
    statistics_of_run,
)
from rack_recipes.analysis.run_data import RunData, arrange_run

LOST, ALL = "rx.frames_v1.lost", "rx.frames_v1.all"
FRAMES = {"r1": {"lost": 1, "all": 4}, "r2": {"lost": 3, "all": 4}, "r3": {"lost": 1, "all": 0}, "r4": {"lost": 1}}


def run(context: Mapping[str, Any] | None = None, **one: str) -> RunData:
    """A run whose recipe derives a number."""
    context = FRAMES if context is None else context
    rows = [{"key": "rx.frames_v1", "host": host, "step": "rx", "value": value} for host, value in context.items()]
    seconds = [{"host": host, "step": "rx", "n": 1, "name": "seconds", "value": 2} for host in context if host]
    plan = {"steps": {}, "derived": {"x": one}}
    return arrange_run(RunData(run={"run_id": "R1"}, context=rows, measurements=seconds, plan=plan))


@pytest.mark.parametrize(
    ("one", "numbers", "definition"),
    [
        ({"kind": "ratio", "of": LOST, "to": ALL}, {"r1": 0.25, "r2": 0.75}, f"ratio of {LOST} to {ALL}"),
        ({"kind": "difference", "of": ALL, "to": LOST}, {"r1": 3, "r2": 1, "r3": -1}, f"{ALL} less {LOST}"),
        (
            {"kind": "rate", "of": LOST, "to": "rx:seconds", "unit": "1/s"},
            {"r1": 0.5, "r2": 1.5, "r3": 0.5, "r4": 0.5},
            f"{LOST} for each unit of rx:seconds",
        ),
    ],
)
def test_each_kind(one: dict[str, str], numbers: dict[str, float], definition: str) -> None:
    (found,) = derived_numbers(run(**one))
    assert (found.numbers, found.definition, found.unit) == (numbers, definition, one.get("unit", ""))


LISTS = {"r1": [1, 2, 3, 4, 10], "r2": {"ms": [5] * 30}, "r3": [1, 2, 3, 4], "r4": 7}


@pytest.mark.parametrize(
    ("kind", "of", "numbers", "lost"),
    [
        ("skewness", "rx.frames_v1", {"r1": 1.6970562748477143, "r3": 0}, {}),
        ("p50", "rx.frames_v1", {"r1": 3, "r3": 2.5}, {}),
        ("p25", "rx.frames_v1", {"r3": 1.75, "r1": 2}, {}),
        ("p95", "rx.frames_v1", {}, {"r1": "rx.frames_v1 has 5 values", "r3": "rx.frames_v1 has 4 values"}),
        ("p95", "rx.frames_v1.ms", {"r2": 5}, {}),
        ("skewness", "rx.frames_v1.ms", {}, {"r2": "rx.frames_v1.ms has 30 values"}),
    ],
)
def test_numbers_of_a_list(kind: str, of: str, numbers: dict[str, float], lost: dict[str, str]) -> None:
    (found,) = derived_numbers(run(LISTS, kind=kind, of=of))
    assert found.numbers == pytest.approx(numbers)
    assert (found.lost, found.definition) == (lost, f"{kind} of {of}")


def test_what_cannot_be_computed_is_told_and_is_no_zero() -> None:
    told, lost = measured_and_derived_values.findings(run(kind="ratio", of=LOST, to=ALL), Mock())
    assert told.title == f"x (ratio of {LOST} to {ALL}): median 0.5 on 2 hosts, from 0.25 to 0.75"
    assert told.figures["values"] == {"r1": 0.25, "r2": 0.75}
    assert lost.title == f"x cannot be computed on 2 hosts: r3 ({ALL} is 0), r4 ({ALL} is missing)"
    assert (told.kind, lost.kind) == ("derived", "evidence")


def test_a_number_of_the_run_serves_every_host() -> None:
    context = {"": {"all": 4}, "r1": {"lost": 1}, "r2": {"lost": 2}}
    (found,) = derived_numbers(run(context, kind="ratio", of=LOST, to=ALL))
    assert found.numbers == {"r1": 0.25, "r2": 0.5}


def test_its_statistics_have_its_definition() -> None:
    rows = {row["name"]: row for row in statistics_of_run(run(kind="ratio", of=LOST, to=ALL, unit="%"))}
    assert (rows["x"]["count"], rows["x"]["mean"], rows["x"]["unit"]) == (2, 0.5, "%")
    assert rows["x"]["definition"] == f"ratio of {LOST} to {ALL}"
    assert rows[LOST]["definition"] is None


def test_without_a_plan_nobody_knows_what_is_derived() -> None:
    assert derived_numbers(RunData(run={"run_id": "R1"})) == []


def test_none_are_derived_of_numbers_that_nobody_has() -> None:
    assert derived_numbers(run({}, kind="ratio", of=LOST, to=ALL)) == [
        DerivedNumbers("x", "", f"ratio of {LOST} to {ALL}", {}, {})
    ]


def run_of(values: dict[str, Any], context: dict[str, Any] | None = None) -> RunData:
    rows = [
        {"host": host, "step": "ping", "n": 1, "name": "t", "value": value, "unit": "ms"}
        for host, value in values.items()
    ]
    keys = [
        {"key": "numbers.stats_v1", "host": host, "step": "n", "value": value}
        for host, value in (context or {}).items()
    ]
    return arrange_run(RunData(run={}, measurements=rows, context=keys))


def test_the_statistics_of_a_measurement_are_exact() -> None:
    numbers = {f"r{n}": 1e12 + n * n for n in range(25)}
    (row,) = statistics_of_run(run_of(numbers))
    whole = [int(number) for number in numbers.values()]
    assert (row["step"], row["name"], row["unit"], row["count"]) == ("ping", "t", "ms", 25)
    assert row["mean"] == sum(whole) / 25
    assert row["variance"] == pytest.approx(float(variance(whole)), rel=1e-14)
    assert row["median"] == median(whole)
    assert (row["least"], row["greatest"]) == (1e12, 1e12 + 576)
    assert row["p95"] == pytest.approx(1e12 + 520, abs=10)


def test_too_few_values_have_no_percentiles_and_no_variance() -> None:
    (row,) = statistics_of_run(run_of({"r1": 5}))
    assert (row["count"], row["mean"], row["median"], row["p95"]) == (1, 5.0, 5.0, None)
    assert math.isnan(row["variance"])


def test_the_example_of_the_proposal_has_its_mean_variance_and_median() -> None:
    context = {"r1": {"count": 3, "mean": 2.0, "variance": 0.5}, "r2": {"count": 3, "mean": 4.0, "variance": 1.5}}
    found = {row["name"]: row for row in statistics_of_run(run_of({}, context))}
    assert list(found) == ["numbers.stats_v1.count", "numbers.stats_v1.mean", "numbers.stats_v1.variance"]
    assert found["numbers.stats_v1.mean"]["mean"] == 3.0
    assert found["numbers.stats_v1.variance"]["median"] == 1.0


def test_what_is_no_number_does_not_count() -> None:
    (row,) = statistics_of_run(run_of({"r1": 1, "r2": "x", "r3": float("nan"), "r4": 10**400, "r5": True, "r6": 3}))
    assert (row["count"], row["mean"]) == (2, 2.0)


def test_a_run_without_numbers_has_no_statistics() -> None:
    assert statistics_of_run(run_of({"r1": "up"})) == []


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
    assert margin_to_limits(limits, distance, value) == pytest.approx(expected)


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
    assert isnan(margin_to_limits(limits, distance, value))


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
    (row,) = criteria_of_run(run, measured_values(run))
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
    assert criteria_of_run(measured(), []) == measured_values(measured()) == []


def test_nothing_had_limits():
    run = measured(("r1", "a", "seen", [1, {"x": 2}]))
    assert criteria_of_run(run, measured_values(run)) == []
    assert [row["value"] for row in measured_values(run)] == [[1, {"x": 2}]]


def rounds(host: str, least: float, mean: float, most: float, stdev: float, **more: Any) -> dict[str, Any]:
    figures = {"count": 5, "min": least, "mean": mean, "max": most, "stdev": stdev}
    measured = [{"host": host, "step": "disk", "n": n, "name": f"write.{name}", "unit": "MB/s", "value": value}
                for n, (name, value) in enumerate(figures.items())]  # fmt: skip
    step = {"host": host, "step": "disk", "verdict": "passed", "rounds": {"count": 5, "passed": 5}}
    return {"step": {**step, **more}, "measured": measured}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([rounds("r1", 40, 70, 98, 22)], "r1: 5 rounds on r1 gave 40 to 98 MB/s, a deviation of 31% of the mean"),
        (
            [rounds("r1", 40, 70, 98, 22), rounds("r2", 1, 9, 20, 8.1), rounds("r3", 60, 70, 80, 8)],
            "r1, r2: 5 rounds on r2 gave 1 to 20 MB/s, a deviation of 90% of the mean",
        ),
        ([rounds("r1", 60, 70, 80, 8)], ""),
        ([rounds("r1", -3, 1, 4, 2)], ""),
        ([rounds("r1", 0, 0, 0, 0)], ""),
        ([rounds("r1", 40, 70, 98, 22, rounds={"count": 2, "passed": 2})], ""),
        ([rounds("r1", 40, 70, 98, 22, verdict="failed")], ""),
    ],
)
def test_rounds_that_are_far_apart_are_told(given: list[dict[str, Any]], told: str) -> None:
    steps, measured = [one["step"] for one in given], [row for one in given for row in one["measured"]]
    run = arrange_run(RunData({"run_id": "R"}, steps=steps, measurements=measured))
    titles = [one.title for one in measured_and_derived_values.findings(run, NO_HISTORY)]
    assert titles == ([f"write of disk is far apart in its rounds on {told}"] if told else [])
