# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits from stored runs: the file, what is refused, what changes, and what would have failed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import Done, call, runs_made_in
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import HOSTS, Writer, measured
from rack_recipes.recipe.limits_file import read_limits
from rack_recipes.recipe.load import load

GOOD = [f"202611{day:02}-090000-aaaaaa" for day in range(1, 11)]
BAD, EARLIER = "20261112-090000-bbbbbb", "20261111-090000-cccccc"
ATTRIBUTES = {"leaf1": {"model": "h100"}, "leaf2": {"model": "a100"}}


def store(run_id: str, heat: float, verdict: str = "passed") -> None:
    run = Writer(run_id)
    run.begin("sha256:1", ("burn",), attributes=ATTRIBUTES)
    for host in HOSTS:
        bad = verdict if host == "leaf2" else "passed"
        limits = {"limits": {"max": 41.5}, "distance": 1, "verdict": bad}
        figures = [measured("heat", heat, "C", **limits), measured("state", "up"), measured("ctx_has_keys", 1)]
        run.step("burn", host, bad, measurements=figures)
    run.end(verdict, int(verdict != "passed"), **{verdict: 2})


def store_runs() -> None:
    for number, run_id in enumerate(GOOD):
        store(run_id, 40 + number * 7 % 10 / 10)
    store(EARLIER, 44.0)
    store(BAD, 55.0, "failed")


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs_made_in(tmp_path_factory.mktemp("nights"), store_runs)


@pytest.fixture
def runs(_made: Path, project: Path) -> Path:
    """Ten good runs of 40 to 41 C, one that failed at 55 C, one that passed at 44 C."""
    shutil.copytree(_made, project / ".rack-recipes")
    return project


def learn(*words: str) -> Done:
    return call("learn", *words)


def test_a_file_says_what_its_limits_rest_on(runs: Path):
    done = learn(*GOOD, "--to", "limits/burn.yml", "--json")
    found = read_limits("limits/burn.yml")
    assert [(one.step, one.measurement, one.unit, one.where) for one in found.limits] == [
        ("burn", "heat", "C", {"model": "h100"}),
        ("burn", "state", None, {"model": "h100"}),
        ("burn", "heat", "C", {"model": "a100"}),
        ("burn", "state", None, {"model": "a100"}),
    ]
    assert [one.condition for one in found.limits[:2]] == [{"min": 38.4, "max": 42.5}, {"eq": "up"}]
    counted = {"runs": 10, "hosts": 1, "values": 10}
    assert found.limits[0].learned == {**counted, "mean": 40.45, "spread": 0.302765, "method": "interval"}
    assert (found.data["learned"]["runs"], found.data["learned"]["margin"]) == (GOOD, "50 %")
    assert done.answer["limits"][0]["was"] == {"max": 41.5}
    assert done.answer["limits"][0]["failed"] == [f"leaf1 in {BAD}: 55.0", f"leaf1 in {EARLIER}: 44.0"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("limits/burn.yml", "limits: ../limits/burn.yml"),
        ("recipes/burn.yml", "limits: burn.yml"),
        ("my limits/burn in #1: a.yml", 'limits: "../my limits/burn in #1: a.yml"'),
        ("../burn.yml", ""),
    ],
)
def test_the_line_for_the_recipe_names_the_file(path: str, line: str, runs: Path):
    Path("recipes").mkdir(exist_ok=True)
    done = learn(*GOOD, "--to", path)
    assert done.err.splitlines()[1:] == ([line] if line else [])
    assert learn(*GOOD, "--update", path, "--json").answer["line"] == line
    if line:
        recipe = Path("recipes/burn_in.yml")
        recipe.write_text(
            f"test_meta: {{test_id: B}}\n{line}\nsteps: [{{name: burn, module: rack.recipes.host_facts}}]\n"
        )
        assert {limit["measurement"] for limit in load(str(recipe)).limits} == {"heat", "state"}


