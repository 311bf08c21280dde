# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The live bus of a stage: steps that use it get a way to the context server of the run, for as long as the stage runs.

Where there is none, the steps are told why: only a step that uses the bus ends with an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.rack.recipes.plugins.module_utils.live_client import ANSWER, ERROR, LiveError, Request, Wire
from rack_recipes.run.current_run import Run
from rack_recipes.run.live import server_address_file
from rack_recipes.run.live.step_pass import CONTROLLER, pass_of
from rack_recipes.run.stage.remote_executor import RemoteExecutor
from rack_recipes.run.stage.request.request import Request as StageRequest
from rack_recipes.run.stage.socket_forward import TRANSPORT, NoForward, SocketForward, run_by
from rack_recipes.run.worker.host_stage_request import StageTask

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


def _server_of(run: Run, remote: RemoteExecutor) -> server_address_file.StepSocket:
    """The server of the run; one that is starting is waited for. Raises NoForward."""
    until = time.monotonic() + START
    while (place := server_address_file.find(run.folder)) is None:
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


def _hide(place: server_address_file.StepSocket, message: Mapping[str, Any]) -> None:
    """Tell the server which secrets the steps know, so that it masks them. Raises LiveError."""
    parts = (message, *(message.get("hosts") or ()))
    texts = {text for part in parts for text in part.get("secrets") or ()}
    if texts:
        _ask(place, CONTROLLER, Request("PUT", "/secrets", {}, sorted(texts)))


def _ask(place: server_address_file.StepSocket, host: str, request: Request) -> None:
    """Ask the server here, with the pass of a host. Raises LiveError."""
    with closing(Wire({"socket": place.path, "pass": pass_of(place.key_bytes, host)})) as wire:
        wire.ask(request, ANSWER, ERROR)


def _way(
    task: StageTask, remote: RemoteExecutor, place: server_address_file.StepSocket
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
    task: StageTask, message: dict[str, Any], found: Mapping[str, str], place: server_address_file.StepSocket | None
) -> None:
    """Put into the message what the steps of each host need."""
    for part in message.get("hosts") or [message]:
        host = str(part.get("host", message.get("host", "")))
        part["live"] = {**found, "pass": pass_of(place.key_bytes, host)} if place else {**found}
