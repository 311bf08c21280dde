# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the hosts of a play take turns although its stages need them together.

Compiled recipes have plays of their own for such stages. A role stands in anyone's play.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ansible.errors import AnsibleError
from ansible.utils.helpers import pct_to_int

from rack_recipes.errors import UsageError
from rack_recipes.recipe.steps_to_and_from_data import dependencies
from rack_recipes.run.recorder.ansible_api import AnsibleApi
from rack_recipes.run.recorder.play_outline import PlayOutline, stage_tasks

FREE = ("free", "host_pinned")  # strategies of Ansible in which no host waits for another one


def check_turns(plays: Sequence[Any], found: PlayOutline, api: AnsibleApi) -> None:
    """Raise UsageError where a stage needs all hosts of its play, and the play does not run them together."""
    for play in plays:
        word = _turns(play, api)
        problem = next((why for task in stage_tasks(play) for why in _needs_all(task, found)), "") if word else ""
        if problem:
            raise UsageError(
                f"the play {play.get_name()!r} has `{word}`, so its hosts do not run together, but {problem}: take "
                f"`{word}` out of the play, or out of ansible.cfg"
            )


def _turns(play: Any, api: AnsibleApi) -> str:
    """By which keyword of a play its hosts do not run together; empty where they do."""
    is_free = str(play.strategy).rpartition(".")[2] in FREE
    hosts = len(api.resolve(play.hosts)) if is_free or play.serial else 0
    if is_free and hosts > 1:
        return f"strategy: {play.strategy}"
    return "serial" if play.serial and 0 < _first_batch(play.serial, hosts, api) < hosts else ""


def _first_batch(serial: Any, hosts: int, api: AnsibleApi) -> int:
    """How many hosts of a play run first. Ansible has not read `serial` yet where the play comes later."""
    try:
        sizes = api.fill(serial)
        size: int = pct_to_int(sizes[0] if isinstance(sizes, (list, tuple)) else sizes, hosts)
    except (AnsibleError, TypeError, ValueError):  # Ansible itself says what is wrong with it
        return hosts
    return size


def _needs_all(task: Any, found: PlayOutline) -> Iterator[str]:
    """Why steps of a stage need other hosts to have ended."""
    for step in task.args["steps"]:
        planned = found.steps[str(step["name"])]
        if planned.scope == "run":
            yield f"step {planned.name} runs once for all hosts (scope: run)"
        if planned.elsewhere:
            yield f"step {planned.name} reads keys of other hosts"
        yield from (
            f"step {planned.name} needs {need.label}"
            for need in dependencies(step)
            if need.is_wide and found.steps.get(need.step)
        )
