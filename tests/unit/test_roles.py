# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks of a role with a recipe inside are those that the recipe compiles to, and its variables are documented."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rack_recipes.plan.compile.action_names import STAGE
from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.plan.compile.yaml_text import to_yaml
from rack_recipes.plan.plan_model import PlanOptions
from rack_recipes.settings import Settings
from role_tasks import tasks_of

ROOT = Path(__file__).resolve().parents[2]
HEAD = "---\n# Compiled from files/recipe.yml by tests/unit/test_roles.py --update: change the recipe, not this file.\n"

# The number of the first stage, another one in each role, so that a play may have several of them.
FIRST_STAGE = {"cabling": 101, "fabric_health": 201, "server_burn_in": 301, "acceptance": 401}
TITLES = {
    "cabling": "Compare the neighbours of each port with the cabling plan",
    "fabric_health": "Test ports, sessions, cables, routes and reach",
    "server_burn_in": "Test memory, cores and a disk under load",
}


def read(role: str, path: str) -> Any:
    return yaml.safe_load((ROOT / "roles" / role / path).read_text(encoding="utf-8"))


def title_of_parts(task: Mapping[str, Any]) -> str:
    """The name of a task of a role with several: the parts of the recipe that its steps are of."""
    return f"Test {', '.join(dict.fromkeys(step['name'].partition('.')[0] for step in task[STAGE]['steps']))}"


@pytest.mark.parametrize("role", FIRST_STAGE)
def test_the_tasks_are_those_of_the_recipe(role: str, golden: Callable[[Path, str], None], monkeypatch: Any):
    monkeypatch.chdir(ROOT)
    plan = plan_of(f"roles/{role}/files/recipe.yml", Settings(), PlanOptions())
    tasks = tasks_of(plan, FIRST_STAGE[role], lambda task: TITLES.get(role) or title_of_parts(task))
    first = tasks[0]["name"]
    text = to_yaml(tasks).replace(first, f"{first}  # noqa: ignore-errors", 1)  # the task behind it fails the hosts
    golden(ROOT / "roles" / role / "tasks" / "main.yml", HEAD + text)


@pytest.mark.parametrize("role", FIRST_STAGE)
def test_every_variable_is_documented_with_its_default(role: str):
    options = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = read(role, "defaults/main.yml")
    assert list(options) == list(defaults)
    fixed = {name: value for name, value in defaults.items() if not (isinstance(value, str) and "{{" in value)}
    assert {name: spec["default"] for name, spec in options.items() if "default" in spec} == fixed
    page = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in options)


OF_DELEGATE = re.compile(r"(?<![\w.])ansible_(?:connection|host|port|user|password|private_key_file|ssh_\w+)\b")


@pytest.mark.parametrize("role", FIRST_STAGE)
def test_where_a_task_is_delegated_its_steps_ask_for_what_their_own_host_has(role: str):
    for task in read(role, "tasks/main.yml"):
        for inner in task.get("block", [task]):
            named = OF_DELEGATE.findall(json.dumps(inner)) if "delegate_to" in inner else []
            assert not named, f"{inner['name']}: Ansible gives {named} of the delegate"
