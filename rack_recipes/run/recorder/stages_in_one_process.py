# SPDX-License-Identifier: GPL-3.0-or-later

"""Which stages one process runs on all hosts, in place of one process for each host.

Ansible runs such a task once, in the worker of its first host (`run_once`), and `worker/stage_on_hosts.py` does the
rest. What asks for more of Ansible than that keeps a process for each host.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

from ansible.executor.task_queue_manager import TaskQueueManager

from rack_recipes.run.current_run import RUN_HOST, Run
from rack_recipes.run.recorder.ansible_api import AnsibleApi
from rack_recipes.run.recorder.play_outline import stage_tasks
from rack_recipes.run.stage.host_request import ANSIBLE
from rack_recipes.run.stage.host_threads import can_end_clients
from rack_recipes.run.stage.run_ansible_task import can_run_tasks

STRATEGIES = ("linear", "ansible.builtin.linear")
# Keywords of a task whose value is another for each host, or that limit the process of a host.
OF_EACH_HOST = (
    *("when", "loop", "until", "retries", "delegate_to", "throttle", "timeout", "async_val", "register"),
    *("failed_when", "changed_when"),
)
# Ansible fills these in for the task that it runs, on behalf of all hosts.
FILLED_IN = ("environment", "remote_user", "port", "become_user", "become_method", "become_flags", "become_exe")
# The others may wait without a process that can be ended.
CONNECTIONS = ("ssh", "local", "smart", "ansible.builtin.ssh", "ansible.builtin.local")


def run_in_one_process(run: Run, plays: Sequence[Any], api: AnsibleApi) -> Iterator[tuple[str, Any]]:
    """Have Ansible run the stages once that one process may run on all hosts.

    Returns the ids of their tasks, each with the task as the playbook has it. What Ansible itself runs asks nothing of
    the first host, whose variables may be wrong.
    """
    if not _may(run):
        return
    for play in plays:
        if play.strategy in STRATEGIES:
            for task in filter(lambda task: _may_once(run, task, api), stage_tasks(play)):
                as_written = task.copy(exclude_parent=True, exclude_tasks=True)
                as_written._parent = task._parent
                task.run_once, task.delegate_to, task.connection, task.become = True, "localhost", "local", False
                task.vars = {**task.vars, "ansible_become": False, "ansible_connection": "local"}
                yield task._uuid, as_written


def _may(run: Run) -> bool:
    """Whether the run may at all.

    `fail_fast` waits for some hosts before it starts others, and a group for its parts. Debugging shows each host's
    lines when it has ended.
    """
    settings = run.settings
    is_asked = settings.one_process_from and not (settings.debug or settings.log_level or settings.serve)
    return bool(is_asked and not run.inputs.recipe.get("fail_fast") and not run.meeting and can_run_tasks())


def _may_once(run: Run, task: Any, api: AnsibleApi) -> bool:
    number = int(task.args["number"])
    steps = task.args["steps"]
    hosts = {host for step in run.steps.values() if step.stage == number for host in step.hosts}
    is_plain = not task.run_once and task.ignore_errors and task.ignore_unreachable
    is_alike = not any(getattr(task, name, None) for name in OF_EACH_HOST) and not task._role and not _rescued(task)
    is_filled_in = any("{{" in str(getattr(task, name, "")) for name in FILLED_IN)
    names = {_connection(host, task, api) for host in hosts - {RUN_HOST}}
    is_ours = not any(step.get("type") == ANSIBLE for step in steps)
    is_large = len(hosts - {RUN_HOST}) >= run.settings.one_process_from
    can_wait = names <= {*CONNECTIONS} and can_end_clients()
    return bool(is_plain and is_alike and not is_filled_in and is_ours and is_large and can_wait)


def _rescued(task: Any) -> bool:
    """Whether a block around the task has tasks for its failure: these hosts stay in the play, but not in the block."""
    block = task._parent
    while block is not None:
        if getattr(block, "rescue", None):
            return True
        block = getattr(block, "_parent", None)
    return False


def _connection(host: str, task: Any, api: AnsibleApi) -> str:
    own = api.inventory.of(host) if api.inventory else {}
    return str(api.extra_vars.get("ansible_connection") or own.get("ansible_connection") or task.connection or "ssh")


class Recap:
    """Counts the hosts of such a task in Ansible's recap, where only its first one is counted by Ansible itself."""

    def __init__(self) -> None:
        """To be made in a callback: Ansible hands its statistics to callbacks only after it has shown them."""
        self._statistics: Any = None
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            if isinstance(found := frame.f_locals.get("self"), TaskQueueManager):
                self._statistics = getattr(found, "_stats", None)
            frame = frame.f_back

    def count(self, hosts: Sequence[str], *kinds: str) -> None:
        """Add one for each host to each of these columns."""
        with suppress(AttributeError, KeyError):  # a release that has other names shows fewer hosts
            for host in hosts:
                for kind in kinds:
                    self._statistics.increment(kind, host)
