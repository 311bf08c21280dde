# SPDX-License-Identifier: GPL-3.0-or-later

"""The live bus of a stage.

Steps that use it get a way to the context server of the run, through a Unix socket that Ansible's SSH connection
forwards, for as long as the stage runs.

It is asked of Ansible's ControlMaster (`ssh -O forward`), which says whether it worked; no port is opened. On the host
the socket lies in a new folder of the user who logs in. sshd does not remove a socket whose connection has ended, so
each connection binds a fresh name, which then takes the place of the one before.

Where there is none, the steps are told why: only a step that uses the bus ends with an error.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError

from ansible_collections.rack.recipes.plugins.module_utils.live_client import ANSWER, ERROR, LiveError, Request, Wire
from rack_recipes.errors import RackError
from rack_recipes.run import server_address_and_pass
from rack_recipes.run.current_run import Run
from rack_recipes.run.host.host_request import Request as StageRequest
from rack_recipes.run.host.remote_executor import RemoteExecutor
from rack_recipes.run.server_address_and_pass import CONTROLLER, pass_of
from rack_recipes.run.stage.host_stage_request import StageTask

if TYPE_CHECKING:
    from ansible.plugins.action import ActionBase
    from ansible.plugins.connection import ConnectionBase

LIMIT = 20  # seconds for the ControlMaster to answer
MARK = "rack.recipes folder "
# /tmp, since the path of a socket may have 107 bytes only.
MAKE = f'umask 077; d=$(mktemp -d /tmp/rack-recipes.XXXXXXXXXX) && echo "{MARK}$d"'
NO_MASTER = (
    "this needs a ControlMaster, which Ansible's own ssh_args have (ControlMaster=auto, ControlPersist=60s): they are "
    "set to something else here"
)
REFUSED = (
    "the SSH server of this host does not forward Unix sockets: its sshd_config needs AllowStreamLocalForwarding yes, "
    "and the user's key no `restrict` ({})"
)
TRANSPORT = "the live bus goes through SSH or a local connection, and this host is reached by {}"
RunCommand = Callable[[str], dict[str, Any]]


class NoForward(RackError):
    """The host cannot be given the socket; the text says why."""


class SocketForward:
    """One forwarded socket. `run` runs a shell command on the host as the user who logs in, as Ansible does.

    `target` is the path of the socket on the controller. With `for_others` another user of the host may use it, too.
    """

    def __init__(self, connection: ConnectionBase, run: RunCommand, target: str, *, for_others: bool) -> None:
        self._connection = connection
        self._run = run
        self._target = target
        self._for_others = for_others
        self._folder = ""
        self._number = 0
        self._forwarded = ""

    @property
    def path(self) -> str:
        """Where the host finds the socket."""
        return f"{self._folder}/live"

    def open(self) -> None:
        """Make the socket. Raises NoForward, and AnsibleError where the host cannot be reached."""
        done = self._run(MAKE)
        self._folder = str(done["stdout"]).partition(MARK)[2].split("\n")[0].strip()
        if not self._folder:
            raise NoForward(f"no folder for the socket could be made in /tmp: {done['stderr'].strip()[:200]}")
        self.renew()

    def renew(self) -> None:
        """Make the socket for the connection of now, where the one before has ended. Raises as `open` does."""
        self._number += 1
        fresh = f"{self._folder}/{self._number}.sock"
        self._ask("forward", fresh)
        self._forwarded = fresh
        allowed = f"chmod 711 {self._folder} && chmod 666 {fresh} && " if self._for_others else ""
        done = self._run(f"{allowed}mv -f {fresh} {self.path}")
        if done["rc"]:
            raise NoForward(f"the socket cannot be put in its place: {done['stderr'].strip()[:200]}")

    def close(self) -> None:
        """End the forwarding, and remove what is left on the host, as far as it can be reached."""
        with suppress(RackError, AnsibleError):
            if self._forwarded:
                self._ask("cancel", self._forwarded)
        with suppress(RackError, AnsibleError):
            if self._folder:
                self._run(f"rm -rf {self._folder}")

    def _ask(self, what: str, path: str) -> None:
        """Tell the ControlMaster what to do. Raises NoForward."""
        words = self._command("-O", what, "-R", f"{path}:{self._target}")
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoForward(f"ssh -O {what}: {error}") from error
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
            raise NoForward(NO_MASTER if "ControlPath" in said or "Control socket" in said else REFUSED.format(said))

    def _command(self, *more: str) -> list[bytes]:
        """The command line of Ansible's ssh for this host, which names the ControlMaster, with these words more."""
        program = self._connection.get_option("ssh_executable")
        host = self._connection.get_option("host") or self._connection._play_context.remote_addr
        words: list[bytes] = self._connection._build_command(program, "ssh", *more, host)
        for number in getattr(self._connection, "sshpass_pipe", None) or ():  # it needs no password
            os.close(number)
        self._connection.sshpass_pipe = None
        return words[words.index(os.fsencode(program)) :]


