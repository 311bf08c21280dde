# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans, the notices about them, and the options that choose steps."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from rack_recipes.errors import Place, RecipeErrors, UsageError
from rack_recipes.plan.make_plan import make_plan
from rack_recipes.plan.output_formats import FORMATS
from rack_recipes.plan.plan_model import Plan, PlanOptions
from rack_recipes.recipe.catalog.scriptlet_files import SHIPPED
from rack_recipes.recipe.load import load, parse
from rack_recipes.recipe.recipe_model import Recipe, Step, TestMeta

CASES = Path(__file__).parent / "cases"
GOOD = sorted((CASES / "good").glob("*.yml"))
ERRORS = sorted((CASES / "errors").glob("*.yml"))
FOLDERS = (Path("scriptlets"),)
ENDINGS = {"tree": ".txt", "json": ".json", "dot": ".dot", "mermaid": ".mmd"}
# A graph with subgraphs, quoted names and edges: the part of the language that is used here.
NAME = r'"(?:[^"\\\n]|\\.)*"'
LABEL = rf"(?: \[label={NAME}\])?"
DOT = re.compile(
    rf"digraph {NAME} {{\n  rankdir=LR;\n  node \[shape=box\];\n"
    rf"(?:  subgraph cluster_\d+ {{\n    label={NAME};\n(?:    {NAME}{LABEL};\n)+  }}\n)+"
    rf"(?:  {NAME} -> {NAME}(?:{LABEL}| \[style=dashed\]);\n)*}}\n"
)
TEXT = r"[\w .,:#;-]+"
MERMAID = re.compile(
    rf'flowchart LR\n(?:  subgraph stage\d+\["{TEXT}"\]\n(?:    s\d+\["[\w.-]+(?:<br>{TEXT})?"\]\n)+  end\n)+'
    rf'(?:  s\d+ (?:-\.->|-->(?:\|"{TEXT}"\|)?) s\d+\n)*'
)


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
NAMES = [step.name for step in parse(RECIPE.encode(), "recipe.yml").steps]


@pytest.fixture(autouse=True, scope="module")
def _in_cases() -> Iterator[None]:
    with chdir(CASES):
        yield


def plan_of(text: str = RECIPE, **options: Any) -> Plan:
    return make_plan(parse(text.encode(), "recipe.yml"), FOLDERS, PlanOptions(**options))


def refusal(text: str) -> str:
    with pytest.raises(RecipeErrors) as caught:
        plan_of(text)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(SHIPPED.path, "SHIPPED")


@pytest.mark.parametrize("case", GOOD, ids=attrgetter("stem"))
def test_plans(case: Path, golden: Callable[[Path, str], None]):
    """In each format; the graphs are sound."""
    plan = make_plan(load(str(case.relative_to(CASES))), FOLDERS)
    shown = {form: show(plan) for form, show in FORMATS.items()}
    for form, text in shown.items():
        golden(case.with_suffix(ENDINGS[form]), text)
    dot, mermaid = shown["dot"], shown["mermaid"]
    assert DOT.fullmatch(dot)
    assert MERMAID.fullmatch(mermaid)
    edges = sum(len(step.depends_on) + len(step.after) for step in plan.steps)
    assert dot.count(" -> ") == mermaid.count("->") == edges
    assert dot.count("style=dashed") == mermaid.count("-.->") == sum(len(step.after) for step in plan.steps)
    program = shutil.which("dot")
    if program:
        drawn = subprocess.run([program, "-Tplain"], input=dot, capture_output=True, text=True, check=True, timeout=30)
        assert drawn.stdout.count("\nedge ") == edges
        assert drawn.stdout.count("\nnode ") == len(plan.steps)


@pytest.mark.parametrize("case", ERRORS, ids=attrgetter("stem"))
def test_errors(case: Path, golden: Callable[[Path, str], None]):
    golden(case.with_suffix(".txt"), refusal(case.read_text()) + "\n")


def test_long_values_are_cut():
    long = [["x" * 1000]]
    step = {"name": "a", "type": "shell", "module": "disk.usage", "loop": long}
    recipe = {"test_meta": {"test_id": "T"}, "params": {"names": {"type": "list", "default": long}}, "steps": [step]}
    drawn = FORMATS["tree"](plan_of(json.dumps(recipe)))
    assert 'names = [["' + "x" * 197 + "...\n" in drawn
    assert max(map(len, drawn.splitlines())) < 300


def test_each_golden_file_has_its_case():
    golden = {path.stem for ending in ENDINGS.values() for path in (CASES / "good").glob(f"*{ending}")}
    assert golden == {path.stem for path in GOOD}
    assert {path.stem for path in (CASES / "errors").glob("*.txt")} == {path.stem for path in ERRORS}


def test_only_the_first_hundred_errors_are_told():
    steps = "".join(f"  - {{name: s{number}, module: t.nothing}}\n" for number in range(250))
    lines = refusal(f"test_meta: {{test_id: MANY}}\nsteps:\n{steps}").splitlines()
    assert len(lines) == 100
    assert lines[0].startswith("recipe.yml:3:")
    assert lines[99].startswith("recipe.yml:102:")


def test_no_text_of_a_recipe_breaks_the_tree():
    odd = json.dumps("a\n└── b\x1bm\u2028c")
    condition = f"{{value: '${{a_v1}}', matches: {odd}}}"
    step = f"{{name: a, type: shell, module: t.step, loop: [{odd}], cache_key: {odd}, when: [{condition}]}}"
    lines = FORMATS["tree"](plan_of(f"test_meta: {{test_id: T}}\nsteps: [{step}]")).split("\n")
    assert len(lines) == 8
    assert all(line.isprintable() for line in lines)
    assert "        ├── loop: a └── b m c" in lines


