# SPDX-License-Identifier: GPL-3.0-or-later

"""How the steps of a run reach its context server.

The file `server.json` in the run's folder, which the server writes, and the pass that says for which host a step may
write.

The socket for steps lies in a folder of its own with a short path: a run's folder may lie too deep for a socket. A
server that is started again takes the same socket and the same key, so that steps that run go on.

Steps come through a socket that other users of a host might reach. So the server believes nothing but the pass.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from rack_recipes.private_files import FILE_MODE, FOLDER_MODE

FILE = "server.json"


@dataclass(frozen=True, slots=True)
class StepSocket:
    """The socket that steps use, the key of their passes (hexadecimal), and the process of the server."""

    path: str
    key: str
    pid: int

    @property
    def key_bytes(self) -> bytes:
        """The key of the passes."""
        return bytes.fromhex(self.key)


def read_server_address(run_folder: Path) -> StepSocket | None:
    """What the server of a run has written; None if there is none. The server may have been killed since."""
    try:
        data = json.loads((run_folder / FILE).read_bytes())
        return StepSocket(str(data["path"]), str(data["key"]), int(data["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make_step_socket(run_folder: Path) -> StepSocket:
    """A place for the socket of this process, and a key; those of a server before that was killed are used again."""
    before = read_server_address(run_folder)
    if before and Path(before.path).parent.is_dir():
        Path(before.path).parent.chmod(FOLDER_MODE)  # a run had to let another user of this machine in
        return StepSocket(before.path, before.key, os.getpid())
    folder = tempfile.mkdtemp(prefix="rack-recipes-")
    return StepSocket(f"{folder}/steps.sock", secrets.token_hex(32), os.getpid())


def write_server_address(run_folder: Path, place: StepSocket) -> None:
    """Write the file, whole or not at all."""
    draft = run_folder / f".{FILE}"
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(asdict(place), file)
    draft.replace(run_folder / FILE)


def remove_server_address(run_folder: Path, place: StepSocket) -> None:
    """Remove the file and the socket's folder, at the server's end."""
    if read_server_address(run_folder) == place:
        (run_folder / FILE).unlink(missing_ok=True)
    shutil.rmtree(Path(place.path).parent, ignore_errors=True)


HEADER = "Rack-Pass"
CONTROLLER = "/"  # for the controller's own requests; quoted, no host is called so


def pass_of(key: bytes, host: str) -> str:
    """The value of the header for steps of a host; `host` is empty for those of the run."""
    name = host if host == CONTROLLER else quote(host, safe="")
    return f"{name}:{hmac.new(key, name.encode(), 'sha256').hexdigest()}"


def host_of(key: bytes, given: str) -> str | None:
    """The host that a pass is for; None if it is no pass of this key."""
    host = unquote(given.rpartition(":")[0])
    return host if hmac.compare_digest(pass_of(key, host).encode(), given.encode()) else None
