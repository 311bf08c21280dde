# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the delegate of a stage for a host, as Ansible would for the host's own task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.rack.recipes.plugins.plugin_utils.run.delegate_groups import FindDelegate, Variables
from ansible_collections.rack.recipes.plugins.plugin_utils.run.recorder.ansible_api import AnsibleApi
from ansible_collections.rack.recipes.plugins.plugin_utils.run.recorder.play_outline import stage_tasks


def delegate_finder(plays: Iterable[Any], api: AnsibleApi) -> FindDelegate:
    """The function that finds delegates in these plays. It takes some milliseconds for a host."""
    tasks = {int(task.args["number"]): (task, play) for play in plays for task in stage_tasks(play) if task.delegate_to}

    def find(number: int, host: str) -> tuple[str, Variables]:
        task, play = tasks[number]
        variables = api.vars_of(host, play)
        try:
            delegate = api.fill(task.delegate_to, variables)
        except AnsibleError:  # the host's own task says so
            delegate = ""
        return (str(delegate) if isinstance(delegate, str) else ""), variables

    return find
