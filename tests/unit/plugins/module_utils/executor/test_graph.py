# SPDX-License-Identifier: GPL-3.0-or-later

"""Random graphs of steps: what fails blocks exactly what depends on it, and nothing starts too early."""

from __future__ import annotations

import random

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import python


class Node(Scriptlet):
    """Passes or not, as it is told; what ran before it is in the context."""

    def run(self, ctx, params):
        ctx.set(f"{ctx.step.partition('[')[0]}.ran_v1", sorted(ctx.keys()))
        if params["fails"]:
            raise Failed("as told")


def graph(dice, size):
    """Steps that depend on some before them; some fail, some may fail, some close, some run alone."""
    steps = []
    for at in range(size):
        names = [f"s{before}" for before in range(max(0, at - 20), at)]
        needs = dice.sample(names, min(len(names), dice.randrange(4)))
        fields = {
            "args": {"fails": dice.random() < 0.15},
            "depends_on": needs,
            "after": dice.sample(names, min(len(names), dice.randrange(2))),
            "parallel": dice.random() < 0.7,
            **({"continue_on_fail": True} if dice.random() < 0.3 else {}),
            **({"always": True} if dice.random() < 0.1 else {}),
            **({"when": False} if dice.random() < 0.1 else {}),
            **({"skip": "as told"} if dice.random() < 0.05 else {}),
            **({"loop": [1, 2]} if dice.random() < 0.1 else {}),
            **({"locks": ["pdu"]} if dice.random() < 0.3 else {}),
        }
        steps.append(python(Node, f"s{at}", **fields))
    return steps


def expected(steps):
    """By the rules, the verdict of each step, and which of them block what depends on them."""
    verdicts, blocking = {}, set()
    for step in steps:
        name = step["name"]
        if step.get("skip"):
            verdicts[name] = "skipped"
        elif blocking & set(step["depends_on"]) and not step.get("always"):
            verdicts[name] = "blocked"
        elif step.get("when") is False:
            verdicts[name] = "skipped"
            continue  # its author decided so
        else:
            verdicts[name] = "failed" if step["args"]["fails"] else "passed"
        if verdicts[name] != "passed" and not step.get("continue_on_fail"):
            blocking.add(name)
    return verdicts, blocking


@pytest.mark.repeats(one_in=6)
@pytest.mark.parametrize("seed", range(6))
def test_exactly_what_depends_on_a_failure_is_blocked(work, seed):
    dice = random.Random(seed)
    steps = graph(dice, 60)
    ran = work.run(*steps, slots=dice.choice([1, 4]), locks={"pdu": {"capacity": 1}})
    found = {name: record["verdict"] for name, record in ran.steps.items() if "parent" not in record}
    blocking = {name for name, record in ran.steps.items() if record.get("blocks")}
    assert (found, blocking) == expected(steps)


@pytest.mark.repeats(one_in=6)
@pytest.mark.parametrize("seed", range(6))
def test_a_step_starts_after_all_that_it_waits_for(work, seed):
    dice = random.Random(100 + seed)
    steps = graph(dice, 60)
    ran = work.run(*steps, slots=4)
    order = [record["step"] for record in ran.records if record["kind"] == "step"]
    seen = {delta["step"].partition("[")[0]: set(delta["after"]) for delta in ran.deltas}
    tried = {step["name"] for step in steps if step["name"] in seen}
    for step in steps:
        for need in (*step["depends_on"], *step["after"]):
            assert order.index(need) < order.index(step["name"])
            if step["name"] in tried and need in tried:
                assert f"{need}.ran_v1" in seen[step["name"]]
