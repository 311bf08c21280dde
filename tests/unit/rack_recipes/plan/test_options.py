# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user asks of a plan: some of its steps only, in another order, in other stages."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from rack_recipes.errors import UsageError
from rack_recipes.plan.make_plan import make_plan
from rack_recipes.plan.output_formats import FORMATS
from rack_recipes.plan.plan_model import Plan, PlanOptions
from rack_recipes.recipe.load import parse

CASES = Path(__file__).parent / "cases"
RECIPE = """
test_meta: {test_id: OPTIONS}
steps:
  - {name: prepare, type: shell, module: t.step}
  - {name: measure, type: shell, module: t.step, depends_on: [prepare], writes: [a_v1]}
  - {name: other, type: shell, module: t.step, writes: [b_v1]}
  - {name: by_reference, type: shell, module: t.step, args: {x: "${a_v1}"}}
  - {name: by_condition, type: shell, module: t.step, success: {values: [{value: "${b_v1}", min: 1}]}}
  - {name: overwrite, type: shell, module: t.step, writes: [a_v1]}
  - {name: ports, type: shell, module: t.step, loop: [1, 2]}
  - {name: speeds, type: shell, module: t.step, matrix: {x: [1, 2]}}
  - {name: uptime, type: ansible, module: ansible.builtin.command, args: {cmd: uptime}}
  - {name: close, type: shell, module: t.step, always: true, depends_on: [measure]}
"""
NAMES = [step.name for step in parse(RECIPE.encode(), "r.yml").steps]


@pytest.fixture(autouse=True, scope="module")
def _in_cases() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(CASES)
        yield


def plan_of(text: str = RECIPE, **options: object) -> Plan:
    return make_plan(parse(text.encode(), "r.yml"), (Path("scriptlets"),), PlanOptions(**options))  # type: ignore[arg-type]


def names(plan: Plan) -> list[str]:
    return [planned.step.name for planned in plan.steps]


@pytest.mark.parametrize(
    ("only", "chosen"),
    [
        (["prepare"], ["prepare"]),
        (["measure"], ["prepare", "measure"]),
        (["by_reference"], ["prepare", "measure", "by_reference"]),
        (["by_condition", "prepare"], ["prepare", "other", "by_condition"]),
        (["overwrite"], ["overwrite"]),
        (["close"], ["prepare", "measure", "close"]),
        ([], NAMES),
    ],
)
def test_only_some_steps_and_what_they_need(only: list[str], chosen: list[str]):
    plan = plan_of(only=(*only,))
    assert names(plan) == chosen
    assert {name for planned in plan.steps for name in planned.after} <= {*chosen}
    assert [stage.number for stage in plan.stages] == [*range(1, len(plan.stages) + 1)]


@limits(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(NAMES), min_size=1), st.none() | st.integers(), st.booleans())
def test_what_is_chosen_runs_after_all_that_it_needs(only: list[str], seed: int | None, stepwise: bool):
    plan = plan_of(only=(*only,), seed=seed, stepwise=stepwise)
    assert {*only} <= {*names(plan)}
    done: set[str] = set()
    for planned in plan.steps:
        assert {need.step for need in planned.depends_on} | {*planned.after} <= done
        done.add(planned.step.name)


def test_a_step_that_is_skipped_stays_with_its_reason():
    plan = plan_of(skip=("measure", "close"))
    assert names(plan) == NAMES
    assert [planned.step.name for planned in plan.steps if planned.skip] == ["measure", "close"]
    assert {planned.skip for planned in plan.steps} == {"", "left out by --skip"}
    assert FORMATS["tree"](plan).count("skipped: left out by --skip") == 2


@pytest.mark.parametrize("option", ["only", "skip"])
def test_a_step_that_there_is_not(option: str):
    with pytest.raises(UsageError) as caught:
        plan_of(**{option: ("prepare", "mesure")})
    expected = "expected the name of a step of r.yml, got 'mesure' (did you mean 'measure'?)"
    assert str(caught.value) == f"{option}: {expected}"
    assert caught.value.exit_code == 2
    with pytest.raises(UsageError, match=r"got 'xyz' \(prepare, measure, other, by_reference, .*, \.\.\.\)$"):
        plan_of(**{option: ("xyz",)})


def test_the_same_seed_gives_the_same_plan():
    plans = [FORMATS["json"](plan_of(seed=seed)) for seed in (1, 2, 1)]
    assert plans[0] == plans[2] != plans[1]
    assert sorted(names(plan_of(seed=1))) == sorted(NAMES)
    assert names(plan_of(seed=1))[-1] == "close"


def test_stepwise_each_step_has_a_stage_and_nothing_else_changes():
    fused, stepwise = plan_of(), plan_of(stepwise=True)
    assert stepwise.steps == fused.steps
    assert [len(stage.steps) for stage in stepwise.stages] == [1] * len(NAMES)
    reasons = {stage.steps[0].step.name: stage.why for stage in stepwise.stages}
    assert {stage.steps[0].step.name: stage.why for stage in fused.stages}.items() <= reasons.items()
    assert {*reasons.values()} == {"is the first", "stepwise", "is an Ansible module", "closes the run"}


def test_parallel_every_step_but_those_whose_instances_might_meet():
    plan = plan_of(parallel=True)
    alone = [planned.step.name for planned in plan.steps if not planned.step.parallel]
    assert alone == ["ports", "speeds", "uptime"]
    assert [planned.depends_on for planned in plan.steps] == [planned.depends_on for planned in plan_of().steps]
    kept = plan_of(RECIPE.replace("loop: [1, 2]", "loop: [1, 2], parallel: true"), parallel=True)
    assert next(planned.step for planned in kept.steps if planned.step.name == "ports").parallel


@pytest.mark.parametrize("hosts", ["all", "*", "leafs:spines"])
def test_hosts_that_leave_none_out_cut_nothing(hosts: str):
    text = f"""
test_meta: {{test_id: T}}
hosts: leafs:spines
serial: 4
steps:
  - {{name: a, type: shell, module: t.step, hosts: '{hosts}'}}
  - {{name: b, type: shell, module: t.step, depends_on: [a]}}
"""
    (stage,) = plan_of(text).stages
    assert not stage.wide
    assert [planned.step.hosts for planned in stage.steps] == [None, None]
