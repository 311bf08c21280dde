# SPDX-License-Identifier: GPL-3.0-or-later

"""Compiled playbooks: cases/*, their files, and how long compiling takes."""

from __future__ import annotations

import gc
import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from rack_recipes.errors import Place
from rack_recipes.plan.compile.playbook import to_playbook, to_plays
from rack_recipes.plan.compile.playbook_file import compile_to_file
from rack_recipes.plan.compile.yaml_text import TEMPLATE, Verbatim
from rack_recipes.plan.make_plan import make_plan
from rack_recipes.plan.plan_model import Plan, PlanOptions
from rack_recipes.recipe.load import load, parse
from rack_recipes.recipe.recipe_model import (
    CacheKey,
    Dependency,
    Limits,
    Repeat,
    Retry,
    Sandbox,
    Step,
    Success,
)
from rack_recipes.recipe.steps_to_and_from_data import parts_written
from rack_recipes.settings import Settings

CASES = Path(__file__).parent / "cases"
PLANS = Path(__file__).parents[1] / "cases"
CHECKOUT = Path(__file__).resolve().parents[5]
RECIPES = sorted([*(CASES / "recipes").glob("*.yml"), *(PLANS / "good").glob("*.yml")])
GOLDEN = CASES / "playbooks"


@pytest.fixture(autouse=True)
def _in_the_plans_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PLANS)


@cache
def plan_of(recipe: Path) -> Plan:
    return make_plan(parse(recipe.read_bytes(), f"recipes/{recipe.name}"), (Path("scriptlets"),))


def small(text: str, path: str = "r.yml") -> Plan:
    return make_plan(parse(text.encode(), path), (Path("scriptlets"),))


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


class Loader(yaml.CSafeLoader):
    """Reads `!unsafe` as Ansible does."""


Loader.add_constructor("!unsafe", lambda loader, node: Verbatim(loader.construct_scalar(node)))  # type: ignore[arg-type]


def types(value: Any) -> Any:
    """Which texts in it are marked."""
    if isinstance(value, dict):
        return [types(item) for item in value.values()]
    return [*map(types, value)] if isinstance(value, (list, tuple)) else isinstance(value, Verbatim)


def stage_tasks(plan: Plan) -> list[dict[str, Any]]:
    return [task for play in to_plays(plan) for task in play["tasks"] if "rack.recipes.stage" in task]


@pytest.mark.parametrize("recipe", RECIPES, ids=attrgetter("stem"))
def test_playbooks(recipe: Path, golden: Callable[[Path, str], None]):
    """The text is the data."""
    plan = plan_of(recipe)
    text = to_playbook(plan)
    golden(GOLDEN / recipe.name, text)
    read, plays = yaml.load(text, Loader), to_plays(plan)
    assert read == plain(plays)
    assert types(read) == types(plays)


def test_each_golden_file_has_its_recipe():
    assert {path.name for path in GOLDEN.glob("*")} == {path.name for path in RECIPES}


def read_back(said: dict[str, Any], task: dict[str, Any]) -> Step:
    """The step that a stage task tells of."""
    made = {
        **{name: value for name, value in said.items() if name in {field.name for field in fields(Step)}},
        "type": said.get("type", "python"),
        "depends_on": tuple(map(dependency, said.get("depends_on", ()))),
        "writes": parts_written(said.get("writes")),
        "become": task.get("become_user", "root") if task.get("become") else "",
        "delegate_to": "" if task.get("delegate_to") == "localhost" else task.get("delegate_to", ""),
    }
    if said.get("sandbox") is True:
        made["sandbox"] = Sandbox()
    for name, kind in (("retry", Retry), ("repeat", Repeat), ("limits", Limits), ("sandbox", Sandbox)):
        if isinstance(said.get(name), dict):
            made[name] = kind(
                **{part: tuple(value) if isinstance(value, list) else value for part, value in said[name].items()}
            )
    if isinstance(said.get("cache_key"), str):
        made["cache_key"] = CacheKey(said["cache_key"])
    elif "cache_key" in said:
        made["cache_key"] = CacheKey(**said["cache_key"])
    success = said.get("success", {})
    made["success"] = Success(none=True) if success == "none" else Success(**{k: tuple(v) for k, v in success.items()})
    lists = {name: tuple(value) for name, value in made.items() if isinstance(value, list)}
    return Step(**{**made, **lists, "place": Place("")})