def test_hooks_are_planned_with_their_scriptlets():
    plan = make_plan(load("good/hooks.yml"), FOLDERS)
    assert [(hook.when, hook.entry.name) for hook in plan.hooks] == [
        ("pre_step", "t.step"),
        ("post_step", "t.plain"),
        ("post_step", "t.step"),
    ]
    assert [hook.hook for hook in plan.hooks] == [*plan.recipe.pre_step, *plan.recipe.post_step]


def test_an_error_in_an_included_recipe_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(CASES / "scriptlets", tmp_path / "scriptlets")
    monkeypatch.chdir(tmp_path)
    step = "{name: a, type: shell, module: t.limits, args: {sped: 10, device: x}}"
    Path("inner.yml").write_text(f"test_meta: {{test_id: I}}\nsteps:\n  - {step}\n")
    twice = "".join(f"  - {{include: inner.yml, name: {name}}}\n" for name in ("one", "two"))
    Path("r.yml").write_text(f"test_meta: {{test_id: T}}\nsteps:\n{twice}  - {step}\n")
    with pytest.raises(RecipeErrors) as caught:
        make_plan(load("r.yml"), FOLDERS)
    expected = "expected an argument of t.limits, got 'sped' (did you mean 'speed'?)"
    assert [*map(str, caught.value.errors)] == [f"inner.yml:3:53: {expected}", f"r.yml:5:53: {expected}"]


def test_a_recipe_without_places_has_the_step_s_for_its_errors():
    step = Step(1, "a", "shell", "t.limits", Place("made.yml", 3, 5), args={"sped": 1})
    with pytest.raises(RecipeErrors) as caught:
        make_plan(Recipe("made.yml", "sha256:0", TestMeta("T"), (step,)), FOLDERS)
    assert [error.place for error in caught.value.errors] == [step.place] * 2


@pytest.mark.parametrize("src", ["/etc/hostname", "{{ source }}", "${a.path_v1}", "", 7, "./data/numbers.csv"])
def test_what_is_no_file_of_the_project_need_not_be_there(src: object):
    args = json.dumps({"src": src})
    plan_of(f"test_meta: {{test_id: T}}\nsteps: [{{name: a, type: shell, module: t.step, args: {args}}}]")


@pytest.mark.parametrize("src", ["x" * 5000, "a\0b", "x" * 300 + "/y"])
def test_a_name_that_no_file_can_have(src: str):
    recipe = parse(b"test_meta: {test_id: T}\nsteps: [{name: a, type: shell, module: t.step}]", "recipe.yml")
    step = replace(recipe.steps[0], args={"src": src})
    with pytest.raises(RecipeErrors, match="expected a file of the project") as caught:
        make_plan(replace(recipe, steps=(step,)), FOLDERS)
    assert len(str(caught.value)) < 250


def test_the_project_s_scriptlets_come_from_the_folders_that_are_given(tmp_path: Path):
    (tmp_path / "own/x").mkdir(parents=True)
    shutil.copy(CASES / "scriptlets/t/step.sh", tmp_path / "own/x/mine.sh")
    shutil.copy(CASES / "scriptlets/t/step.yml", tmp_path / "own/x/mine.yml")
    recipe = parse(b"test_meta: {test_id: T}\nsteps: [{name: a, type: shell, module: x.mine}]", "r.yml")
    assert make_plan(recipe, (tmp_path / "own",)).steps[0].entry.path == tmp_path / "own/x/mine.sh"
    with pytest.raises(RecipeErrors, match=r"no scriptlet 'x\.mine'"):
        make_plan(recipe, FOLDERS)


def names(plan: Plan) -> list[str]:
    return [planned.name for planned in plan.steps]


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
        done.add(planned.name)


def test_a_step_that_is_skipped_stays_with_its_reason():
    plan = plan_of(skip=("measure", "close"))
    assert names(plan) == NAMES
    assert [planned.name for planned in plan.steps if planned.skip] == ["measure", "close"]
    assert {planned.skip for planned in plan.steps} == {"", "left out by --skip"}
    assert FORMATS["tree"](plan).count("skipped: left out by --skip") == 2


@pytest.mark.parametrize("option", ["only", "skip"])
def test_a_step_that_there_is_not(option: str):
    with pytest.raises(UsageError) as caught:
        plan_of(**{option: ("prepare", "mesure")})
    expected = "expected the name of a step of recipe.yml, got 'mesure' (did you mean 'measure'?)"
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
    reasons = {stage.steps[0].name: stage.why for stage in stepwise.stages}
    assert {stage.steps[0].name: stage.why for stage in fused.stages}.items() <= reasons.items()
    assert {*reasons.values()} == {"is the first", "stepwise", "is an Ansible module", "closes the run"}


def test_parallel_every_step_but_those_whose_instances_might_meet():
    plan = plan_of(parallel=True)
    alone = [planned.name for planned in plan.steps if not planned.parallel]
    assert alone == ["ports", "speeds", "uptime"]
    assert [planned.depends_on for planned in plan.steps] == [planned.depends_on for planned in plan_of().steps]
    kept = plan_of(RECIPE.replace("loop: [1, 2]", "loop: [1, 2], parallel: true"), parallel=True)
    assert next(planned for planned in kept.steps if planned.name == "ports").parallel


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
    assert [planned.hosts for planned in stage.steps] == [None, None]
