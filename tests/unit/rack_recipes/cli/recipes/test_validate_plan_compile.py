# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.plan.compile.playbook import to_playbook
from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.plan.one_process import process_lines
from rack_recipes.plan.output_formats import FORMATS
from rack_recipes.plan.plan_model import Plan, PlanOptions
from rack_recipes.settings import Settings

pytestmark = pytest.mark.usefixtures("lab")


def typed(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))


@pytest.fixture(autouse=True)
def _a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """All steps have a timeout by the project's setting, so that these tests see no notice about it."""
    monkeypatch.setenv("RACK_RECIPES_STEP_TIMEOUT", "600")


def test_steps_without_a_timeout_are_a_notice(project: Path, monkeypatch: pytest.MonkeyPatch):
    step = "{name: %s, type: shell, module: t.ok, success: none%s}"
    steps = [step % ("a", ", timeout: 5"), step % ("b", ""), step % ("c", "")]
    (project / "endless.yml").write_text(f"test_meta: {{test_id: T-1}}\nsteps:\n  - {'\n  - '.join(steps)}\n")
    assert call("validate", "endless.yml").answer["notices"] == []
    monkeypatch.delenv("RACK_RECIPES_STEP_TIMEOUT")
    done = call("validate", "endless.yml")
    assert (done.code, done.answer["status"]) == (0, "ok")
    assert done.err == (
        "endless.yml:4:5: no timeout, in b, c: where such a step hangs, its host waits for ever; give it one, or all "
        "that have none by the setting step_timeout\n"
    )
    assert "timeout" not in call("plan", "endless.yml").err


def test_a_criterion_that_checks_nothing_is_a_notice(project: Path):
    values = "[{value: 3, max: 5}, {value: '${t.x_v1}', max: 5}, {value: '{{ x }}', max: 5}]"
    (project / "same.yml").write_text(
        "test_meta: {test_id: T-1}\nsteps:\n  - {name: a, type: shell, module: t.ok, reads: [t.x_v1], "
        f"success: {{values: {values}}}}}\n"
    )
    done = call("validate", "same.yml")
    assert (done.code, [one["line"] for one in done.answer["notices"]]) == (0, [3])
    told = (
        "same.yml:3:5: the criterion for the number 3 checks nothing, since that is the same in each run: let it refer"
    )
    assert done.err.startswith(told)


def test_good_recipes():
    done = call("validate", "good.yml", "bad.yml")
    assert (done.code, done.err) == (0, "")
    assert done.answer == {"status": "ok", "recipes": 2, "problems": [], "notices": []}


def test_the_problems_of_all_recipes():
    done = call("validate", "faulty.yml", "good.yml", "absent.yml")
    assert done.code == 2
    assert done.answer["status"] == "error"
    assert done.answer["recipes"] == 3
    problems = done.answer["problems"]
    assert [(each["file"], each["line"], each["column"]) for each in problems] == [
        ("faulty.yml", 1, 95),
        ("faulty.yml", 1, 120),
        ("absent.yml", 1, 1),
    ]
    assert done.err.splitlines() == [each["text"] for each in problems]
    assert problems[1]["got"] == "'x', which is not there"
    assert {*problems[0]} == {"file", "line", "column", "expected", "got", "near", "text"}


def test_what_is_wrong_around_a_recipe(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_SLOTS", "0")
    done = call("validate", "good.yml")
    assert done.code == 2
    [problem] = done.answer["problems"]
    assert (problem["file"], problem["line"]) == ("good.yml", 1)
    assert problem["text"].startswith("RACK_RECIPES_SLOTS")


def test_included_recipes_are_followed(project: Path):
    (project / "common").mkdir()
    steps = [{"name": "burn", "include": "common/burn.yml"}]
    (project / "outer.yml").write_text(json.dumps({"test_meta": {"test_id": "O"}, "steps": steps}))
    inner = {"test_meta": {"test_id": "I"}, "steps": [{"name": "a", "type": "shell", "module": "t.okk"}]}
    (project / "common/burn.yml").write_text(json.dumps(inner))
    done = call("validate", "outer.yml")
    assert done.code == 2
    assert [problem["file"] for problem in done.answer["problems"]] == ["common/burn.yml"]
    inner["steps"][0]["module"] = "t.ok"
    (project / "common/burn.yml").write_text(json.dumps(inner))
    assert call("validate", "outer.yml").code == 0


def test_a_scriptlet_that_should_not_be_used_any_more_is_no_problem(project: Path):
    (project / "scriptlets/t/ok.yml").write_text("description: Says\nwrites: [t.ok_v1]\ndeprecated: use t.new\n")
    done = call("validate", "good.yml", "faulty.yml")
    assert done.code == 2
    [notice] = done.answer["notices"]
    assert (
        notice["text"] == done.err.splitlines()[-1] == f"good.yml:1:{notice['column']}: t.ok is deprecated: use t.new"
    )
    done = call("validate", "good.yml")
    assert (done.code, done.answer["status"], done.answer["problems"]) == (0, "ok", [])


def test_a_buffer_that_is_not_saved(monkeypatch: pytest.MonkeyPatch, project: Path):
    typed(monkeypatch, (project / "faulty.yml").read_bytes())
    done = call("validate", "--stdin", "good.yml", "--json")
    assert done.code == 2
    assert [problem["file"] for problem in done.answer["problems"]] == ["good.yml", "good.yml"]
    typed(monkeypatch, (project / "good.yml").read_bytes())
    done = call("validate", "--stdin", "new/not_there_yet.yml", "faulty.yml")
    assert done.code == 2
    assert done.answer["recipes"] == 2
    assert {problem["file"] for problem in done.answer["problems"]} == {"faulty.yml"}


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"a: [", b"\0"])
def test_a_buffer_that_is_no_recipe(text: bytes, monkeypatch: pytest.MonkeyPatch):
    typed(monkeypatch, text)
    done = call("validate", "--stdin", "good.yml")
    assert (done.code, done.answer["status"]) == (2, "error")
    assert done.err.startswith("good.yml:")


