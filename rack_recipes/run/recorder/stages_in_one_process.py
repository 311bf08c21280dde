# SPDX-License-Identifier: GPL-3.0-or-later

"""Which stages one process runs on all hosts, in place of one process for each host.

Ansible runs such a task once, in the worker of its first host (`run_once`), and `worker/stage_on_hosts.py` does the
rest. What asks for more of Ansible than that keeps a process for each host.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ansible import constants
from ansible.executor.task_queue_manager import TaskQueueManager

from rack_recipes.errors import RackError
from rack_recipes.plan.one_process import LIVE, MODULE, OF_EACH_HOST, TEMPLATE, why_in_no_stage
from rack_recipes.recipe.recipe_model import BETWEEN
from rack_recipes.run.current_run import RUN_HOST, Run
from rack_recipes.run.host.host_request import ANSIBLE, scriptlet_of
from rack_recipes.run.host.host_threads import can_end_clients
from rack_recipes.run.host.run_ansible_task import can_run_tasks
from rack_recipes.run.recorder.ansible_api import AnsibleApi
from rack_recipes.run.recorder.play_outline import parents, stage_tasks

if TYPE_CHECKING:
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

USUAL_INTERVAL, INTERVAL = 0.001, 0.005  # seconds between two looks of Ansible's main process
STRATEGIES = ("linear", "ansible.builtin.linear")
# Ansible fills these in for the task that it runs, on behalf of all hosts.
FILLED_IN = ("environment", "remote_user", "port", "become_user", "become_method", "become_flags", "become_exe")
# The others may wait without a process that can be ended.
CONNECTIONS = frozenset(("ssh", "local", "smart", "ansible.builtin.ssh", "ansible.builtin.local"))


@dataclass(frozen=True, slots=True)
class StageTask:
    """The task of a stage: its id, its number, on how many hosts it runs, and the task as the playbook has it.

    `why` says why it keeps a process for each host, empty where one process runs it on all.
    """

    id: str
    number: int
    hosts: int
    as_written: Any
    why: str

    def __str__(self) -> str:
        if self.why:
            return f"stage {self.number}: a process for each of {self.hosts} hosts, since {self.why}"
        return f"stage {self.number}: one process for {self.hosts} hosts"


def run_in_one_process(run: Run, plays: Sequence[Play], api: AnsibleApi) -> Iterator[StageTask]:
    """Have Ansible run the stages once that one process may run on all hosts; returns all that run on hosts.

    What Ansible itself runs asks nothing of the first host, whose variables may be wrong.
    """
    of_run = _why_in_no_stage(run)
    for play in plays:
        for task in filter(lambda task: not _is_between(task), stage_tasks(play)):
            number = int(task.args["number"])
            hosts = {host for step in run.steps.values() if step.stage == number for host in step.hosts} - {RUN_HOST}
            why = of_run or _why(run, play, task, hosts, api)
            as_written = task if why else _moved_here(task)
            if hosts:
                yield StageTask(task._uuid, number, len(hosts), as_written, why)


def look_less_often() -> None:
    """Have Ansible look two hundred times a second for the ends of tasks, unless the user has set how often.

    It looks a thousand times by default. While a stage lasts, that takes 2 to 4 % of a core, for nothing.
    """
    if constants.DEFAULT_INTERNAL_POLL_INTERVAL == USUAL_INTERVAL:
        constants.DEFAULT_INTERNAL_POLL_INTERVAL = INTERVAL


def run_between_hosts(plays: Sequence[Play]) -> Iterator[tuple[str, Any]]:
    """The ids of the tasks of stages between hosts, which one process always runs, each as the playbook has it."""
    for task in (task for play in plays for task in stage_tasks(play)):
        if _is_between(task):
            yield task._uuid, _moved_here(task)


def _is_between(task: Task) -> bool:
    return task.args["steps"][0].get("scope") in BETWEEN


def _moved_here(task: Task) -> Any:
    """The task as the playbook has it, which runs once and here from now on."""
    as_written = task.copy(exclude_parent=True, exclude_tasks=True)
    as_written._parent = task._parent
    task.run_once, task.delegate_to, task.connection, task.become = True, "localhost", "local", False
    task.vars = {**task.vars, "ansible_become": False, "ansible_connection": "local"}
    return as_written


def _why_in_no_stage(run: Run) -> str:
    if why := why_in_no_stage(run.settings, is_fail_fast=bool(run.inputs.recipe.get("fail_fast"))):
        return why
    if run.meeting:
        return "the run meets the other parts of its group"
    if not can_run_tasks():
        return "this release of Ansible has other names"
    return "" if can_end_clients() else "the system does not tell which processes a thread has started"


def _why(run: Run, play: Play, task: Task, hosts: set[str], api: AnsibleApi) -> str:
    """Why a stage keeps a process for each host; empty where one process may run it on all."""
    steps, least = task.args["steps"], run.settings.one_process_from
    folders = tuple(map(Path, run.settings.scriptlets))
    found: tuple[tuple[str, Callable[[], object]], ...] = (
        (f"these are fewer than {least}", lambda: len(hosts) < least),
        (f"the strategy is {play.strategy}", lambda: play.strategy not in STRATEGIES),
        ("its task has run_once", lambda: task.run_once),
        ("its task does not ignore errors", lambda: not (task.ignore_errors and task.ignore_unreachable)),
        *((text, partial(getattr, task, name, None)) for name, text in OF_EACH_HOST.items()),
        ("its task is in a role", lambda: task._role),
        # a host whose failure is handled stays in the play, but not in the block
        ("its block has rescue", lambda: any(getattr(parent, "rescue", None) for parent in parents(task))),
        *((TEMPLATE.format(name=name), partial(_is_template, task, name)) for name in FILLED_IN),
        (MODULE, lambda: any(step.get("type") == ANSIBLE for step in steps)),
        (LIVE, lambda: any(_is_live(step, folders) for step in steps)),
        (
            "a connection is no process of its own",
            lambda: {_connection(host, task, api) for host in hosts} - CONNECTIONS,
        ),
    )
    return next((text for text, holds in found if holds()), "")


def _is_template(task: Task, name: str) -> bool:
    return "{{" in str(getattr(task, name, ""))


def _is_live(step: Any, folders: tuple[Path, ...]) -> bool:
    with suppress(RackError):  # the stage of each host reports it
        return scriptlet_of(step, folders).live
    return False


def _connection(host: str, task: Task, api: AnsibleApi) -> str:
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

    def count(self, hosts: Iterable[str], kind: str) -> None:
        """Add one for each host to this column."""
        with suppress(AttributeError, KeyError):  # a release that has other names shows fewer hosts
            for host in hosts:
                self._statistics.increment(kind, host)

    def take_back(self, host: str, kind: str) -> None:
        """Take back what Ansible itself has counted for its first host."""
        with suppress(AttributeError, KeyError):
            self._statistics.decrement(kind, host)
