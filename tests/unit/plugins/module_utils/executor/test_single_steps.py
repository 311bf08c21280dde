# SPDX-License-Identifier: GPL-3.0-or-later

"""One scriptlet by itself, as a module; and steps that analyse their run: what they are handed, where findings go."""

from __future__ import annotations

import json
import sys

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import StageRun, run_single
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    no_sandbox,
    python,
    step,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


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


STEP = {"name": "a", "args": {}, "depends_on": [], "after": [], "scope": "host", "timeout": None, "parallel": False}


def test_a_field_that_the_executor_does_not_know_is_refused(tmp_path):
    context = {"own": {}, "run": {}, "hosts": {}}
    request = {"run": "r", "stage": 1, "host": "h", "settled": {}, "slots": 1, "context": context}
    request["steps"] = [STEP, {**STEP, "name": "b", "weight": 3, "color": "red"}]
    records: list[dict] = []
    with pytest.raises(ValueError, match="step 'b' has fields that this executor does not know: color, weight"):
        StageRun(request, Launcher(request, str(tmp_path), ""), records.append, lambda: True)
    assert records == []


RESULTS = [{"host": "r1", "step": "a", "verdict": "failed"}, {"host": "r2", "step": "a", "verdict": "passed"}]
GIVEN = {"results": RESULTS, "history": {"rate": [{"run": "R1", "host": "r1", "value": 3}]}}
READS = {"scope": "run", "reads_results": True, "reads_history": ["rate"]}
SHELL = """
import json, sys
given = json.load(sys.stdin)
bad = [row for row in given["results"] if row["verdict"] == "failed"]
figures = {"earlier": given["history"]["rate"][0]["value"]}
found = {"title": "one is bad", "results": bad, "grade": "problem", "figures": figures}
print(json.dumps({"status": "ok", "findings": [found]}))
"""


class Look(Scriptlet):
    scope = "run"
    reads_results = True
    reads_history = ("rate",)

    def run(self, ctx, params):
        bad = [row for row in ctx.results() if row["verdict"] == "failed"]
        value = ctx.history("rate", last=5)[0]["value"]
        title = params.get("title") or f"{len(bad)} of {len(ctx.results())} failed"
        figures = {"earlier": value, **(params.get("figures") or {})}
        ctx.finding(title, bad, grade="problem", advice="look at it", figures=figures)


class Read(Scriptlet):
    def run(self, ctx, params):
        getattr(ctx, params["call"])(*params.get("args", ()))


def found_by(ran):
    """The findings of the only attempt of the only step."""
    return ran.attempt["findings"]


def test_a_class_reads_results_and_history_and_adds_a_finding(work):
    ran = work.run(python(Look, **READS), host="", analysis=GIVEN)
    assert ran.outcome == ("passed", "")
    more = {"results": [["r1", "a"]], "grade": "problem", "advice": "look at it", "method": ""}
    assert found_by(ran) == [{"title": "1 of 2 failed", "figures": {"earlier": 3}, **more}]


def test_a_script_gets_them_on_stdin_and_answers_in_its_envelope(work):
    ran = work.run(work.script(f"#!{sys.executable}\n{SHELL}", **READS), host="", analysis=GIVEN)
    assert ran.outcome == ("passed", "")
    (found,) = found_by(ran)
    assert (found["title"], found["results"], found["figures"]) == ("one is bad", [["r1", "a"]], {"earlier": 3})


@pytest.mark.skipif(bool(no_sandbox()), reason="needs a sandbox")
def test_a_class_in_a_sandbox_gets_them_too(work):
    (work.folder / "scriptlets").mkdir()
    (work.folder / "scriptlets" / "look.py").write_text(
        "from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet\n"
        "class Look(Scriptlet):\n    def run(self, ctx, params):\n        ctx.finding('boxed', ctx.results())\n"
    )
    boxed = step("look", kind="python", module="scriptlets.look", function="Look", sandbox={}, **READS)
    sys.path.insert(0, str(work.folder))
    try:
        ran = work.run(boxed, host="", analysis=GIVEN)
    finally:
        sys.path.remove(str(work.folder))
    assert ran.outcome == ("passed", "")
    assert found_by(ran)[0]["results"] == [["r1", "a"], ["r2", "a"]]


def test_a_run_without_results_and_history_is_an_empty_one(work):
    class Count(Scriptlet):
        def run(self, ctx, params):
            ctx.check("rows", len(ctx.results()) + len(ctx.history("rate")), eq=0)

    assert work.run(python(Count, **READS), host="").outcome == ("passed", "")


@table("declared", "call", "args", "said")
def test_what_is_not_declared_is_an_error_that_says_what_to_declare(work, declared, call, args, said):
    ran = work.run(python(Read, args={"call": call, "args": args}, scope="run", **declared), host="", analysis=GIVEN)
    assert ran.only["verdict"] == "error"
    assert said in ran.only["reason"]
    assert "findings" not in ran.attempt


def test_elsewhere_the_field_of_an_envelope_is_the_authors_own(work):
    ran = work.run(work.script('echo \'{"status": "ok", "findings": 3, "finding": [1]}\''), analysis=GIVEN)
    assert ran.outcome == ("passed", "")
    assert "findings" not in ran.attempt


@table("written", "said")
def test_an_envelope_with_malformed_findings(work, written, said):
    envelope = json.dumps({"status": "ok", **written})
    ran = work.run(work.script(f"echo '{envelope}'", **READS), host="", analysis=GIVEN)
    assert ran.outcome == ("error", said)


def test_secrets_are_masked_in_findings(work):
    args = {"title": "zebra-7777 is slow", "figures": {"seen": ["a zebra-7777"], "api_token": "lion-8888-9999"}}
    ran = work.run(python(Look, args=args, **READS), host="", analysis=GIVEN, secrets=["zebra-7777"])
    text = json.dumps(ran.records)
    assert "zebra-7777" not in text
    assert found_by(ran)[0]["title"] == "******** is slow"
    args = {"title": "it is slow", "figures": {"api_token": "lion-8888-9999"}}
    named = work.run(python(Look, args=args, **READS), host="", analysis=GIVEN, secret_keys=["*token"])
    assert "lion-8888-9999" not in json.dumps(named.records)
    assert found_by(named)[0]["figures"] == {"earlier": 3, "api_token": "********"}


def test_other_results_are_another_input(work):
    look = python(Look, digest="sha256:1", **READS)
    one = work.run(look, host="", analysis=GIVEN).only["inputs"]
    assert work.run(look, host="", analysis=GIVEN).only["inputs"] == one
    assert work.run(look, host="", analysis={**GIVEN, "results": RESULTS[:1]}).only["inputs"] != one


@pytest.mark.parametrize(("kind", "is_reused"), [("cache", False), ("resume", True)])
def test_findings_are_about_their_own_run(work, kind, is_reused):
    look = python(Look, digest="sha256:1", **READS)
    first = work.run(look, host="", analysis=GIVEN)
    offer = {"kind": kind, "run": "R0", "verdict": "passed", "inputs": first.only["inputs"], "records": first.records}
    again = work.run(look, host="", analysis=GIVEN, offers={"Look": [offer]})
    assert ("from" in again.only) is is_reused
    assert found_by(again) == found_by(first)
