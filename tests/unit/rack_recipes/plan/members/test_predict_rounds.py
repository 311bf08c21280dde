# SPDX-License-Identifier: GPL-3.0-or-later

"""How many tests in how many rounds are foretold."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rack_recipes.errors import Place, UsageError
from rack_recipes.plan.members.predict_rounds import predicted, variables_needed
from rack_recipes.recipe.recipe_model import Step
from rack_recipes.recipe.steps_to_and_from_data import from_data

HOSTS = [f"n{number}" for number in range(8)]
VARIABLES = {
    host: {"rack": f"r{number // 4}", "cables": {"eth0": f"n{number ^ 1}:eth0"}} for number, host in enumerate(HOSTS)
}


@pytest.mark.parametrize(
    ("fields", "needed", "said"),
    [
        ({"scope": "pair"}, [], "28 tests in 7 rounds"),
        ({"scope": "pair", "members": {"within": "rack"}}, ["rack"], "12 tests in 3 rounds"),
        ({"scope": "pair", "members": "neighbours"}, ["cables"], "4 tests in 1 round"),
        ({"scope": "group", "members": {"by": "rack"}}, ["rack"], "2 tests in 1 round"),
        (
            {"scope": "pair", "members": {"across": "rak"}},
            ["rak"],
            "no test: no two hosts test each other by its members",
        ),
        (
            {"scope": "group", "isolate": True},
            ["rack"],
            "4 tests in 3 rounds where nothing is wrong, 7 tests in 4 rounds for one faulty host; there are 28 pairs",
        ),
        (
            {"scope": "pair", "isolate": {"by": "rack"}},
            ["rack"],
            (
                "11 tests in 3 rounds where nothing is wrong, 14 tests in 5 rounds for one faulty host; "
                "there are 28 pairs; a fault of one pair alone is mostly missed"
            ),
        ),
    ],
)
def test_rounds_are_foretold(fields: dict[str, Any], needed: list[str], said: str) -> None:
    step = from_data(Step, {"idx": 1, "name": "link", "module": "t.measure", **fields}, place=Place("r.yml"))
    assert [*variables_needed(step)] == needed
    assert predicted(step, HOSTS, VARIABLES) == said


def test_a_search_by_an_attribute_that_no_host_has_is_refused() -> None:
    isolate = {"scope": "pair", "isolate": {"by": "rak"}}
    step = from_data(Step, {"idx": 1, "name": "link", "module": "t.measure", **isolate}, place=Place("r.yml"))
    said = "isolate: no host of this step has the attribute 'rak' (did you mean 'rack'?)"
    with pytest.raises(UsageError, match=re.escape(said)):
        predicted(step, HOSTS, VARIABLES)
