# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The executor on one host, reached through the connection of an Ansible task."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.answer import Answer, read_answer
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.payload import executor_code, pack
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request import Request, wait_of

# The code comes on stdin behind the message and is imported from memory: no second round trip. A host that has run the
# same executor before has kept it compiled, in a folder that nobody else can write to.
BOOT = (
    "import os,sys;f=sys.stdin.buffer;n,m=map(int,f.readline().split());a=f.read(n);c=f.read(m);"
    "z=os.memfd_create('rack');os.write(z,c);p='/proc/self/fd/%d'%z;u=os.geteuid();b='/var/tmp/rack-recipes-%d'%u;"
    "d=b+'/code-DIGEST';s=os.path.isdir(d) and os.lstat(b);"
    "sys.path.insert(0,d if s and (s.st_mode,s.st_uid)==(0o40700,u) else p);"
    "from ansible_collections.rack.recipes.plugins.module_utils.runner.main import main;main(a,p)"
)
POLL_WAIT = 10.0  # seconds that a poll may wait on the host for the stage's end
PAUSE = 1.0
NEVER_CONNECTED = ("connect to host", "resolve", "Permission denied", "verification failed", "No route", "Exchange")


def boot() -> str:
    """The Python program that a host is given on its command line."""
    return BOOT.replace("DIGEST", executor_code()[0])


class Unreachable(RackError):
    """The host could not be reached, or not any more."""

    exit_code = 3


class Remote:
    """Asks the executor of the host that `action` runs for."""

    def __init__(self, action: ActionBase, task_vars: Mapping[str, Any], reconnect_timeout: float) -> None:
        self._action = action
        self._task_vars = task_vars
        self._delegate = action._task.delegate_to
        self._reconnect_timeout = reconnect_timeout
        self._parent = os.getppid()
        self._connected = False
        self.facts: dict[str, Any] = {}

    def stage(self, request: Request) -> Iterator[Answer]:
        """Start a stage and follow it to its end, through lost connections; each answer has what is new.

        Raises Unreachable with the reason.
        """
        return self._follow(request.message, pack(request.files), request.message["lease"])

    def collect(self, stage: str, lease: float) -> Iterator[Answer]:
        """What a stage that was started before has to tell; one that still runs is waited for. Raises Unreachable."""
        return self._follow({"id": stage, "offset": 0, "attach": wait_of(lease, POLL_WAIT)}, pack(()), lease)

    def _follow(self, message: Mapping[str, Any], payload: bytes, lease: float) -> Iterator[Answer]:
        answer = self._insist(message, payload)
        yield answer
        while answer.state == "running":
            poll = {"id": message["id"], "offset": answer.offset, "attach": wait_of(lease, POLL_WAIT)}
            answer = self._insist(poll, payload)
            yield answer

    def _insist(self, message: Mapping[str, Any], payload: bytes) -> Answer:
        """Ask, and ask again while a host that was there is away: the same question gets the same answer."""
        deadline = 0.0
        lost = ""
        while True:
            try:
                answer = self._ask(message, payload)
            except AnsibleConnectionFailure as error:
                reason = " ".join(str(error).split())
                self._connected = self._connected or not any(text in reason for text in NEVER_CONNECTED)
                lost = lost or reason
                deadline = deadline or time.monotonic() + self._reconnect_timeout
                if not self._connected or time.monotonic() >= deadline:
                    raise Unreachable(self._why(lost)) from error
                self._stop_if_orphaned()
                time.sleep(PAUSE)
            else:
                self._connected = True
                return answer

    def _why(self, lost: str) -> str:
        return f"lost, and not back within {self._reconnect_timeout:g} s: {lost}" if self._connected else lost

    def _stop_if_orphaned(self) -> None:
        """A worker outlives a killed main process, and would renew the lease of the stage for ever."""
        if os.getppid() != self._parent:
            raise Unreachable("the controlling process is gone")

    def _ask(self, message: Mapping[str, Any], payload: bytes) -> Answer:
        self._stop_if_orphaned()
        text = json.dumps(message).encode()
        data = b"%d %d\n%b%b" % (len(text), len(payload), text, payload)
        python = shlex.quote(self._interpreter())
        done = self._action._low_level_execute_command(f"{python} -c {shlex.quote(boot())}", in_data=data)
        answer = read_answer(message["id"], done["rc"], done["stdout"], done["stderr"])
        if answer.state == "cut":
            raise AnsibleConnectionFailure(answer.reason)
        return answer

    def _interpreter(self) -> str:
        """The target's Python: as set, as known, or as Ansible finds it."""
        known = str(self._action._templar.template(self._host_vars().get("ansible_python_interpreter") or "auto"))
        if known.startswith("auto"):
            known = self._discovered()
        return known

    def _host_vars(self) -> Mapping[str, Any]:
        """The variables of the host that is really asked, which for a step of the run is the controller."""
        if not self._delegate:
            return self._task_vars
        delegated: Mapping[str, Any] = self._task_vars.get("ansible_delegated_vars", {}).get(self._delegate, {})
        return delegated

    def _discovered(self) -> str:
        facts: Mapping[str, Any] = {**(self._host_vars().get("ansible_facts") or {}), **self.facts}
        if "discovered_interpreter_python" not in facts:
            pong = self._action._execute_module(module_name="ansible.builtin.ping", task_vars=self._task_vars)
            if pong.get("unreachable"):
                raise AnsibleConnectionFailure(str(pong.get("msg", "")))
            self.facts = facts = dict(pong.get("ansible_facts") or {})
        return str(facts.get("discovered_interpreter_python") or "/usr/bin/python3")
