# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan -> playbook: the plans' own cases and cases/recipes/*.yml, each with its playbook in cases/playbooks/."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from ansible_collections.rack.recipes.plugins.plugin_utils.compile.playbook import DEFAULTS, to_playbook, to_plays
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.make import make_plan
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.model import Plan
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.load import load, parse
from ansible_collections.rack.recipes.plugins.plugin_utils.stage import request

CASES = Path(__file__).parent / "cases"
PLANS = Path(__file__).parents[1] / "plan" / "cases"
CHECKOUT = Path(__file__).resolve().parents[5]
RECIPES = sorted([*(CASES / "recipes").glob("*.yml"), *(PLANS / "good").glob("*.yml")])
GOLDEN = CASES / "playbooks"


@pytest.fixture(autouse=True)
def _in_the_plans_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PLANS)


def plan_of(recipe: Path) -> Plan:
    return make_plan(parse(recipe.read_bytes(), f"recipes/{recipe.name}"), (Path("scriptlets"),))


def small(text: str, path: str = "r.yml") -> Plan:
    return make_plan(parse(text.encode(), path), (Path("scriptlets"),))


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("recipe", RECIPES, ids=attrgetter("stem"))
def test_playbooks(recipe: Path, golden: Callable[[Path, str], None]):
    golden(GOLDEN / recipe.name, to_playbook(plan_of(recipe)))


def test_each_golden_file_has_its_recipe():
    assert {path.name for path in GOLDEN.glob("*")} == {path.name for path in RECIPES}


@pytest.mark.parametrize("recipe", RECIPES, ids=attrgetter("stem"))
def test_the_text_is_the_data_and_always_the_same(recipe: Path):
    plan = plan_of(recipe)
    text = to_playbook(plan)
    assert yaml.safe_load(text) == plain(to_plays(plan))
    assert to_playbook(plan_of(recipe)) == text


@pytest.mark.parametrize("recipe", RECIPES, ids=attrgetter("stem"))
def test_a_stage_task_says_all_of_its_steps(recipe: Path):
    plan = plan_of(recipe)
    tasks = to_plays(plan)[0]["tasks"]
    told = [{**DEFAULTS, **step} for task in tasks for step in task["rack.recipes.stage"]["steps"]]
    assert [step["name"] for step in told] == [planned.step.name for planned in plan.steps]
    for found, planned in zip(told, plan.steps, strict=True):
        step = planned.step
        names = (
            "idx",
            "type",
            "module",
            "function",
            "args",
            "hosts",
            "scope",
            "reads",
            "writes",
            "timeout",
            "parallel",
        )
        assert {name: found[name] for name in names} == {name: getattr(step, name) for name in names}
        assert (found["depends_on"], found["after"]) == (planned.depends_on, planned.after)
        assert found["retry"] == {"max": step.retry.max, "delay_sec": step.retry.delay_sec}
        assert found["success"].get("ctx_has_keys", ()) == step.success.ctx_has_keys


@pytest.mark.parametrize("recipe", RECIPES, ids=attrgetter("stem"))
def test_a_stage_is_one_task_tagged_with_its_steps(recipe: Path):
    plan = plan_of(recipe)
    tasks = to_plays(plan)[0]["tasks"]
    assert len(tasks) == len(plan.stages)
    for task, stage in zip(tasks, plan.stages, strict=True):
        assert task["tags"] == [planned.step.name for planned in stage.steps]
        assert task.get("delegate_to") == ("localhost" if stage.scope == "run" else None)
        assert len(task["name"]) <= 120


def test_the_stage_action_takes_the_same_for_what_is_not_said():
    assert {**request.DEFAULTS, "reads": ()} == DEFAULTS


def test_a_path_of_several_lines_stays_a_comment():
    text = to_playbook(
        small("test_meta: {test_id: T}\nsteps: [{name: a, type: shell, module: t.step}]", "a\n- evil: b.yml")
    )
    assert text.splitlines()[1] == "# 'a\\n- evil: b.yml'"
    assert yaml.safe_load(text)[0]["vars"]["rack_recipes_recipe"]["path"] == "a\n- evil: b.yml"


@pytest.mark.parametrize("pattern", ["all", "leafs:!spares", "it's", "a\\b'", "{{ target }}"])
def test_the_hosts_pattern_survives_its_template(pattern: str):
    text = f"test_meta: {{test_id: T}}\nhosts: {json.dumps(pattern)}\nsteps: [{{name: a, type: shell, module: t.step}}]"
    asked: list[str] = []
    template = jinja2.Template(to_plays(small(text))[2]["hosts"])
    template.render(query=lambda _lookup, hosts: asked.append(hosts))
    assert asked == [pattern]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the playbooks of what we ship, and of the awkward recipe."""
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(CHECKOUT)
        for recipe in sorted(Path("recipes").glob("*.yml")):
            (folder / recipe.name).write_text(to_playbook(make_plan(load(str(recipe)), (Path("scriptlets"),))))
    shutil.copy(GOLDEN / "awkward.yml", folder)
    return folder


def test_ansible_lint_has_nothing_to_say(compiled: Path):
    pytest.importorskip("ansiblelint")
    command = [sys.executable, "-m", "ansiblelint", "--profile", "production", "--offline", "--nocolor"]
    done = subprocess.run(
        [*command, *(path.name for path in compiled.glob("*.yml"))],
        cwd=compiled,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
