# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a task of Ansible's for a host in this process, by the class that runs it in a worker of its own.

So the variables, the connection, become, the environment and the conditions of the host are Ansible's, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible.executor.process import worker
from ansible.executor.task_executor import TaskExecutor

from rack_recipes.run.run_secrets import PLAY_HOSTS

if TYPE_CHECKING:
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

try:
    from ansible._internal._task import TaskContext
except ImportError:  # a release with other private names keeps a process for each host
    TaskContext = None

OLD = ("host", "task", "job_vars", "play_context", "loader", "shared_loader_obj", "final_q", "variable_manager")
NEW = tuple(name for name in OLD if name not in ("task", "job_vars"))  # from ansible-core 2.21 on
# Variables that a strategy adds, and lists of all hosts, of which each host would else have its own copies.
OF_PLAY = ("ansible_current_hosts", "ansible_failed_hosts", *PLAY_HOSTS)


def can_run_tasks() -> bool:
    """Whether Ansible's class is one of those that are known here: its name and arguments are private."""
    names = tuple(signature(TaskExecutor).parameters)
    return TaskContext is not None and (names == OLD or (names == NEW and hasattr(TaskContext, "create")))


def task_runner(written: Any, play: Play, task_vars: Mapping[str, Any], hosts: Sequence[str]) -> Callable[[str], Any]:
    """A function that runs a task for a host, and returns its result, a mapping.

    `written` is the task as the playbook has it, `play` Ansible's copy of its play. To be called in the worker that
    Ansible has made for the first host, whose variables are `task_vars`.
    """
    me = worker.current_worker
    known = {name: task_vars[name] for name in OF_PLAY if name in task_vars}

    def run(name: str) -> Mapping[str, Any]:
        try:
            return prepared(name)
        except AnsibleError as error:  # the variables of one host concern no other
            return {"failed": True, "msg": str(error)}

    def prepared(name: str) -> Mapping[str, Any]:
        host = me._variable_manager._inventory.get_host(name)
        task = written.copy(exclude_parent=True, exclude_tasks=True)
        task._parent, task.args = written._parent, dict(me._task.args)
        variables = me._variable_manager.get_vars(
            play=play, host=host, task=task, _hosts=hosts, _hosts_all=task_vars["ansible_play_hosts_all"]
        )
        common = (me._play_context, me._loader, me._shared_loader_obj, me._final_q, me._variable_manager)
        return _result(host, task, {**variables, **known}, common)

    return run


def _result(host: Any, task: Task, variables: dict[str, object], common: tuple[Any, ...]) -> Mapping[str, Any]:
    if "task" in signature(TaskExecutor).parameters:
        with TaskContext(task):
            old: Mapping[str, Any] = TaskExecutor(host, task, variables, *common).run()
            return old
    with TaskContext.create(task=task, task_vars=variables, host_name=host.name):
        task.squash()
        new: Mapping[str, Any] = TaskExecutor(host, *common).run().as_result_dict()
        return new
