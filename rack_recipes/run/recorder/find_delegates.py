# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the delegate of a stage for a host, as Ansible would for the host's own task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ansible.errors import AnsibleError

from rack_recipes.run.delegate_groups import FindDelegates, Variables
from rack_recipes.run.recorder.ansible_api import AnsibleApi
from rack_recipes.run.recorder.play_outline import stage_tasks
from rack_recipes.run.stage.request.bypass_ansible_templating import TEMPLATE_MARKS


def delegate_finder(plays: Iterable[Any], api: AnsibleApi) -> FindDelegates:
    """The function that finds delegates in these plays. It takes a millisecond for a host."""
    tasks = {int(task.args["number"]): (task, play) for play in plays for task in stage_tasks(play) if task.delegate_to}

    def find(number: int, hosts: Sequence[str]) -> Iterator[tuple[str, str, Variables]]:
        task, play = tasks[number]
        for host in hosts:
            variables = api.vars_of(host, play, hosts)
            yield host, _filled(api, task.delegate_to, variables), variables

    return find


def _filled(api: AnsibleApi, delegate_to: str, variables: Variables) -> str:
    """The name of the delegate; empty where it cannot be found, which the host's own task reports."""
    if not any(opening in delegate_to for opening in TEMPLATE_MARKS):
        return delegate_to
    try:
        found = api.fill(delegate_to, variables)
    except AnsibleError:
        return ""
    return str(found) if isinstance(found, str) else ""