def dependency(said: str | dict[str, Any]) -> Dependency:
    return Dependency(said) if isinstance(said, str) else Dependency(**said)


@pytest.mark.parametrize("recipe", RECIPES, ids=attrgetter("stem"))
def test_a_stage_task_says_all_of_its_steps(recipe: Path):
    plan = plan_of(recipe)
    told = [(said, task) for task in stage_tasks(plan) for said in plain(task)["rack.recipes.stage"]["steps"]]
    twice = len({planned.name for planned in plan.steps}) < len(told)
    assert twice is bool(plan.recipe.canary and plan.recipe.canary.hosts)
    by_name = {said["name"]: (said, task) for said, task in told}
    assert [*by_name] == [planned.name for planned in plan.steps]
    for planned in plan.steps:
        said, task = by_name[planned.name]
        found = read_back(said, task)
        first, second = (replace(step, place=Place(""), entry=None, keys=None) for step in (found, planned))  # type: ignore[arg-type]
        assert plain(asdict(first)) == plain(asdict(second))


@pytest.mark.parametrize("recipe", RECIPES, ids=attrgetter("stem"))
def test_a_stage_is_one_task_tagged_with_its_steps(recipe: Path):
    plan = plan_of(recipe)
    tasks = stage_tasks(plan)
    stages = {stage.number: stage for stage in plan.stages}
    assert [*dict.fromkeys(task["rack.recipes.stage"]["number"] for task in tasks)] == [*stages]
    for task in tasks:
        stage = stages[task["rack.recipes.stage"]["number"]]
        tags = {tag for planned in stage.steps for tag in (planned.name, *planned.tags)}
        assert sorted(task["tags"]) == sorted(tags - {"never"})
        assert task.get("delegate_to") == (stage.delegate_to or ("localhost" if stage.scope == "run" else None))
        assert sorted(task["rack.recipes.stage"].get("locks", {})) == sorted(stage.locks)
        assert len(task["name"]) <= 120


@pytest.mark.parametrize("recipe", RECIPES, ids=attrgetter("stem"))
def test_only_stages_that_wait_for_nobody_run_in_batches(recipe: Path):
    plan = plan_of(recipe)
    stages = {stage.number: stage for stage in plan.stages}
    for play in to_plays(plan):
        found = [stages[task["rack.recipes.stage"]["number"]] for task in play["tasks"] if "rack.recipes.stage" in task]
        assert ("vars" in play) is bool(found)
        assert play["name"].startswith("Close ") is bool(found and found[0].always) or not found
        if "serial" in play or play["hosts"] != plan.recipe.hosts:
            assert all(stage.scope == "host" and not stage.wide and not stage.always for stage in found)


@pytest.mark.parametrize("forbidden", ["all", "always", "never", "tagged", "untagged"])
def test_no_step_s_name_says_something_else_to_ansible(forbidden: str):
    text = f"test_meta: {{test_id: T}}\nsteps: [{{name: {forbidden}, type: shell, module: t.step, tags: [slow]}}]"
    assert stage_tasks(small(text))[0]["tags"] == ["slow"]


BATCHES = {
    "serial: 4": [("in batches", "all", 4)],
    "serial: 25%": [("in batches", "all", "25%")],
    "serial: [1, 50%]": [("in batches", "all", (1, "50%"))],
    "canary: {count: 2}": [("canary first", "all", (2, "100%"))],
    "canary: {count: 2}\nserial: 10%": [("canary first", "all", (2, "10%"))],
    "canary: {count: 2}\nserial: [3, 4]": [("canary first", "all", (2, 3, 4))],
    "canary: {hosts: rack1}": [("canary", "all:&rack1", None), ("other hosts", "all:!rack1", None)],
    "canary: {hosts: rack1}\nserial: 4": [("canary", "all:&rack1", 4), ("other hosts", "all:!rack1", 4)],
}


@pytest.mark.parametrize("text", BATCHES)
def test_batches(text: str):
    plan = small(f"test_meta: {{test_id: T}}\n{text}\nsteps: [{{name: a, type: shell, module: t.step}}]")
    plays = to_plays(plan)[:-2]
    assert [(play["name"], play["hosts"], play.get("serial")) for play in plays] == [
        (f"Run T, stage 1, {which}", hosts, serial) for which, hosts, serial in BATCHES[text]
    ]


