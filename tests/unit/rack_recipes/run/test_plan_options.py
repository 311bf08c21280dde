# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.plan.plan_model import PlanOptions
from rack_recipes.run.extra_vars import RequestedPlan, plan_options


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({}, PlanOptions()),
        ({"rack_recipes_only": "a, b"}, PlanOptions(only=("a", "b"))),
        ({"rack_recipes_only": ["a"], "rack_recipes_skip": "c"}, PlanOptions(only=("a",), skip=("c",))),
        ({"rack_recipes_only": "", "rack_recipes_seed": None, "other": 1}, PlanOptions()),
        ({"rack_recipes_stepwise": "true", "rack_recipes_parallel": True}, PlanOptions(stepwise=True, parallel=True)),
        ({"rack_recipes_stepwise": "no", "rack_recipes_seed": "-7"}, PlanOptions(seed=-7)),
        ({"rack_recipes_seed": 0}, PlanOptions(seed=0)),
    ],
)
def test_what_a_plan_is_asked(given: dict[str, Any], options: PlanOptions):
    assert plan_options(given) == options


def test_the_run_to_go_on_from():
    assert RequestedPlan.of({}) == RequestedPlan("", "")
    assert RequestedPlan.of({"rack_recipes_resume": "R1", "rack_recipes_resume_from": "wire"}) == RequestedPlan(
        "R1", "wire"
    )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"rack_recipes_stepwise": "perhaps"},
            "rack_recipes_stepwise (whether each step is a stage of its own): expected true or false, got 'perhaps'",
        ),
        (
            {"rack_recipes_seed": "1.5"},
            "rack_recipes_seed (the order of independent steps): expected a whole number, got '1.5'",
        ),
        (
            {"rack_recipes_skip": [3]},
            "rack_recipes_skip (the steps to leave out): expected names, separated by commas, got [3]",
        ),
    ],
)
def test_what_cannot_be_meant(given: dict[str, Any], text: str):
    with pytest.raises(UsageError) as caught:
        plan_options(given)
    assert str(caught.value) == text


def test_a_run_is_named_by_a_text():
    with pytest.raises(UsageError, match=r"rack_recipes_resume \(the run to go on from\): expected text, got 7"):
        RequestedPlan.of({"rack_recipes_resume": 7})
