# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.store.writing.record_to_rows import pack_plan, unpack_plan

HOSTS = [f"r{number}" for number in range(1000)]


def test_the_hosts_of_each_step_come_back_and_equal_lists_are_kept_once():
    steps = [{"name": f"s{n}", "hosts": HOSTS} for n in range(100)] + [{"name": "sum", "hosts": [""]}]
    plan = pack_plan({"steps": steps, "derived": {"x": {"kind": "ratio"}}})
    assert len(plan["hosts"]) == 2
    back = unpack_plan(plan)
    assert back["steps"] == {**{f"s{n}": HOSTS for n in range(100)}, "sum": [""]}
    assert back["derived"] == {"x": {"kind": "ratio"}}


def test_names_are_those_of_the_rows_of_results():
    long = "x" * 2000
    (step,) = unpack_plan(pack_plan({"steps": [{"name": long, "hosts": ["a\0b"]}]}))["steps"].items()
    assert len(step[0]) < 300
    assert "\0" not in step[1][0]


@pytest.mark.parametrize(
    "record",
    [{}, {"steps": 1}, {"steps": ["x", {"hosts": ["r1"]}, {"name": "s", "hosts": "r1"}], "derived": [1]}],
)
def test_what_is_no_plan_is_left_out(record):
    assert unpack_plan(pack_plan(record)) == {"steps": {}, "derived": {}}