def run_by(action: ActionBase, within_limits: Callable[[Callable[[], dict[str, Any]]], dict[str, Any]]) -> RunCommand:
    """The function that runs a command on the host of an action, as the user who logs in, by `within_limits`."""

    def run(command: str) -> dict[str, Any]:
        words = f"/bin/sh -c {shlex.quote(command)}"
        return within_limits(lambda: action._low_level_execute_command(words, sudoable=False))

    return run


START = 60.0  # seconds for the server of a run to start: the machine may be busy
TICK = 0.05
SHARED_FOLDER, SHARED_SOCKET = 0o711, 0o666  # for another user of this machine; the pass keeps all others out
NO_SERVER = (
    "no context server serves this run: start the run with `rack-recipes run --serve` (under ansible-playbook or AWX "
    "with the variable rack_recipes_serve: true), or begin `rack-recipes serve --run {}` before this step"
)
ENDED = "the context server of this run (process {}) does not answer: {}; begin `rack-recipes serve --run {}` again"
NOT_STARTED = "the context server of this run did not start within {:g} s: see server.log in the folder of run {}"


@contextmanager
def live_bus(task: StageTask, remote: RemoteExecutor, request: StageRequest) -> Iterator[None]:
    """Let the steps of a request reach the server of the run during the block, or know why they cannot."""
    forward: SocketForward | None = None
    try:
        place = _server_of(task.run, remote)
        _hide(place, request.message)
        path, forward = _way(task, remote, place)
        found = {"socket": path}
        _give(task, request.message, found, place)
    except (NoForward, AnsibleError, LiveError) as error:
        _give(task, request.message, {"error": task.run.hidden(" ".join(str(error).split()))}, None)
    try:
        yield
    finally:
        remote.returned = None
        if forward:
            forward.close()


def _server_of(run: Run, remote: RemoteExecutor) -> server_address_and_pass.StepSocket:
    """The server of the run; one that is starting is waited for. Raises NoForward."""
    until = time.monotonic() + START
    while (place := server_address_and_pass.read_server_address(run.folder)) is None:
        if not run.settings.serve:
            raise NoForward(NO_SERVER.format(run.run_id))
        if time.monotonic() > until:
            raise NoForward(NOT_STARTED.format(START, run.run_id))
        remote.wait(TICK)
    try:
        _ask(place, "", Request("GET", "/", {}))
    except LiveError as error:
        raise NoForward(ENDED.format(place.pid, error, run.run_id)) from error
    return place


def _hide(place: server_address_and_pass.StepSocket, message: Mapping[str, Any]) -> None:
    """Tell the server which secrets the steps know, so that it masks them. Raises LiveError."""
    parts = (message, *(message.get("hosts") or ()))
    texts = {text for part in parts for text in part.get("secrets") or ()}
    if texts:
        _ask(place, CONTROLLER, Request("PUT", "/secrets", {}, sorted(texts)))


def _ask(place: server_address_and_pass.StepSocket, host: str, request: Request) -> None:
    """Ask the server here, with the pass of a host. Raises LiveError."""
    with closing(Wire({"socket": place.path, "pass": pass_of(place.key_bytes, host)})) as wire:
        wire.ask(request, ANSWER, ERROR)


def _way(
    task: StageTask, remote: RemoteExecutor, place: server_address_and_pass.StepSocket
) -> tuple[str, SocketForward | None]:
    """The path of the socket on the host of the stage. Raises NoForward and AnsibleError."""
    action = task.first.action
    connection, for_others = action._connection, bool(action._is_become_unprivileged())
    if connection.transport == "local":
        if for_others:
            Path(place.path).chmod(SHARED_SOCKET)
            Path(place.path).parent.chmod(SHARED_FOLDER)
        return place.path, None
    if connection.transport != "ssh":
        raise NoForward(TRANSPORT.format(connection.transport))
    forward = SocketForward(connection, run_by(action, remote.within_limits), place.path, for_others=for_others)
    try:
        forward.open()
    except BaseException:
        forward.close()
        raise
    remote.returned = forward.renew
    return forward.path, forward


def _give(
    task: StageTask, message: dict[str, Any], found: Mapping[str, str], place: server_address_and_pass.StepSocket | None
) -> None:
    """Put into the message what the steps of each host need."""
    for part in message.get("hosts") or [message]:
        host = str(part.get("host", message.get("host", "")))
        part["live"] = {**found, "pass": pass_of(place.key_bytes, host)} if place else {**found}
