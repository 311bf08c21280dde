# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import run_single
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet


class Halve(Scriptlet):
    options = {"number": {"type": "int", "required": True}, "note": {"default": "none"}}

    def run(self, ctx, params):
        print("halving", params["note"])
        if params["number"] % 2:
            raise Failed(f"{params['number']} is odd")
        ctx.set("half_v1", params["number"] // 2)
        ctx.measure("half", params["number"] / 2, "pieces")


class Rack(Scriptlet):
    scope = "run"

    def run(self, ctx, params):
        ctx.set("rack_v1", [ctx.scope, ctx.hosts()])


def test_one_scriptlet_by_itself():
    assert run_single(Halve, {"number": "8", "note": None}) == {
        "verdict": "passed",
        "reason": "",
        "context": {"half_v1": 4},
        "measurements": [{"name": "half", "value": 4.0, "unit": "pieces"}],
        "stdout": "halving none\n",
        "stderr": "",
    }


def test_one_that_fails():
    result = run_single(Halve, {"number": 3})
    assert (result["verdict"], result["reason"], result["context"]) == ("failed", "3 is odd", {})
    assert result["stdout"] == "halving none\n"


def test_one_whose_arguments_do_not_fit():
    result = run_single(Halve, {"number": "many"})
    assert (result["verdict"], result["stdout"], result["stderr"]) == ("error", "", "")
    assert result["reason"] == "argument 'number': expected a whole number, got 'many'"


def test_one_that_is_meant_for_the_run():
    assert run_single(Rack, {})["context"] == {"rack_v1": ["run", []]}
