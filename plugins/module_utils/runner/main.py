# SPDX-License-Identifier: GPL-3.0-or-later

"""Serves one request on a host.

It starts a stage apart from the connection, waits a little, and answers with records, registered secrets or
artifacts.

The runner keeps registered secrets in an anonymous file in memory. Other processes of the same user find it among the
runner's descriptors, so the same question gets the same answer as long as the runner lives. After the stage's end the
runner stays until its folder was collected, or until the lease is over. If the runner is killed, or the host reboots,
the secrets are lost and never sent.

They are encrypted on their way with a key from the request, since Ansible shows a host's answers at -vvv.

The answer on stdout has three parts: a line that marks its start, whole records of the journal from the offset asked
for, and a last line of JSON: `{"state": ..., "offset": ..., "boot_id": ..., "clock": ...}`. `offset` is where the next
request goes on. `clock` holds the time here, and for how many seconds the request was here. `state` is `running` as
long as there is more to ask for.

A request to start a stage that exists already is answered for that stage. So a controller that has lost an answer may
simply ask again.

A request to `end` a stage has its steps ended first; its value is the reason. The answer is the same.

A request may have several `hosts` (`runner.hosts_of_delegate`). Then `lost` says, by host, why its process could not go
on.

Registered secrets are in the last line as `concealed`, encrypted with the key of the
request.

A request for artifacts of a stage that exists is answered with records of their pieces instead.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import select
import sys
import time
from binascii import a2b_base64, b2a_base64

from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import (
    FOLDER_MODE,
    shared_log,
    try_to,
    write_all,
)
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import encode
from ansible_collections.rack.recipes.plugins.module_utils.runner.detached_stage import (
    ARTIFACTS,
    SOON,
    DetachedStage,
    boot_id,
    remove_collected_stages,
    remove_old_stages,
)
from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import (
    PROGRAMS,
    add_payload,
    base_folder,
    cache_code,
    content_of,
    find_folder,
    use_cached,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Callable, NoReturn

    Entry = dict[str, Any]

LARGEST_ANSWER = 4 * 1024 * 1024  # bytes of artifacts in one answer


def read_artifact_pieces(folder: str, wanted: Iterable[tuple[str, int]]) -> bytes:
    """The records for `wanted`, pairs of an artifact's SHA-256 and the offset in bytes from which it is asked for.

    They hold about `LARGEST_ANSWER` bytes of artifacts at most; the first one is always answered. The record of a file
    that cannot be read has the reason in place of data.
    """
    room, records = LARGEST_ANSWER, []
    for digest, offset in wanted:
        if room <= 0:
            break
        record = {"kind": "piece", "sha256": digest, "offset": offset}
        try:
            with open(os.path.join(folder, digest), "rb") as file:
                file.seek(offset)
                data = file.read(room)
            room -= len(data)
            record["data"] = b2a_base64(data, newline=False).decode()
        except OSError as error:
            record["problem"] = str(error.strerror)
        records.append(encode(record))
    return b"".join(records)


NAME = "rack-recipes-secrets"
NONCE = 16  # bytes
BLOCK = 32  # bytes of a digest
LOOK = 0.5  # seconds between two looks at whether anybody may still ask


class SecretChannel:
    """The runner's side: entries, each a line of JSON, in a file in memory. The first entry creates the file."""

    def __init__(self) -> None:
        self._file = -1

    def open(self) -> None:
        """Create the file, so that processes that this one forks write into it too."""
        if self._file < 0:
            self._file = shared_log(NAME)

    def keep(self, entry: Entry) -> None:
        """Keep one more entry."""
        self.open()
        write_all(self._file, json.dumps(entry).encode() + b"\n")

    def linger(self, folder: str, leased: Callable[[], bool]) -> None:
        """Wait as long as somebody may ask: until the stage's folder is removed, or `leased` returns False."""
        while self._file >= 0 and os.fstat(self._file).st_size and os.path.exists(folder) and leased():
            time.sleep(LOOK)