INVENTORY = """\
[leafs]
leaf1
leaf2
leaf3
[spines]
spine1
spine2
[rack1]
leaf1
spine1
"""


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> InventoryManager:
    file = tmp_path_factory.mktemp("inventory") / "hosts"
    file.write_text(INVENTORY)
    return InventoryManager(DataLoader(), str(file))


@pytest.mark.parametrize("canary", ["rack1", "leaf2", "leaf[1:2]", "~.*1", "*1", "rack1[0]", "none"])
@pytest.mark.parametrize(
    "hosts", ["all", "*", "leafs", "leafs:spines", "leafs,spines", "leafs:!leaf2", "all:&rack1", "leaf[1:2]", "{{ x }}"]
)
def test_canary_and_others_make_up_the_hosts(hosts: str, canary: str, inventory: InventoryManager):
    def names(pattern: str | list[str]) -> set[str]:
        filled = [
            part.replace("{{ x }}", "leafs,spine1") for part in ([pattern] if isinstance(pattern, str) else pattern)
        ]
        return {str(host) for host in inventory.get_hosts(filled)}

    head = f"test_meta: {{test_id: T}}\nhosts: {json.dumps(hosts)}\ncanary: {{hosts: {json.dumps(canary)}}}\n"
    first, others = to_plays(small(f"{head}steps: [{{name: a, type: shell, module: t.step}}]"))[:-2]
    assert names(first["hosts"]) == names(hosts) & names(canary)
    assert names(others["hosts"]) == names(hosts) - names(canary)


def test_a_recipe_of_which_only_the_end_runs_has_no_other_play():
    text = "test_meta: {test_id: T}\nserial: 2\nsteps: [{name: a, type: shell, module: t.step, always: true}]"
    plays = to_plays(small(text))
    assert [play["name"] for play in plays] == ["Close T", "Verdict T, hosts that did not pass"]
    assert plays[0]["vars"]["rack_recipes_recipe"]["serial"] == 2


