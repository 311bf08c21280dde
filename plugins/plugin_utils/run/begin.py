# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a compiled play to a run: its steps, its hosts, its folder, the first record of its journal."""

from __future__ import annotations

import getpass
import platform
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ansible.release
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.view import now
from ansible_collections.rack.recipes.plugins.plugin_utils.context.context import Context
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append, make_private
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.follow import Follower
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import RUN_HOST, Planned, Run
from ansible_collections.rack.recipes.plugins.plugin_utils.run.ids import chosen_run_id
from ansible_collections.rack.recipes.plugins.plugin_utils.settings import Settings
from ansible_collections.rack.recipes.plugins.plugin_utils.version import VERSION

STAGE = "rack.recipes.stage"

Resolve = Callable[[str], Sequence[str]]


def stage_tasks(play: Any) -> list[Any]:
    """The stage tasks of an Ansible play, in their order."""
    return [task for block in play.tasks for task in _tasks(block) if task.resolved_action == STAGE]


def _tasks(block: Any) -> Iterable[Any]:
    for item in block.block if hasattr(block, "block") else [block]:
        yield from _tasks(item) if hasattr(item, "block") else [item]


def begin(play: Any, settings: Settings, resolve: Resolve) -> Run:
    """Start the run of a play with stage tasks. `resolve` turns a pattern into the names of its hosts.

    Raises UsageError where the play matches no host, or a step none of them.
    """
    hosts = tuple(resolve(play.hosts))
    if not hosts:
        raise UsageError(f"no host matches {play.hosts!r} here, see the inventory and --limit")
    steps = _planned(stage_tasks(play), hosts, resolve)
    run_id = chosen_run_id()
    folder = Path(settings.runs) / run_id
    make_private(folder)
    context = Context(run_id)
    run = Run(run_id, folder, settings, hosts, steps, context, Follower(folder / "journal.jsonl"))
    append(run.path, [_first_record(run, play.vars.get("rack_recipes_recipe") or {})])
    return run


def _planned(tasks: Iterable[Any], hosts: tuple[str, ...], resolve: Resolve) -> dict[str, Planned]:
    found: dict[str, Planned] = {}
    for task in tasks:
        for step in task.args["steps"]:
            scope = str(step.get("scope", "host"))
            where = (RUN_HOST,) if scope == "run" else _narrowed(step, hosts, resolve)
            name = str(step["name"])
            found[name] = Planned(name, int(task.args["number"]), int(step.get("idx", 0)), scope, where)
    return found


def _narrowed(step: Mapping[str, Any], hosts: tuple[str, ...], resolve: Resolve) -> tuple[str, ...]:
    if not step.get("hosts"):
        return hosts
    named = frozenset(resolve(str(step["hosts"])))
    where = tuple(host for host in hosts if host in named)
    if not where:
        raise UsageError(f"step {step['name']}: no host of this run matches {str(step['hosts'])!r}")
    return where


def _first_record(run: Run, about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "run",
        "run": run.run_id,
        "time": now(),
        "recipe": transform_to_native_types(dict(about)),
        "hosts": list(run.hosts),
        "steps": [
            {
                "name": step.name,
                "stage": step.stage,
                "idx": step.idx,
                "scope": step.scope,
                "hosts": list(step.hosts),
            }
            for step in run.steps.values()
        ],
        "controller": socket.gethostname(),
        "user": getpass.getuser(),
        "versions": {
            "rack.recipes": VERSION,
            "ansible-core": ansible.release.__version__,
            "python": platform.python_version(),
        },
    }
