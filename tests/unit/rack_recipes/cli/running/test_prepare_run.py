# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run that goes on takes over from the earlier one."""

from __future__ import annotations

import json
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import make_project
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import first, step
from rack_recipes.cli.command_table import parse_command_line
from rack_recipes.cli.running.prepare_run import ResumedRun, _recorded_params, earlier_run, prepare_run
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.recipe.recipe_model import Param

PARAMS, OPTIONS = {"vlan": 7}, {"only": ["a"], "seed": 3}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs of two recipes, and a folder of a run that was never begun."""
    for name, recipe in (("20261101", "a.yml"), ("20261102", "b.yml"), ("20261103", "a.yml")):
        record = {**first(run_id=name), "recipe": {"path": recipe}, "params": PARAMS, "options": OPTIONS}
        append(tmp_path / name / "journal.jsonl", [record])
    append(tmp_path / "20261104/journal.jsonl", [step("a", "r1")])
    return tmp_path


@pytest.mark.parametrize(
    ("start", "recipe", "found"),
    [
        ("20261101", "", "20261101"),
        ("20261102", "a.yml", "20261102"),
        ("last", "", "20261103"),
        ("last", "b.yml", "20261102"),
        ("", "a.yml", "20261103"),
    ],
)
def test_the_run_that_is_meant(start: str, recipe: str, found: str, runs: Path):
    assert earlier_run(runs, start, recipe).run_id == found


@pytest.mark.parametrize("recipe", ["", "a.yml"])
def test_the_last_of_one_second_is_the_one_that_began_last(recipe: str, runs: Path):
    for name, fraction in (("20261127-074533-ff37d7", "1"), ("20261127-074533-0a11ce", "9")):
        record = {**first(run_id=name), "recipe": {"path": "a.yml"}, "time": f"2026-11-27T07:45:33.{fraction}00000Z"}
        append(runs / name / "journal.jsonl", [record])
    assert earlier_run(runs, "last", recipe).run_id == "20261127-074533-0a11ce"


def test_what_its_record_says(runs: Path):
    assert earlier_run(runs, "last", "a.yml") == ResumedRun("20261103", "a.yml", PARAMS, OPTIONS)


@pytest.mark.parametrize(
    ("start", "recipe", "text"),
    [
        ("1999", "", "there is no run '1999' in "),
        ("2026", "", "4 runs begin with '2026': "),
        ("20261104", "", "no run was begun there"),
        ("last", "c.yml", "there is no run of c.yml in "),
    ],
)
def test_no_run_is_meant(start: str, recipe: str, text: str, runs: Path):
    with pytest.raises(UsageError) as refused:
        earlier_run(runs, start, recipe)
    assert text in str(refused.value)


DECLARED = {
    "vlan": Param("vlan"),
    "password": Param("password", secret=True),
    "token": Param("token"),
    "url": Param("url"),
}
EARLIER = ResumedRun(
    "run1",
    "recipe.yml",
    {"vlan": 12, "password": "********", "token": "********", "url": "http://me:********@host", "gone": 1},
)


def test_parameters_hold_unless_they_are_given_anew():
    assert _recorded_params(EARLIER, DECLARED, {"token", "url"}) == {"vlan": 12}
    assert _recorded_params(None, DECLARED, ()) == {}


def test_what_no_record_holds_has_to_be_given_again():
    """A parameter may be secret by its name, or hold a secret: its default would be another value."""
    with pytest.raises(UsageError) as caught:
        _recorded_params(EARLIER, DECLARED, {"vlan"})
    assert str(caught.value) == "--resume: no record holds the secret in token, url: give it again by --param-file"


CASES = yaml.safe_load((Path(__file__).parent / "cases/choice_of_steps.yml").read_text())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its recipe has the steps `wire`, `burn`, which needs `wire`, `check`, which needs `burn`, and `lone`."""
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    needs: dict[str, list[str]] = {"wire": [], "burn": ["wire"], "check": ["burn"], "lone": []}
    steps = [{"name": name, "type": "shell", "module": "t.fail", "depends_on": need} for name, need in needs.items()]
    (tmp_path / "lab.yml").write_text(json.dumps({"test_meta": {"test_id": "LAB"}, "steps": steps}))
    return tmp_path


@pytest.mark.parametrize("case", CASES, ids=itemgetter("id"))
def test_which_steps_a_run_that_goes_on_runs(case: dict[str, Any], project: Path):
    """`runs` are the steps of its plan that are not left out, `left_out` is what people are told of others."""
    record = {**first(run_id="20261101"), "recipe": {"path": "lab.yml"}, "options": case["earlier"]}
    append(project / ".rack-recipes/runs/20261101/journal.jsonl", [record])
    options = parse_command_line(["run", "lab.yml", *case["arguments"]])[1]
    options.ansible = []
    if "refused" in case:
        with pytest.raises(UsageError) as caught:
            prepare_run(options)
        assert str(caught.value) == case["refused"]
        return
    prepared = prepare_run(options)
    plan = prepared.plan
    assert sorted(planned.name for planned in plan.steps if not planned.skip) == sorted(case["runs"])
    assert (list(plan.options.only), list(plan.options.skip)) == (case.get("only", []), case.get("skip", []))
    assert prepared.left_out().get("words", "") == case.get("left_out", "")


@pytest.mark.parametrize("words", [["--resume-from", "burn"], ["--resume", "last"]])
def test_without_an_earlier_run_it_is_said_what_to_do(words: list[str], project: Path):
    with pytest.raises(UsageError) as caught:
        prepare_run(parse_command_line(["run", "lab.yml", *words])[1])
    assert str(caught.value) == (
        "there is no run of lab.yml in .rack-recipes/runs to go on with: start one with `rack-recipes run lab.yml`; "
        "`--only STEP` runs a step with all that it needs"
    )