STEPS = (
    "test_meta: {test_id: T}\nsteps: [{name: a, type: shell, module: t.step}, {name: b, type: shell, module: t.step}]"
)
OPTIONS = {
    PlanOptions(only=("b",)): {"only": ["b"]},
    PlanOptions(skip=("a",), seed=0): {"skip": ["a"], "seed": 0},
    PlanOptions(stepwise=True, parallel=True): {"stepwise": True, "parallel": True},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_a_playbook_tells_its_options(options: PlanOptions):
    plan = make_plan(parse(STEPS.encode(), "r.yml"), (Path("scriptlets"),), options)
    assert to_plays(plan)[0]["vars"]["rack_recipes_recipe"]["options"] == OPTIONS[options]
    steps = {step["name"]: step for task in stage_tasks(plan) for step in task["rack.recipes.stage"]["steps"]}
    assert sorted(steps) == [name for name in "ab" if not options.only or name in options.only]
    assert [name for name, step in steps.items() if "skip" in step] == [*options.skip]
    assert all(step.get("parallel", False) is options.parallel for step in steps.values())


@pytest.mark.parametrize(
    ("idx", "seed", "order"),
    [(["", ""], None, None), (["", "idx: 1, "], None, None), (["idx: 1, "] * 2, 0, ["a", "b"])],
)
def test_a_playbook_tells_the_order_in_the_file_where_nothing_else_does(idx: list[str], seed: int | None, order: Any):
    """A run is resumed from a step by it. With this seed the second step runs first."""
    text = STEPS.replace("{name: a", f"{{{idx[0]}name: a").replace("{name: b", f"{{{idx[1]}name: b")
    plan = make_plan(parse(text.encode(), "r.yml"), (Path("scriptlets"),), PlanOptions(seed=seed))
    assert ([step.name for step in plan.steps] != ["a", "b"]) == bool(order)
    assert to_plays(plan)[0]["vars"]["rack_recipes_recipe"].get("order") == order


@pytest.mark.parametrize("test_id", ["{{ x }}", "{{{%{# {x}", "{%", "{"])
def test_no_play_s_name_is_a_template(test_id: str):
    text = f"test_meta: {{test_id: {json.dumps(test_id)}}}\nsteps: [{{name: a, type: shell, module: t.step}}]"
    for play in to_plays(small(text)):
        assert not TEMPLATE.search(play["name"])
        assert test_id.replace(" ", "") in play["name"].replace(" ", "")


def test_a_path_of_several_lines_stays_a_comment():
    text = to_playbook(
        small("test_meta: {test_id: T}\nsteps: [{name: a, type: shell, module: t.step}]", "a\n- evil: b.yml")
    )
    assert text.splitlines()[1] == "# 'a\\n- evil: b.yml'"
    assert yaml.load(text, Loader)[0]["vars"]["rack_recipes_recipe"]["path"] == "a\n- evil: b.yml"


@pytest.mark.parametrize("pattern", ["all", "leafs:!spares", "it's", "a\\b'", "{{ groups['leafs'] }}"])
def test_the_hosts_pattern_survives_its_template(pattern: str):
    text = f"test_meta: {{test_id: T}}\nhosts: {json.dumps(pattern)}\nsteps: [{{name: a, type: shell, module: t.step}}]"
    asked: list[str] = []
    verdict = to_plays(small(text))[2]["hosts"]
    template = jinja2.Template(verdict.replace("\\", 2 * "\\"))  # as Ansible does before it
    template.render(query=lambda _lookup, hosts: asked.append(hosts))
    assert asked == [pattern if re.fullmatch("[a-z:!]+", pattern) else "all"]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the playbooks of what we ship, and of all cases."""
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(CHECKOUT)
        for recipe in sorted(Path("recipes").glob("*.yml")):
            (folder / recipe.name).write_text(to_playbook(make_plan(load(str(recipe)), (Path("scriptlets"),))))
    for golden in GOLDEN.glob("*.yml"):
        shutil.copy(golden, folder / f"case_{golden.name}")
    return folder


def test_ansible_accepts_them(compiled: Path):
    names = [path.name for path in sorted(compiled.glob("*.yml"))]
    command = [sys.executable, "-m", "ansible", "playbook", "--syntax-check", "-i", "localhost,"]
    done = subprocess.run([*command, *names], cwd=compiled, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.removeprefix("playbook: ") for line in done.stdout.split("\n") if line.startswith("playbook")] == names


@pytest.mark.repeats  # their text is in golden files; roles, whose tasks are compiled too, are linted by `make lint`
def test_ansible_lint_has_nothing_to_say(compiled: Path):
    """Of the cases, which have every form of a task, and of one recipe that we ship.

    They are joined: the linter starts Ansible for each file.
    """
    pytest.importorskip("ansiblelint")
    plays = [path.read_text().partition("---\n")[2] for path in sorted(compiled.glob("case_*.yml"))]
    joined = compiled / "joined" / "cases.yml"
    joined.parent.mkdir()
    joined.write_text("---\n" + "\n".join(plays))
    command = [sys.executable, "-m", "ansiblelint", "--profile", "production", "--offline", "--nocolor"]
    done = subprocess.run(
        [*command, "numbers.yml", "joined/cases.yml"],
        cwd=compiled,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr


MOST = 0.45  # seconds of CPU for a thousand steps: half of it is measured on an idle machine
LINEAR = 1.7  # an allowance for caches, and for neighbours on the machine


def recipe(number: int) -> bytes:
    """Steps with dependencies, references and keys, of one scriptlet whose key they all write."""
    return "".join(["test_meta: {test_id: MANY}\nsteps:\n", *steps(number)]).encode()


def steps(number: int) -> Iterator[str]:
    chance = random.Random(number)
    for n in range(number):
        near = [f"s{max(0, n - chance.randrange(1, 50))}" for _other in range(2)] if n else []
        yield (
            f"  - idx: {n}\n    name: s{n}\n    type: shell\n    module: t.limits\n"
            f"    args:\n      device: eth{n}\n      speed: 100\n"
            f"    depends_on: [{', '.join(sorted({*near}))}]\n"
            f"    reads: [of.s{max(0, n - chance.randrange(1, 50))}_v1]\n    writes: [of.s{n}_v1]\n"
            f"    timeout: 60\n    parallel: {'true' if n % 3 else 'false'}\n"
        )


def seconds(folder: Path, number: int) -> float:
    path = folder / f"{number}.yml"
    path.write_bytes(recipe(number))
    gc.collect()
    started = time.process_time()
    compile_to_file(str(path), Settings(runs=str(folder / "runs")))
    return time.process_time() - started


def test_time_to_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(PLANS)
    seconds(tmp_path, 10)
    thousand = min(seconds(tmp_path, 1000) for _other in range(3))
    assert thousand <= MOST
    assert min(seconds(tmp_path, 3000) for _other in range(2)) <= 3 * thousand * LINEAR
