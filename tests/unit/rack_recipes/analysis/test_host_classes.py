# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.analysis.run_data import Twins, by_class, columns, host_class


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
    assert by_class(["", "r1", "r2", "r3", "r4"], attributes) == {"class a": [1, 3], "class b": [2], "": [4]}


def test_attributes_that_all_hosts_share_tell_nothing() -> None:
    attributes = {"r1": {"nic": "A", "site": "x", "groups": ["a", "b"]}, "r2": {"nic": "B", "site": "x"}}
    assert columns(["r1", "r2"], attributes) == {"nic": ["A", "B"], "groups": ['["a", "b"]', ""]}


def test_classes_of_the_same_hosts_are_worked_out_once() -> None:
    attributes = {"r1": {"class": "a", "nic": "A"}, "r2": {"class": "b", "nic": "B"}}
    twins = Twins(attributes)
    hosts = ["r1", "r2"]
    assert twins.by_class(hosts) == by_class(hosts, attributes)
    assert twins.by_class([*hosts]) is twins.by_class(hosts)
    assert twins.columns([*hosts]) is twins.columns(hosts)
    assert twins.columns(hosts) == columns(hosts, attributes)
