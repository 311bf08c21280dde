# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts test each other, and in which round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rack_recipes.plan.members.match_members import round_robin, rounds_of
from rack_recipes.recipe.recipe_model import Members
from rack_recipes.recipe.steps_to_and_from_data import from_data, to_data

DATA = yaml.safe_load(Path(__file__).with_name("match_members.yml").read_text())
OF = DATA["of"]


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["name"])
def test_rounds(case: dict[str, Any]) -> None:
    members = from_data(Members, case["members"])
    assert from_data(Members, to_data(members)) == members
    found = rounds_of(case["scope"], members, OF["hosts"], OF["attributes"], OF["cables"])
    tests = [test for each in found for test in each]
    for each in found:
        busy = [host for test in each for host in test.members]
        assert len(busy) == len({*busy})
    assert len(found) == case.get("rounds", 1)
    assert len(tests) == case.get("tests", len(tests))
    if "pairs" in case:
        assert sorted(sorted(test.members) for test in tests) == case["pairs"]
    if "groups" in case:
        assert {test.label: [*test.members] for test in tests} == case["groups"]
    if case.get("everyone"):
        assert {host for test in tests for host in test.members} == {*OF["hosts"]}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 8, 9, 33])
def test_all_pairs_come_once_in_the_fewest_rounds(count: int) -> None:
    hosts = [f"n{number}" for number in range(count)]
    rounds = round_robin(hosts)
    pairs = [frozenset(pair) for each in rounds for pair in each]
    assert len({*pairs}) == len(pairs) == count * (count - 1) // 2
    assert len([*filter(None, rounds)]) == (count - 1 + count % 2 if count > 1 else 0)