def test_a_buffer_includes_what_lies_beside_its_file(monkeypatch: pytest.MonkeyPatch, project: Path):
    (project / "lab").mkdir()
    (project / "good.yml").rename(project / "lab/inner.yml")
    steps = [{"name": "burn", "include": "inner.yml"}]
    typed(monkeypatch, json.dumps({"test_meta": {"test_id": "O"}, "steps": steps}).encode())
    assert call("validate", "--stdin", "lab/outer.yml").code == 0


def test_limits_that_good_values_do_not_hold_are_notices(project: Path):
    (project / "l.yml").write_text(
        "limits:\n"
        "  - {step: a, measurement: x, max: 101, learned: {mean: 100, spread: 2}}\n"
        "  - {step: a, measurement: y, max: 120, learned: {mean: 100, spread: 2}}\n"
    )
    (project / "tight.yml").write_text(
        "test_meta: {test_id: T-1}\nlimits: l.yml\nsteps:\n"
        "  - {name: a, type: shell, module: t.ok, reads: [t.x_v1], success: {values: ["
        "{name: x, value: '${t.x_v1}', eq: 12.05}, {name: y, value: '${t.x_v1}', one_of: [1, 2.0]}]}}\n"
    )
    done = call("validate", "tight.yml")
    exact = "holds only for exactly 12.05: what is measured seldom is, so say by how much it may differ, with within"
    near = "max 101 is 0.5 standard deviations from the mean of good values, 100"
    assert (done.code, done.err.splitlines()) == (
        0,
        [
            f"tight.yml:4:5: the criterion for '${{t.x_v1}}' {exact}",
            f"tight.yml:2:9: x in step a: an unsound limit: {near}",
        ],
    )


SELECTIONS = [
    (["--only", "ok_step"], PlanOptions(only=("ok_step",))),
    (["--skip", "ok_step,fail_step"], PlanOptions(skip=("ok_step", "fail_step"))),
    (["--stepwise"], PlanOptions(stepwise=True)),
    (["--parallel", "8"], PlanOptions(parallel=True)),
    (["--seed", "3"], PlanOptions(seed=3)),
]


def tree_of(plan: Plan) -> str:
    """What `plan` prints: the tree, and which stages one process runs on all hosts."""
    return "".join([FORMATS["tree"](plan), *process_lines(plan, Settings())])


@pytest.mark.parametrize("form", FORMATS)
def test_plan_in_all_formats(form: str):
    plan = plan_of("bad.yml")
    assert call("plan", "bad.yml", "--format", form) == (
        0,
        tree_of(plan) if form == "tree" else FORMATS[form](plan),
        "",
    )


def test_plan_is_a_tree_unless_json_is_asked_for():
    assert call("plan", "good.yml").out == tree_of(plan_of("good.yml"))
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
    assert call("plan", "bad.yml", *words) == (0, tree_of(chosen), "")
    assert call("compile", "bad.yml", *words) == (0, to_playbook(chosen), "")


@pytest.mark.parametrize("command", ["plan", "compile", "run"])
@pytest.mark.parametrize("option", ["--only", "--skip"])
def test_a_step_that_is_none(command: str, option: str):
    done = call(command, "bad.yml", option, "ok_stp")
    assert done.code == 2
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
    assert done.code == 2
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
    assert done.code == 2
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