def read_secret_entries(pid: int) -> bytes:
    """The entries of the runner with process number `pid`; empty if it has none or has ended."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder) if pid else []
    except OSError:  # it has ended
        return b""
    for name in names:
        try:
            if os.readlink(f"{folder}/{name}").startswith(f"/memfd:{NAME} "):
                with open(f"{folder}/{name}", "rb") as file:
                    return file.read()
        except OSError:  # it was closed meanwhile
            continue
    return b""


def encrypt_entries(key: bytes, data: bytes) -> str:
    """Encrypt data with the key, as text. The result is different each time."""
    nonce = os.urandom(NONCE)
    return b2a_base64(nonce + _crossed(key, nonce, data), newline=False).decode()


def decrypt_entries(key: bytes, text: str) -> list[Entry]:
    """The entries in a text that `encrypt_entries` made with the same key. Raises ValueError for anything else."""
    whole = a2b_base64(text)
    data = _crossed(key, whole[:NONCE], whole[NONCE:])
    return [json.loads(line) for line in data.splitlines()]


def _crossed(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """The data XORed with a stream of bytes made from key and nonce. A second call restores the data."""
    from ansible_collections.rack.recipes.plugins.module_utils.language.fingerprint import hmac

    blocks = range(-(-len(data) // BLOCK))
    stream = b"".join(hmac(key, nonce + block.to_bytes(8, "big")) for block in blocks)[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")


MARK = "rack.recipes answer "
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
RENEWAL = 1.0  # seconds between two renewals of the lease while the controller waits


def main(arguments: bytes, payload: str) -> None:
    """Serve one request, given as JSON. `payload` is the path of the zip file in which this code came."""
    request = json.loads(arguments)
    request["arrived"] = time.monotonic()
    add_payload(payload)
    try:
        state, records, reason = _serve(request, payload)
    except OSError as error:
        if error.errno == errno.ENOMEM:  # the controller names lack of memory as the cause, wherever it was met
            raise
        state, records, reason = "refused", b"", str(error)
    clock = [round(time.time(), 6), round(time.monotonic() - request["arrived"], 6)]
    offset = request["offset"] + len(records)
    status = {"state": state, "offset": offset, "boot_id": boot_id().decode(), "clock": clock}
    if reason:
        status["reason"] = reason
    status.update(_added(request, state))
    head = f"\n{MARK}{request['id']}\n".encode()
    sys.stdout.buffer.write(head + records + b"\n" + json.dumps(status).encode() + b"\n")
    sys.stdout.flush()


def _serve(request: dict[str, Any], payload: str) -> tuple[str, bytes, str]:
    """The stage's state, its new records, and the reason if this host cannot run the stage."""
    folder = find_folder(request["id"], request.get("tmp", ""))
    if folder is None and not {"stage", "end"} & request.keys():
        return "unknown", b"", ""
    if folder and "artifacts" in request:
        detached = DetachedStage(folder)
        return detached.state(), read_artifact_pieces(detached.path(ARTIFACTS), request["artifacts"]), ""
    detached, is_new = (DetachedStage(folder), False) if folder else _created(request)
    if is_new and "end" not in request:
        _start(request, detached, payload)
    else:
        if "end" in request:
            detached.halt(request["end"], begun=not is_new)
        detached.await_end(request["attach"], request["offset"], soon=soon_of(request))
    return _look_at(detached, request["offset"])


def _added(request: dict[str, Any], state: str) -> dict[str, Any]:
    """What is not in the journal: the registered secrets, encrypted, and of a stage for many hosts why some were lost.

    Secrets are read after the records that they belong to.
    """
    folder = find_folder(request["id"], request.get("tmp", ""))
    if folder is None:
        return {}
    detached = DetachedStage(folder)
    data = read_secret_entries(detached.pid()) if "seal" in request else b""
    lost = detached.lost() if state == "ended" else {}
    return {
        **({"concealed": encrypt_entries(bytes.fromhex(request["seal"]), data)} if data else {}),
        **({"lost": lost} if lost else {}),
    }


def _created(request: dict[str, Any]) -> tuple[DetachedStage, bool]:
    """Create the stage's folder. Returns the stage, and False if another process has created the folder just before."""
    made: list[bool] = []
    base = base_folder(
        request.get("tmp", ""), lambda base: made.append(DetachedStage(os.path.join(base, request["id"])).create())
    )
    return DetachedStage(os.path.join(base, request["id"])), made[-1]


def _look_at(detached: DetachedStage, offset: int) -> tuple[str, bytes, str]:
    state, reason = detached.state(), detached.failure()  # before the journal, which is whole once the stage ended
    if state == "killed":
        detached.end_leftovers()
    records, more = detached.journal_from(offset)
    if more:
        return "running", records, ""
    if state == "killed" and not reason:
        return state, records, detached.starved()
    return "refused" if reason else state, records, reason


def _start(request: dict[str, Any], detached: DetachedStage, payload: str) -> None:
    """Start the stage in a process of its own. Returns once it has ended, or after `attach` seconds.

    Where an answer is wanted `soon`, it returns once there is something to tell.
    """
    told, tell = os.pipe()
    if not os.fork():
        _run(request, detached, payload, tell)
    os.close(tell)
    soon, until = request.get("soon"), time.monotonic() + request["attach"]
    pause = min(soon_of(request) if soon else RENEWAL, request["lease"] / 3)
    while not select.select([told], [], [], max(0.0, min(pause, until - time.monotonic())))[0]:
        if time.monotonic() >= until or (soon and detached.gained(request["offset"])):
            return
        detached.renew()


