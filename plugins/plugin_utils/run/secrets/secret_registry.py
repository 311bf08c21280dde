# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run knows and no file may hold: secrets that its steps register, and values that are written masked.

What a step registers concerns all hosts, and is sent to each with its next stage. What belongs to one host, such as a
password in its variables, is sent to that host alone; here it is masked all the same.

All of it is in an anonymous file in memory that is made before Ansible forks its workers. Each of these appends what
its host tells, before the records that belong to it reach the journal; the recorder, and each worker that starts later,
reads it from there. It is gone with the run's last process: a run that is resumed does not know it, and runs the steps
that registered it again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask

Entry = Mapping[str, Any]

NAME = "rack-recipes-concealed"
NOT_SHARED = (
    "what this stage has registered as secret is not known to other stages, which may show it: the controller's system "
    "has no anonymous files (memfd_create)"
)


class SecretRegistry:
    """What is concealed in this process, and with `shared` in those that are forked from it."""

    def __init__(self, *, shared: bool = False) -> None:
        self._secrets: dict[str, None] = {}
        self._own: dict[str, dict[str, None]] = defaultdict(dict)
        self._absent: dict[str, None] = {}
        self._values: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._file = _memory() if shared else -1
        self._read = 0
        self._mask = Mask(())
        self._masked = 0

    @property
    def is_shared(self) -> bool:
        """Whether other processes of the run learn what this one does."""
        return self._file >= 0

    def add(self, host: str, entries: Iterable[Entry]) -> bool:
        """Take what a host has told; whether any of it is new.

        An entry is `{"secret": text}`, or `{"key", "scope", "value", "shown"}` for a value that is written masked.
        """
        self.catch_up()
        placed = [{"host": host, **entry} for entry in entries]
        new = [entry for entry in placed if not self._has(entry)]
        for entry in new:
            self._take(entry)
        if new and self.is_shared:
            # One write, as to a journal: a worker that is killed in it leaves a stump that is passed over.
            os.write(self._file, b"".join(b"\n%b\n" % json.dumps(entry).encode() for entry in new))
        return bool(new)

    def hide(self, host: str, texts: Iterable[str]) -> None:
        """Take secrets of one host."""
        self.add(host, [{"own": text} for text in texts])

    def hide_of_absent(self, texts: Iterable[str]) -> None:
        """Take secrets of hosts that are not in the run, before others fork: they count once a host is given them.

        No text is masked by these: a mask of all that an inventory holds may take longer than the run.
        """
        self._absent.update(dict.fromkeys(texts))

    def others_of(self, host: str) -> list[str]:
        """The secrets that a host does not know: other hosts', in the run or not."""
        own = {*self.secrets_for(host)}
        return [text for text in dict.fromkeys([*self.secrets_for(""), *self._absent]) if text not in own]

    def secrets_for(self, host: str) -> list[str]:
        """What a host has to hide; the run's own host, with the empty name, sees what all others have."""
        self.catch_up()
        own = [self._own[host]] if host else [*self._own.values()]
        return [*dict.fromkeys(text for texts in (self._secrets, *own) for text in texts)]

    def catch_up(self) -> None:
        """Read what other processes have added."""
        while self.is_shared and (data := os.pread(self._file, 1 << 20, self._read)):
            whole = data[: data.rfind(b"\n") + 1] or data + _rest(self._file, self._read + len(data))
            self._read += len(whole)
            for line in whole.split(b"\n"):
                if line and (entry := _parsed(line)):
                    self._take(entry)

    def _has(self, entry: Entry) -> bool:
        if "secret" in entry:
            return entry["secret"] in self._secrets
        if "own" in entry:
            return entry["own"] in self._own[entry["host"]]
        return self._values.get(_place(entry)) == (entry["shown"], entry["value"])

    def _take(self, entry: Entry) -> None:
        if "secret" in entry:
            self._secrets[entry["secret"]] = None
        elif "own" in entry:
            self._own[entry["host"]][entry["own"]] = None
        else:
            self._values[_place(entry)] = (entry["shown"], entry["value"])

    def hidden(self, text: str) -> str:
        """A text without these secrets."""
        secrets = self.secrets_for("")
        if self._masked != len(secrets):
            self._mask, self._masked = Mask(secrets), len(secrets)
        return self._mask.mask(text)

    def reveal(self, host: str, held: dict[str, list[Any]]) -> bool:
        """Put in the values that are written masked of what a host's, or the run's, context holds; whether any was.

        One that was set anew since then stays as it is.
        """
        found = False
        for (place, key), (shown, value) in self._values.items():
            if place == host and key in held and held[key][1] == shown:
                held[key] = [held[key][0], value]
                found = True
        return found


def _place(entry: Entry) -> tuple[str, str]:
    return ("" if entry["scope"] == "run" else entry["host"]), entry["key"]


def _memory() -> int:
    """A file that has no name, and to whose end all processes write; -1 where the system has none."""
    if not hasattr(os, "memfd_create"):
        return -1
    file = os.memfd_create(NAME)
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
    return file


def _rest(file: int, start: int) -> bytes:
    """The end of a line of which more than one reading holds the beginning."""
    parts: list[bytes] = []
    while data := os.pread(file, 1 << 20, start):
        end = data.find(b"\n") + 1
        parts.append(data[:end] if end else data)
        start += len(parts[-1])
        if end:
            break
    return b"".join(parts)


def _parsed(line: bytes) -> Entry | None:
    try:
        found: Entry = json.loads(line)
    except ValueError:
        return None
    return found
