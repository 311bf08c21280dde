# SPDX-License-Identifier: GPL-3.0-or-later

"""The session with a network device, which a process of Ansible's keeps from task to task."""

from __future__ import annotations

from contextlib import suppress

from ansible.module_utils import connection
from ansible.plugins.action import ActionBase

from rack_recipes.run.host.host_answer import HostAnswer


def tell_session(action: ActionBase) -> str:
    """Tell Ansible of the session that it has opened for the task, so that it ends it after the play.

    It looks for it in the task's arguments, where its own modules put it. Returns the path of the session's socket;
    empty where there is no session.
    """
    socket = str(getattr(action._connection, "socket_path", None) or "")
    if socket:
        action._task.args["_ansible_socket"] = socket
    return socket


def end_lost_session(action: ActionBase, answer: HostAnswer) -> None:
    """End the session with a device that could not be reached: the next step opens a new one."""
    socket = tell_session(action)
    if socket and any(record.get("verdict") == "unreachable" for record in answer.records):
        with suppress(connection.ConnectionError):
            connection.Connection(socket).reset()
