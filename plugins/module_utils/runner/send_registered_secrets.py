# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends the controller the secrets that a stage's steps have registered. No file on a disk may hold them.

The runner keeps them in an anonymous file in memory. Other processes of the same user find it among the runner's
descriptors, so the same question gets the same answer as long as the runner lives. After the stage's end the runner
stays until its folder was collected, or until the lease is over. If the runner is killed, or the host reboots, the
secrets are lost and never sent.

They are encrypted on their way with a key from the request, since Ansible shows a host's answers at -vvv.
"""

from __future__ import annotations

import json
import os
import time
from binascii import a2b_base64, b2a_base64

from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import shared_log, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    Entry = dict[str, Any]

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
        while self._has_entries() and os.path.exists(folder) and leased():
            time.sleep(LOOK)

    def _has_entries(self) -> bool:
        return self._file >= 0 and os.fstat(self._file).st_size > 0


def entries_of(pid: int) -> bytes:
    """The entries of the runner with process number `pid`; empty if it has none or has ended."""
    for path in _descriptors_of(pid) if pid else ():
        try:
            if os.readlink(path).startswith(f"/memfd:{NAME} "):
                with open(path, "rb") as file:
                    return file.read()
        except OSError:  # it was closed meanwhile
            continue
    return b""


def _descriptors_of(pid: int) -> list[str]:
    folder = f"/proc/{pid}/fd"
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)]
    except OSError:  # it has ended
        return []


def sealed(key: bytes, data: bytes) -> str:
    """Encrypt data with the key, as text. The result is different each time."""
    nonce = os.urandom(NONCE)
    return b2a_base64(nonce + _crossed(key, nonce, data), newline=False).decode()


def unsealed(key: bytes, text: str) -> list[Entry]:
    """The entries in a text that `sealed` made with the same key. Raises ValueError for anything else."""
    whole = a2b_base64(text)
    data = _crossed(key, whole[:NONCE], whole[NONCE:])
    return [json.loads(line) for line in data.splitlines()]


def _crossed(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """The data XORed with a stream of bytes made from key and nonce. A second call restores the data."""
    from ansible_collections.rack.recipes.plugins.module_utils.language.fingerprint import hmac

    blocks = range(-(-len(data) // BLOCK))
    stream = b"".join(hmac(key, nonce + block.to_bytes(8, "big")) for block in blocks)[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")