def test_people_see_what_changes_and_what_would_have_failed(runs: Path):
    done = learn(*GOOD)
    heat = next(line for line in done.out.splitlines() if "a100" in line and "heat" in line)
    assert re.split("  +", heat) == [
        *("burn", "heat (C)", "model a100", "max 41.5", "min 38.4, max 42.5"),
        f"2, such as leaf2 in {BAD}: 55.0",
    ]
    assert done.out.splitlines()[-1] == "4 limits from 10 runs"


def test_an_update_keeps_what_people_wrote_and_what_it_says_nothing_of(runs: Path):
    Path("l.yml").write_text(
        "limits:\n"
        "  - {step: burn, measurement: heat, max: 90}\n"
        "  - {step: burn, measurement: heat, unit: C, where: {model: h100}, max: 60, learned: {runs: 9}}\n"
        "  - {step: burn, measurement: heat, unit: C, where: {model: h100, rack: 3}, max: 9, learned: {runs: 9}}\n"
    )
    done = learn(*GOOD, "--update", "l.yml", "--json")
    kept = [(one.step, one.condition) for one in read_limits("l.yml").limits[:3]]
    assert kept == [("burn", {"max": 90}), ("burn", {"max": 9}), ("burn", {"min": 38.4, "max": 42.5})]
    assert (done.answer["kept"], done.answer["limits"][0]["was"]) == (2, {"max": 60})
    again = learn(*GOOD, "--update", "l.yml")
    assert again.out.splitlines()[-1] == "4 limits from 10 runs; 2 entries of the file stay"


def test_from_a_run_that_failed_only_what_passed_is_learned(runs: Path):
    refused = learn(*GOOD, BAD)
    assert (refused.code, refused.err) == (
        2,
        f"run {BAD} is no good one (failed): leave it out, or learn from what passed in it by --force\n",
    )
    alone = f"run {BAD} is no good one (failed): take the newest good one, {EARLIER}, or learn"
    assert learn(BAD, "--last", "10").err.startswith(alone)
    found = learn(*GOOD, BAD, "--force", "--json").answer["limits"]
    assert [one["learned"]["values"] for one in found] == [11, 11, 10, 10]


@pytest.mark.parametrize(
    ("words", "runs_"), [(["--last", "10"], [*GOOD[1:], EARLIER]), (["--last", "99"], [*GOOD, EARLIER])]
)
def test_the_good_runs_before_a_run(words: list[str], runs_: list[str], runs: Path):
    assert learn(EARLIER, *words, "--json").answer["runs"] == runs_
    assert learn(BAD, *words, "--force", "--json").answer["runs"][-2:] == [EARLIER, BAD]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (GOOD[:9], "nothing can be learned from these runs: 9 runs have it: 10 are needed\n"),
        (
            [*GOOD, "--to", "there.yml"],
            "there.yml is there already: --update shows what changes in it, and replaces it\n",
        ),
        ([*GOOD, "--update", "no.yml"], "no.yml: cannot be read: No such file or directory\n"),
        ([*GOOD, "--to", "a", "--update", "b"], "rack-recipes learn: expected --to or --update, got both\n"),
        (["1999"], "there is no run '1999' in the store"),
    ],
)
def test_what_is_refused(words: list[str], error: str, runs: Path):
    Path("there.yml").write_text("limits: []")
    done = learn(*words)
    assert (done.code, done.err[: len(error)]) == (2, error)


def test_any_text_is_read_as_it_was_written(project: Path):
    texts = ["no", "010", "4.20", "a: b", "{x}", "#", "'", "\\n\u00e9", "", "fan 1", "on", "1:30", "x" * 50]
    for run_id in GOOD:
        run = Writer(run_id)
        run.begin("sha256:1", ("burn",))
        run.step("burn", "leaf1", measurements=[measured(f"m {text}", text, text[:50]) for text in texts])
        run.end("passed", 0, passed=1)
    assert learn(*GOOD, "--to", "l.yml").code == 0
    found = read_limits("l.yml").limits
    assert [(one.measurement, one.unit or "", one.condition["eq"]) for one in found] == [
        (f"m {text}", text[:50], text) for text in texts
    ]
    assert yaml.safe_load(Path("l.yml").read_text())["limits"][0]["step"] == "burn"
