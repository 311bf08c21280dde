# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on a host for a stage: start it apart from the connection, wait a little, answer with its records.

The answer on stdout is a line that marks its start, the journal's bytes from the offset asked for, and a last line of
JSON: `{"state": ..., "offset": ..., "boot_id": ...}`. Asked to start a stage that is there, it answers for that one,
so a controller that lost an answer may simply ask again.
"""

from __future__ import annotations

import json
import os
import select
import sys

from ansible_collections.rack.recipes.plugins.module_utils.executor.detached import Detached
from ansible_collections.rack.recipes.plugins.module_utils.executor.folders import NoFolder, base_folder, clean
from ansible_collections.rack.recipes.plugins.module_utils.executor.launch import Launcher
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage import Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

MARK = "rack.recipes answer "


def main(arguments: bytes, payload: str) -> None:
    """Serve one request; `payload` is the path of the zip that this code came in."""
    request = json.loads(arguments)
    try:
        base = base_folder()
        detached = Detached(os.path.join(base, request["id"]))
        if "stage" in request and detached.create():
            _start(request, detached, base, payload)
        else:
            detached.await_end(request["attach"])
    except (NoFolder, OSError) as error:
        _answer(request, b"", {"state": "refused", "offset": request["offset"], "reason": str(error)})
        return
    state = detached.state()
    journal = detached.journal_from(request["offset"])
    _answer(request, journal, {"state": state, "offset": request["offset"] + len(journal)})


def _start(request: dict[str, Any], detached: Detached, base: str, payload: str) -> None:
    """Start the stage in a process of its own; come back once it ended, or after `attach` seconds."""
    _unpack(request["files"], payload, detached.work)
    ended, tell = os.pipe()
    if not os.fork():
        _run(request, detached, base, tell)
    os.close(tell)
    clean(base, request["collected"])
    select.select([ended], [], [], request["attach"])


def _run(request: dict[str, Any], detached: Detached, base: str, tell: int) -> NoReturn:
    try:
        _leave_connection()
        detached.begin()
        launcher = Launcher(request["run"], request["host"], detached.work, os.path.join(base, "programs"))
        Stage(request, launcher, detached.write, lambda: detached.leased(request["lease"])).run()
        detached.end()
        os.write(tell, b".")  # a daemon that a step left behind may hold this pipe, so its end alone says nothing
    except BrokenPipeError:
        pass
    finally:
        os._exit(0)


def _leave_connection() -> None:
    """sshd waits for whoever holds the streams of a session, and ends the session's processes at hang-up."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)


def _unpack(names: list[str], payload: str, work: str) -> None:
    """Write the files that travel with the stage; zipfile would cost 15 ms to import."""
    loader = sys.path_importer_cache.get(payload)
    for name in names:
        path = os.path.join(work, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "wb") as target:
            target.write(loader.get_data(os.path.join(payload, name)))  # type: ignore[union-attr]


def _answer(request: dict[str, Any], journal: bytes, status: dict[str, Any]) -> None:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
        status["boot_id"] = boot.read().strip()
    mark = "\n" + MARK + request["id"] + "\n"
    sys.stdout.buffer.write(mark.encode() + journal + b"\n" + json.dumps(status).encode() + b"\n")
    sys.stdout.flush()