def soon_of(request: dict[str, Any]) -> float:
    """For how many seconds an answer with something to tell is held back at most; 0 where it waits for the end."""
    soon = request.get("soon") or 0
    return SOON if soon is True else float(soon)


def _run(request: dict[str, Any], detached: DetachedStage, payload: str, tell: int) -> NoReturn:
    """The runner: a process that goes on after the connection has closed. Never returns."""
    base, memory = os.path.dirname(detached.folder), SecretChannel()
    try:
        _leave_connection()
        try:
            detached.begin()
            _run_stage(request, detached, payload, memory)
            detached.end()
        except BaseException as error:
            detached.fail(_described(error, base))
        _tell_end(tell)
        # Nobody waits any more. If the code cannot be kept, such as on a full disk, the next stage compiles it again.
        try:
            remove_collected_stages(base, request["collected"])
            remove_old_stages(base)
            cache_code(base, payload, request["code"]["digest"], request["code"]["files"])
        finally:
            memory.linger(detached.folder, lambda: detached.leased(request["lease"]))
    finally:
        os._exit(0)


def _run_stage(request: dict[str, Any], detached: DetachedStage, payload: str, memory: SecretChannel) -> None:
    use_cached()
    # Imported here, since a request that only polls does not need them.
    from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import StageRun

    sys.path[:] = filter(None, sys.path)  # the working folder holds files of the project, whatever their names
    programs = os.path.join(os.path.dirname(detached.folder), PROGRAMS)

    def run(one: dict[str, Any], work: str, alive: Callable[[], bool]) -> None:
        """Run the steps of one host in the folder `work`, as long as `alive` says so."""
        _unpack(one["files"], payload, work)
        os.chdir(work)
        launcher = Launcher(one, work, programs, detached.path(ARTIFACTS))
        whose = {"host": one["host"]} if "hosts" in request else {}
        launcher.secrets.send = lambda entry: memory.keep({**whose, **entry})
        stage_run = StageRun(one, launcher, detached.write, alive, detached.halted)
        if "hosts" in request and not alive():  # this host had to wait for others
            stage_run.give_up()
        stage_run.run()

    if "hosts" in request:
        memory.open()
        _run_hosts(request, detached, payload, run)
    else:
        _freeze()
        run(request, detached.work, lambda: detached.leased(request["lease"]))


def _run_hosts(request: dict[str, Any], detached: DetachedStage, payload: str, run: Callable[..., None]) -> None:
    """Run the steps of many hosts, for which this machine is the delegate."""
    from ansible_collections.rack.recipes.plugins.module_utils.runner.hosts_of_delegate import Workers, import_once

    base, runner = os.path.dirname(detached.folder), os.getpid()

    def alive() -> bool:
        return os.getppid() == runner and detached.leased(request["lease"])

    def run_one(one: dict[str, object], work: str) -> None:
        detached.number_anew()
        run(one, work, alive)
        detached.finish_journal()

    import_once(request, payload)
    detached.leased(request["lease"])  # what it imports and notes at first is imported and noted once
    _freeze()
    detached.put_lost(Workers(request, detached.work, run_one, lambda error: _described(error, base)).run())


def _freeze() -> None:
    gc.freeze()  # imported modules stay; garbage collection was off while they were imported
    gc.enable()


def _leave_connection() -> None:
    """Give up the connection's session and streams.

    sshd waits for every process that holds the streams, and ends the session's processes when the connection closes.
    """
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)


def _unpack(names: list[str], payload: str, work: str) -> None:
    """Write the files that came with the stage. This does without `zipfile`, which costs 15 ms to import."""
    for name in names:
        path = os.path.join(work, name)
        os.makedirs(os.path.dirname(path), mode=FOLDER_MODE, exist_ok=True)
        with open(path, "wb") as target:
            target.write(content_of(payload, name))


def _tell_end(tell: int) -> None:
    """Say that the stage has ended. Closing the pipe is not enough: a daemon that a step left may hold it open."""
    try_to(os.write, tell, b".")  # unless nobody waits any more


def _described(error: BaseException, base: str) -> str:
    """The error and its place in the code, since nobody sees a traceback of this process."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return f"the temporary folder {base} is full"
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" ({os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno})" if place else ""
    return f"{type(error).__name__}: {error}{where}"
