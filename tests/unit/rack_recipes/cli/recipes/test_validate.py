# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call, make_project


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    make_project(project)


def typed(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))


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
    assert problems[1]["got"] == "'x'"
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
