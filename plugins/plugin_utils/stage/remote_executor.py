# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The executor on one host, reached through the connection of an Ansible task."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.runner.secret_channel import unsealed
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.connection_errors import (
    OLDEST,
    TOO_OLD,
    is_lost,
    is_never_connected,
    is_untold,
    lost_by,
    refusal,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.host_answer import HostAnswer, read_answer
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.host_clock import ahead
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.payload.zip_payload import executor_code, pack
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.request import (
    Request,
    imports_installed,
    wait_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.worker_stop import (
    INTERRUPTED,
    Interrupted,
    Stopped,
    WorkerStop,
    at_most,
    end_clients,
)

# The code comes on stdin behind the message and is imported from memory: no second round trip. A host that has run the
# same executor before has kept it compiled, in a folder that nobody else can write to. While it is imported nothing is
# garbage, and once it has answered there is nothing to clean up: either would cost 2 ms of CPU.
BOOT = (
    "import gc,os,sys;gc.disable();"
    f"sys.version_info>=({OLDEST.replace('.', ',')}) or sys.exit({TOO_OLD!r}+sys.version.split()[0]);"
    "f=sys.stdin.buffer;n,m=map(int,f.readline().split());a=f.read(n);c=f.read(m);"
    "z=os.memfd_create('rack');os.write(z,c);p='/proc/self/fd/%d'%z;u=os.geteuid();b='/var/tmp/rack-recipes-%d'%u;"
    "d=b+'/code-DIGEST';s=os.path.isdir(d) and os.lstat(b);"
    "sys.path.insert(0,d if s and (s.st_mode,s.st_uid)==(0o40700,u) else p);"
    "from ansible_collections.rack.recipes.plugins.module_utils.runner.main import main;main(a,p);os._exit(0)"
)
WITHOUT_INSTALLED = "-S"  # a host's own packages, where no step may import them: 4 ms of CPU, 20 where there are many
POLL_WAIT = 10.0  # seconds that a poll may wait on the host for the stage's end
END_WAIT = 5.0  # seconds that a host may take to end its steps
END_LIMIT = 8.0  # seconds for telling it to, with all that comes of it
PAUSE = 1.0
USUAL_TMP = "~/.ansible/tmp"  # Ansible's own, too slow or too small for a stage where homes are shared
ALIVE = "-o ServerAliveInterval={interval} -o ServerAliveCountMax=3"
LONGEST_INTERVAL = 15  # seconds

T = TypeVar("T")


def boot(tmp: str = "") -> str:
    """The Python program that a host is given on its command line; `tmp` is where its user wants temporary files."""
    program = BOOT.replace("DIGEST", executor_code()[0])
    place = f"os.path.expandvars(os.path.expanduser({tmp!r}))+'/"
    return program.replace("'/var/tmp/", place) if tmp else program


def keep_alive(connection: Any, patience: float) -> None:
    """Let ssh notice a host that has gone without a word, as when its power is cut; where nobody has set that already.

    ssh waits for ever otherwise: it only reads, and nothing tells it that there is nobody any more.
    """
    if getattr(connection, "transport", "") != "ssh":
        return
    said = [str(connection.get_option(name) or "") for name in ("ssh_args", "ssh_common_args", "ssh_extra_args")]
    if not any("ServerAlive" in words for words in said):
        interval = max(1, min(LONGEST_INTERVAL, int(patience / 8)))
        connection.set_option("ssh_extra_args", f"{said[-1]} {ALIVE.format(interval=interval)}".strip())


class Unreachable(RackError):
    """The host could not be reached, or not any more."""

    exit_code = 3


class RemoteExecutor:
    """Asks the executor of the host that `action` runs for."""

    def __init__(
        self,
        action: ActionBase,
        task_vars: Mapping[str, Any],
        reconnect_timeout: float,
        stopping: WorkerStop | None = None,
        hide: Callable[[str], str] = str,
    ) -> None:
        self._hide = hide
        self._stopping = stopping or WorkerStop()
        self._is_asked = False
        self._action = action
        self._task_vars = task_vars
        self._delegate = action._task.delegate_to
        self._reconnect_timeout = reconnect_timeout
        self._parent = os.getppid()
        self._key = os.urandom(32)  # for what is only told sealed: Ansible shows an answer at -vvv
        self._connected = False
        self._has_answered = False
        self._gone = ""  # why the host was given up
        keep_alive(action._connection, reconnect_timeout)
        self.facts: dict[str, Any] = {}

    def stage(self, request: Request) -> Iterator[HostAnswer]:
        """Start a stage and follow it to its end, through lost connections; each answer has what is new.

        Raises Unreachable with the reason, RackError where the host is there and cannot do it. Where this worker is
        told to end, the host ends its steps; Interrupted is raised after the answer to that.
        """
        return self._follow(request.message, pack(request.files), request.message["lease"])

    def collect(self, stage: str, lease: float) -> Iterator[HostAnswer]:
        """What a stage that was started before has to tell; one that still runs is waited for. Raises Unreachable."""
        return self._follow({"id": stage, "offset": 0, "attach": wait_of(lease, POLL_WAIT)}, pack(()), lease)

    def pieces(self, stage: str, wanted: Sequence[tuple[str, int]]) -> HostAnswer:
        """Pieces of the artifacts of a stage, as many as one answer takes, each from the wanted offset on.

        Raises Unreachable, at once where the host was waited for before in vain.
        """
        if self._gone:
            raise Unreachable(self._gone)
        try:
            return self._insist({"id": stage, "offset": 0, "attach": 0, "artifacts": [*map(list, wanted)]}, pack(()))
        except Stopped as error:
            raise Interrupted(INTERRUPTED) from error

    def _follow(self, message: Mapping[str, Any], payload: bytes, lease: float) -> Iterator[HostAnswer]:
        offset = 0
        try:
            answer = self._insist(message, payload)
            boot_id = answer.boot_id
            yield answer
            while answer.state == "running":
                offset = answer.offset
                poll = {"id": message["id"], "offset": offset, "attach": wait_of(lease, POLL_WAIT)}
                answer = self._insist(poll, payload)
                if answer.state == "unknown" and answer.boot_id != boot_id:
                    answer = replace(answer, state="rebooted")  # and its temporary files are gone
                yield answer
        except Stopped:
            yield from self._end(message["id"], offset, payload)

    def _end(self, stage: str, offset: int, payload: bytes) -> Iterator[HostAnswer]:
        """Have the host end its steps; its answer has all that it had finished. Raises Interrupted behind that."""
        end_clients()
        until = time.monotonic() + END_LIMIT
        is_open = self._is_asked
        while is_open:
            message = {"id": stage, "offset": offset, "attach": END_WAIT, "end": INTERRUPTED}
            answer = self._told_to_end(message, payload)
            yield answer
            offset, is_open = answer.offset, answer.state == "running" and time.monotonic() < until
        raise Interrupted(INTERRUPTED)

    def _told_to_end(self, message: Mapping[str, Any], payload: bytes) -> HostAnswer:
        try:
            with at_most(END_LIMIT):
                return self._send(message, payload)
        except (AnsibleError, Stopped) as error:
            end_clients()
            why = " ".join(str(error).split()) or f"it did not answer within {END_LIMIT:g} s"
            raise Interrupted(f"{INTERRUPTED}, and its steps on this host end when their lease is up: {why}") from error

    def _insist(self, message: Mapping[str, Any], payload: bytes) -> HostAnswer:
        """Ask, and ask again while a host that was there is away: the same question gets the same answer."""
        deadline = 0.0
        lost = ""
        while True:
            try:
                answer = self._while_wanted(self._send, message, payload)
            except AnsibleError as error:
                reason = lost_by(error)
                refused = refusal(error, is_trusted=self._has_answered)
                if refused or not is_lost(error):
                    raise RackError(refused or reason) from error
                if isinstance(error, AnsibleAuthenticationFailure):  # each further one counts against the account
                    raise Unreachable(reason) from error
                untold = is_untold(reason)
                self._connected = self._connected or not (untold or is_never_connected(reason))
                lost = reason if not lost or is_untold(lost) else lost
                deadline = deadline or time.monotonic() + self._reconnect_timeout
                if not (self._connected or untold) or time.monotonic() >= deadline:
                    self._gone = self._why(lost)
                    raise Unreachable(self._gone) from error
                self._while_wanted(time.sleep, PAUSE)
            else:
                self._connected = self._has_answered = True
                return answer

    def _why(self, lost: str) -> str:
        return f"lost, and not back within {self._reconnect_timeout:g} s: {lost}" if self._connected else lost

    def wait(self, seconds: float) -> None:
        """Sleep, but not once nobody should wait any more. Raises Unreachable, and Interrupted."""
        try:
            self._while_wanted(time.sleep, seconds)
        except Stopped as error:
            raise Interrupted(INTERRUPTED) from error

    def halted(self) -> str:
        """Why this worker does not go on; empty where it does."""
        return INTERRUPTED if self._stopping.is_told else self._orphaned()

    def _orphaned(self) -> str:
        return "" if os.getppid() == self._parent else "the controlling process is gone"

    def _while_wanted(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do what may take long. Raises Stopped: who was told to end does that, also as an orphan."""
        return self._stopping.wait_for(lambda: self._unless_orphaned(work, *arguments))

    def _unless_orphaned(self, work: Callable[..., T], *arguments: Any) -> T:
        """A worker outlives a killed main process, and would renew the lease of the stage for ever."""
        if reason := self._orphaned():
            raise Unreachable(reason)
        return work(*arguments)

    def _send(self, message: Mapping[str, Any], payload: bytes) -> HostAnswer:
        tmp = self._tmp()
        more = {"seal": self._key.hex(), **({"tmp": tmp} if tmp else {})}
        text = json.dumps({**message, **more}).encode()
        data = b"%d %d\n%b%b" % (len(text), len(payload), text, payload)
        python = self._interpreter()
        options = "" if imports_installed(message) else f"{WITHOUT_INSTALLED} "
        command = f"{shlex.quote(python)} {options}-c {shlex.quote(boot(tmp))}"
        self._is_asked = True
        sent = time.time()
        done = self._action._low_level_execute_command(command, in_data=data)
        answer = read_answer(message["id"], done["rc"], done["stdout"], done["stderr"], python, self._hide)
        if answer.state == "cut":
            raise AnsibleConnectionFailure(answer.reason)
        if answer.clock:
            answer = replace(answer, ahead=ahead(answer.clock, sent, time.time()))
        return replace(answer, concealed=tuple(unsealed(self._key, answer.sealed))) if answer.sealed else answer

    def _tmp(self) -> str:
        """Where the user wants temporary files; empty for the usual places.

        Where becoming a user who may not go there, Ansible does not use it either.
        """
        said = str(self._action.get_shell_option("remote_tmp", default=USUAL_TMP) or USUAL_TMP)
        return "" if said == USUAL_TMP or self._action._is_become_unprivileged() else said

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
            self._without_files()
            pong = self._action._execute_module(module_name="ansible.builtin.ping", task_vars=self._task_vars)
            if pong.get("unreachable"):
                raise AnsibleConnectionFailure(str(pong.get("msg", "")))
            self.facts = facts = dict(pong.get("ansible_facts") or {})
        return str(facts.get("discovered_interpreter_python") or "/usr/bin/python3")

    def _without_files(self) -> None:
        """A full temporary folder of Ansible's must not keep it from finding Python."""
        connection = self._action._connection
        if getattr(connection, "has_pipelining", False):
            with suppress(AnsibleError, KeyError):  # some have no such option
                connection.set_option("pipelining", True)
