# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import isnan
from typing import Any

import pytest

from rack_recipes.analysis.run_data import (
    UNKNOWN,
    RunData,
    Twins,
    arrange_run,
    attribute_columns,
    host_class,
    numbers_in,
    places_by_class,
)
from rack_recipes.natural_order import natural


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (5, {"": 5.0}),
        ({"a": {"b": 1}, "c": [1, {"d": 2}]}, {".a.b": 1.0, ".c[0]": 1.0, ".c[1].d": 2.0}),
        ({"ok": True, "text": "5", "none": None}, {}),
        ([0] * 33, {}),
        ([0] * 32, {f"[{index}]": 0.0 for index in range(32)}),
    ],
    ids=str,
)
def test_numbers_in_a_value(value: Any, found: dict[str, float]) -> None:
    assert dict(numbers_in(value)) == found


def test_a_number_that_no_float_can_hold_is_none() -> None:
    assert isnan(dict(numbers_in(10**400))[""])


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ({"class": "gpu", "model": "X1"}, "class gpu"),
        ({"model": "X1", "role": "leaf", "rack": "r1"}, "model X1, role leaf"),
        ({"role": "leaf"}, "role leaf"),
        ({"model": 7}, "model 7"),
        ({"rack": "r1"}, ""),
        ({}, ""),
    ],
)
def test_the_class_of_a_host(attributes: dict[str, Any], label: str) -> None:
    assert host_class(attributes) == label


def test_hosts_of_one_class_are_twins_and_the_run_is_no_host() -> None:
    attributes = {"r1": {"class": "a"}, "r2": {"class": "b"}, "r3": {"class": "a"}}
    assert places_by_class(["", "r1", "r2", "r3", "r4"], attributes) == {"class a": [1, 3], "class b": [2], "": [4]}


def test_attributes_that_all_hosts_share_tell_nothing() -> None:
    attributes = {"r1": {"nic": "A", "site": "x", "groups": ["a", "b"]}, "r2": {"nic": "B", "site": "x"}}
    assert attribute_columns(["r1", "r2"], attributes) == {"nic": ["A", "B"], "groups": ['["a", "b"]', ""]}


def test_classes_of_the_same_hosts_are_worked_out_once() -> None:
    attributes = {"r1": {"class": "a", "nic": "A"}, "r2": {"class": "b", "nic": "B"}}
    twins = Twins(attributes)
    hosts = ["r1", "r2"]
    assert twins.by_class(hosts) == places_by_class(hosts, attributes)
    assert twins.by_class([*hosts]) is twins.by_class(hosts)
    assert twins.columns([*hosts]) is twins.columns(hosts)
    assert twins.columns(hosts) == attribute_columns(hosts, attributes)


def step(host="r1", name="one", **fields):
    return {"host": host, "step": name, "stage": 1, "idx": 1, "verdict": "passed", **fields}


def places(rows):
    return [(row["host"], row["step"]) for row in rows]


@pytest.mark.parametrize(
    "ordered",
    [
        ["r1", "r2", "r10"],
        ["rack1-u2", "rack1-u10", "rack2-u1"],
        ["", "a", "b"],
        ["r01", "r1"],
        ["1" * 30, "2" * 30],
    ],
)
def test_natural_order(ordered):
    shuffled = ordered[1:] + ordered[:1]
    assert sorted(shuffled, key=natural) == ordered


def test_rows_come_by_host_and_then_in_the_order_of_the_recipe():
    steps = [
        step("r10", "b", idx=2),
        step("r2", "c", stage=2, idx=1),
        step("r2", "b", idx=2),
        step("r2", "a", idx=1),
        step("", "d", stage=3),
    ]
    run = arrange_run(RunData(run={}, steps=steps))
    assert places(run.steps) == [("", "d"), ("r2", "a"), ("r2", "b"), ("r2", "c"), ("r10", "b")]
    assert [run.place(name) for name in ("a", "b", "c", "d", "other")] == [0, 1, 2, 3, UNKNOWN]


def test_instances_come_after_their_step_in_natural_order():
    steps = [
        step(name="portal", idx=2),
        step(name="port[eth10]", idx=2, parent="port"),
        step(name="port[Eth2]", idx=2, parent="port"),
        step(name="port[eth2]", idx=2, parent="port"),
        step(name="portA", idx=2),
        step(name="port", idx=2, instances=3),
        step("r2", "lost[a]", idx=3, parent="lost"),
    ]
    run = arrange_run(RunData(run={}, steps=steps))
    names = ["port", "port[Eth2]", "port[eth2]", "port[eth10]", "portA", "portal", "lost[a]"]
    assert [row["step"] for row in run.steps] == names
    assert [*map(run.planned, names)] == ["port"] * 4 + ["portA", "portal", "lost"]
    assert [row["step"] for row in run.results] == names[1:]


def test_details_come_in_the_order_of_hosts_and_steps():
    steps = [step("r10", "b"), step("r2", "a", idx=2), step("r2", "b[0]", parent="b")]
    measured = [{"host": "r2", "step": name, "n": n, "value": n} for name in ("a", "b[0]") for n in (2, 1)]
    keys = [{"key": key, "host": host, "step": "a"} for key in ("b_v1", "a_v1") for host in ("r10", "r2")]
    run = arrange_run(RunData(run={}, steps=steps, measurements=measured, context=keys, artifacts=measured))
    assert [(row.get("planned", row["step"]), row["n"]) for row in run.measurements] == [
        ("b", 1),
        ("b", 2),
        ("a", 1),
        ("a", 2),
    ]
    assert [(row["key"], row["host"]) for row in run.context] == [
        ("a_v1", "r2"), ("a_v1", "r10"), ("b_v1", "r2"), ("b_v1", "r10"),
    ]  # fmt: skip
    assert [row["n"] for row in run.artifacts] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3.0), (2.5, 2.5), (True, None), ("3", None), (None, None), ([1], None), (10**400, None)]
)
def test_the_number_of_a_measurement(value, number):
    row = {"host": "r1", "step": "one", "n": 1, "name": "m", "value": value, "unit": ""}
    (found,) = arrange_run(RunData(run={}, measurements=[row])).measurements
    assert found["value"] == value
    assert found["number"] == number or (number is None and isnan(found["number"]))


def test_given_rows_stay_as_they_are():
    measured = {"host": "r1", "step": "b[0]", "n": 1, "value": 2}
    key = {"key": "a_v1", "host": "r1", "step": "b[0]", "value": {"mean": 2}}
    before = [{**measured}, {**key}]
    run = arrange_run(RunData(run={}, steps=[step("r1", "b[0]", parent="b")], measurements=[measured], context=[key]))
    assert [measured, key] == before
    assert run.measurements == [{**measured, "number": 2.0, "planned": "b"}]
    assert run.context == [{**key, "numbers": [(".mean", 2.0)]}]


def test_a_run_without_rows():
    run = arrange_run(RunData(run={"run_id": "r"}))
    assert [*run.steps, *run.results, *run.measurements, *run.context, *run.conflicts, *run.artifacts] == []
