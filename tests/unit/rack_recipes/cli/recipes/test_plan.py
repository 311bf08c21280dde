# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call, make_project
from rack_recipes.plan.compile.playbook import to_playbook
from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.plan.output_formats import FORMATS
from rack_recipes.plan.plan_model import PlanOptions

SELECTIONS = [
    (["--only", "ok_step"], PlanOptions(only=("ok_step",))),
    (["--skip", "ok_step,fail_step"], PlanOptions(skip=("ok_step", "fail_step"))),
    (["--stepwise"], PlanOptions(stepwise=True)),
    (["--parallel", "8"], PlanOptions(parallel=True)),
    (["--seed", "3"], PlanOptions(seed=3)),
]


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    make_project(project)


@pytest.mark.parametrize("form", FORMATS)
def test_plan_in_all_formats(form: str):
    assert call("plan", "bad.yml", "--format", form) == (0, FORMATS[form](plan_of("bad.yml")), "")


def test_plan_is_a_tree_unless_json_is_asked_for():
    assert call("plan", "good.yml").out == FORMATS["tree"](plan_of("good.yml"))
    as_json = call("plan", "good.yml", "--json").answer
    assert as_json == json.loads(FORMATS["json"](plan_of("good.yml")))


@pytest.mark.parametrize("form", ["tree", "dot", "mermaid"])
def test_json_and_another_format(form: str):
    done = call("plan", "good.yml", "--json", "--format", form)
    reason = f"rack-recipes plan: --json and --format {form} ask for two answers: give one of them"
    assert done.answer == {"status": "error", "reason": reason, "exit_code": 2}
    assert call("plan", "good.yml", "--json", "--format", "json") == call("plan", "good.yml", "--json")


@pytest.mark.parametrize(("words", "options"), SELECTIONS)
def test_plan_and_playbook_of_some_steps(words: list[str], options: PlanOptions):
    chosen = plan_of("bad.yml", options=options)
    assert call("plan", "bad.yml", *words) == (0, FORMATS["tree"](chosen), "")
    assert call("compile", "bad.yml", *words) == (0, to_playbook(chosen), "")


@pytest.mark.parametrize("command", ["plan", "compile", "run"])
@pytest.mark.parametrize("option", ["--only", "--skip"])
def test_a_step_that_is_none(command: str, option: str):
    done = call(command, "bad.yml", option, "ok_stp")
    assert (done.code, done.out) == (2, "")
    assert "got 'ok_stp' (did you mean 'ok_step'?)" in done.err


@pytest.mark.parametrize("command", ["plan", "compile", "run"])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", ""], "--only: expected the name of a step, got ''"),
        (["--only="], "--only: expected the name of a step, got ''"),
        (["--skip", " , "], "--skip: expected the name of a step, got ' , '"),
        (["--only", "ok_step", "--only", ""], "--only: expected the name of a step, got ''"),
    ],
)
def test_no_step_at_all(command: str, words: list[str], told: str):
    """An empty variable of a shell would choose all steps."""
    done = call(command, "bad.yml", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"rack-recipes {command}: argument {told}; see rack-recipes {command} --help\n"


def test_compile_prints_the_playbook():
    done = call("compile", "bad.yml")
    assert done == (0, to_playbook(plan_of("bad.yml")), "")
    assert call("compile", "bad.yml") == done
    assert "Run BAD" in yaml.safe_load(done.out)[0]["name"]
    assert call("compile", "bad.yml", "--json").answer == {"status": "ok", "playbook": done.out}


@pytest.mark.parametrize("command", ["plan", "compile", "run"])
def test_a_faulty_recipe_ends_with_2(command: str):
    done = call(command, "faulty.yml")
    assert (done.code, done.out) == (2, "")
    assert [line.partition(" ")[0] for line in done.err.splitlines()] == ["faulty.yml:1:95:", "faulty.yml:1:120:"]
    assert call(command, "faulty.yml", "--json").answer["reason"] == done.err.strip()


@pytest.mark.parametrize("words", [("plan",), ("run", "--dry-run"), ("run",)], ids=" ".join)
def test_a_scriptlet_that_should_not_be_used_any_more_is_named(words: tuple[str, ...], project: Path):
    (project / "scriptlets/t/ok.yml").write_text("description: Says\nwrites: [t.ok_v1]\ndeprecated: use t.new\n")
    done = call(*words, "good.yml")
    assert done.code == 0
    assert re.match(r"good\.yml:1:\d+: t\.ok is deprecated: use t\.new\n", done.err)


def test_nothing_is_left_behind(project: Path):
    before = {*project.rglob("*")}
    for command in ("plan", "compile", "validate"):
        call(command, "good.yml")
    call("run", "--dry-run", "good.yml")
    call("scriptlets")
    assert {*project.rglob("*")} == before
