# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a plan to the playbook that runs it: three plays, run, close and verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.compile.text import to_yaml
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.model import Plan, PlannedStep, Stage
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Recipe

Pairs = Iterable[tuple[str, Any]]

# What a stage task takes for a step that does not say it.
DEFAULTS: Mapping[str, Any] = {
    "type": "python",
    "function": "",
    "args": {},
    "hosts": None,
    "scope": "host",
    "depends_on": (),
    "after": (),
    "reads": (),
    "writes": (),
    "retry": {"max": 1, "delay_sec": 0},
    "timeout": None,
    "parallel": False,
    "success": {},
}
_HEAD = """\
# Compiled by rack-recipes: change the recipe, not this file.
# {}
---
"""
ON_CONTROLLER = {"run_once": True, "delegate_to": "localhost"}
TITLE_LENGTH = 100


def to_playbook(plan: Plan) -> str:
    """The playbook's text. The same recipe and scriptlets give the same bytes."""
    return _HEAD.format(_comment(plan.recipe.path)) + "\n".join(to_yaml([play]) for play in to_plays(plan))


def to_plays(plan: Plan) -> tuple[dict[str, Any], ...]:
    """The playbook as data: its three plays."""
    return _run(plan), _close(plan.recipe), _verdict(plan.recipe)


def _comment(path: str) -> str:
    return path if path.isprintable() else ascii(path)


def _run(plan: Plan) -> dict[str, Any]:
    # The plan and not Ansible decides what a failed step blocks.
    return {
        **_play("Run", plan.recipe),
        "ignore_errors": True,
        "ignore_unreachable": True,
        "vars": {"rack_recipes_recipe": _about(plan.recipe)},
        "tasks": [_task(stage) for stage in plan.stages],
    }


def _close(recipe: Recipe) -> dict[str, Any]:
    flush = {"name": "Bring the results into the store", "rack.recipes.flush": {}, **ON_CONTROLLER, "tags": ["always"]}
    report = {
        "name": "Write the report",
        "ansible.builtin.include_role": {"name": "rack.recipes.report", "apply": {"tags": ["always"]}},
        "run_once": True,
        "when": "rack_recipes_report | default(false) | bool",
        "tags": ["always"],
    }
    return {**_play("Close", recipe), "ignore_errors": True, "ignore_unreachable": True, "tasks": [flush, report]}


def _verdict(recipe: Recipe) -> dict[str, Any]:
    """Only for the hosts that did not pass: a task costs a process a host."""
    fail = {"name": "Fail the host for its reasons", "rack.recipes.verdict": {}, "tags": ["always"]}
    play = _play("Verdict", recipe)
    hosts = f"{{{{ query('rack.recipes.not_passed', {_quoted(recipe.hosts)}) }}}}"
    return {**play, "name": f"{play['name']}, hosts that did not pass", "hosts": hosts, "tasks": [fail]}


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _play(what: str, recipe: Recipe) -> dict[str, Any]:
    return {"name": f"{what} {recipe.test_meta.test_id}", "hosts": recipe.hosts, "gather_facts": False}


def _about(recipe: Recipe) -> dict[str, Any]:
    meta = recipe.test_meta
    pairs = (
        ("path", recipe.path),
        ("digest", recipe.digest),
        ("test_id", meta.test_id),
        ("tester", meta.tester),
        ("description", meta.description),
    )
    return {name: value for name, value in pairs if value}


def _task(stage: Stage) -> dict[str, Any]:
    names = [planned.step.name for planned in stage.steps]
    return {
        "name": _title(stage.number, names),
        "rack.recipes.stage": {"number": stage.number, "steps": [_step(planned) for planned in stage.steps]},
        **(ON_CONTROLLER if stage.scope == "run" else {}),
        "tags": names,
    }


def _title(number: int, names: list[str]) -> str:
    title = f"Stage {number}, {', '.join(names)}"
    if len(title) <= TITLE_LENGTH:
        return title
    return f"Stage {number}, {len(names)} steps from {names[0]} to {names[-1]}"


def _step(planned: PlannedStep) -> dict[str, Any]:
    """What is said of a step: only what differs from the default."""
    return {name: value for name, value in _fields(planned) if name not in DEFAULTS or value != DEFAULTS[name]}


def _fields(planned: PlannedStep) -> Pairs:
    step = planned.step
    yield "name", step.name
    yield "idx", step.idx
    yield "type", step.type
    yield "module", step.module
    yield "function", step.function
    yield "args", dict(step.args)
    yield "hosts", step.hosts
    yield "scope", step.scope
    yield "depends_on", planned.depends_on
    yield "after", planned.after
    yield "reads", step.reads
    yield "writes", step.writes
    yield "retry", {"max": step.retry.max, "delay_sec": _number(step.retry.delay_sec)}
    yield "timeout", _number(step.timeout)
    yield "parallel", step.parallel
    yield "success", {"ctx_has_keys": step.success.ctx_has_keys} if step.success.ctx_has_keys else {}


def _number(value: float | None) -> float | None:
    """A whole number without its `.0`."""
    return int(value) if value is not None and value.is_integer() else value
