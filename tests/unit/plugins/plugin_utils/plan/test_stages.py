# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.model import Entry
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.model import PlannedStep
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.stages import CUTS, cut_into_stages
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Step

ENTRY = Entry("t.step", "shell", Path("scriptlets/t/step.sh"), "scriptlets/t/step.sh", "project")
LOOKUP = "{{ lookup('rack.recipes.context', 'a_v1') }}"


def planned(name: str, *needs: str, writes: tuple[str, ...] = ("w_v1",), **fields: object) -> PlannedStep:
    step = Step(1, name, "shell", "t.step", Place("r.yml"), **fields)  # type: ignore[arg-type]
    return PlannedStep(step, ENTRY, (), writes, needs, ())


def run_step(name: str) -> PlannedStep:
    return planned(name, scope="run")


CASES: list[tuple[list[PlannedStep], list[str]]] = [
    ([planned("a")], ["is the first"]),
    ([planned("a"), planned("b", "a"), planned("c", hosts="leafs")], ["is the first"]),
    ([run_step("a"), run_step("b")], ["is the first"]),
    ([planned("a"), run_step("b"), run_step("c")], ["is the first", "runs once for the run"]),
    ([run_step("a"), planned("b"), planned("c")], ["is the first", "runs on every host again"]),
    ([planned("a", hosts="x"), planned("b", "a", hosts="x")], ["is the first"]),
    ([planned("a"), planned("b", "a", hosts="x")], ["is the first"]),
    ([planned("a", hosts="x"), planned("b", "a")], ["is the first", "needs a step of other hosts"]),
    ([planned("a", hosts="x"), planned("b", "a", hosts="y")], ["is the first", "needs a step of other hosts"]),
    ([planned("a", hosts="x"), planned("b"), planned("c", "b", hosts="y")], ["is the first"]),
    ([planned("a", writes=("a_v1",)), planned("b", args={"x": "{{ inventory_hostname }}"})], ["is the first"]),
    ([planned("a", writes=("b_v1",)), planned("b", args={"x": [LOOKUP]})], ["is the first"]),
    (
        [planned("a", writes=("a_v1",)), planned("b", args={"x": {"y": (LOOKUP,)}}), planned("c")],
        ["is the first", "uses a template over the context"],
    ),
    ([planned("a", writes=()), planned("b", args={"x": LOOKUP})], ["is the first", "uses a template over the context"]),
    (
        [planned("a"), planned("b", args={"x": "{{ ansible_facts.rack_recipes }}"})],
        ["is the first", "uses a template over the context"],
    ),
]


@pytest.mark.parametrize(("steps", "reasons"), CASES)
def test_where_the_graph_is_cut_and_why(steps: list[PlannedStep], reasons: list[str]):
    stages = cut_into_stages(steps)
    assert [stage.why for stage in stages] == reasons
    assert [stage.number for stage in stages] == [*range(1, len(stages) + 1)]
    assert [step for stage in stages for step in stage.steps] == steps
    assert all(step.step.scope == stage.scope for stage in stages for step in stage.steps)


def test_every_reason_is_among_the_cases():
    assert {reason for _steps, reasons in CASES for reason in reasons} == {"is the first", *CUTS}


def test_no_steps_no_stages():
    assert cut_into_stages([]) == ()
