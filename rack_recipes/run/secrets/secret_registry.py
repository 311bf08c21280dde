# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets of a run that only memory may hold: those that its steps register, and values that files have masked.

A secret that a step registers is hidden on all hosts, and is sent to each with its next stage. A secret of one host,
such as a password in its variables, is sent to that host alone, and is masked here as well.

The registry is an anonymous file in memory that is made before Ansible forks its workers. A worker appends what its
host has registered before the journal gets the records of the same answer. The recorder, and each worker that starts
later, reads it from there. It is gone with the run's last process. So a run that resumes this one does not know the
secrets, and runs the steps that registered them again.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import shared_log
from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.masking.secret_names import SHORTEST

Entry = Mapping[str, Any]

NAME = "rack-recipes-concealed"
BETWEEN = "\0"  # stands in no secret that a mask looks for, and between words that are looked through together
NOT_HIDDEN = (
    "{number} of the texts that {host} has registered as secret are shorter than {shortest} characters, or would hide "
    "words that the run itself shows, such as names of steps and hosts: only the stage that registered them hides them"
)
NOT_SHARED = (
    "what this stage has registered as secret is not known to other stages, which may show it: the controller's system "
    "has no anonymous files (memfd_create)"
)


class SecretRegistry:
    """The secrets that this process knows; with `shared`, also those that processes forked from it add later."""

    def __init__(self, *, shared: bool = False) -> None:
        self._secrets: dict[str, None] = {}
        self._of_hosts: dict[str, dict[str, None]] = defaultdict(dict)
        self._of_absent_hosts: dict[str, None] = {}
        self._values: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._file = _memory() if shared else -1
        self._read = 0
        self._mask = Mask(())
        self._mask_size = 0

    @property
    def is_shared(self) -> bool:
        """Whether other processes of the run learn what this one adds."""
        return self._file >= 0

    def add(self, host: str, entries: Iterable[Entry]) -> bool:
        """Add what a host has registered; returns whether any of it is new.

        An entry is `{"secret": text}`, or `{"key", "scope", "value", "shown"}` for a value that is written masked.
        """
        self.catch_up()
        placed = [{"host": host, **entry} for entry in entries]
        new = [entry for entry in placed if not self._has(entry)]
        for entry in new:
            self._store(entry)
        if new and self.is_shared:
            # One write: a worker that is killed meanwhile leaves part of a line, which readers pass over.
            os.write(self._file, b"".join(b"\n%b\n" % json.dumps(entry).encode() for entry in new))
        return bool(new)

    def hidden_by(self, entries: Iterable[Entry], words: Iterable[str]) -> list[Entry]:
        """The entries that may count on all hosts, although one host has registered them, which may register anything.

        A text that is too short does not, nor one that would hide one of the `words` that the run itself shows.
        """
        kept = [entry for entry in entries if len(entry.get("secret", " " * SHORTEST)) >= SHORTEST]
        harmful = _hiding([entry["secret"] for entry in kept if "secret" in entry and not self._has(entry)], words)
        return [entry for entry in kept if entry.get("secret") not in harmful]

    def hide(self, host: str, texts: Iterable[str]) -> None:
        """Add secrets of one host."""
        self.add(host, [{"own": text} for text in texts])

    def hide_of_absent(self, texts: Iterable[str]) -> None:
        """Add secrets of hosts that are not in the run; call it before workers are forked.

        A host of the run hides one only where its arguments show it, and no text here is masked by them: to make a mask
        of all secrets of an inventory may take longer than the run.
        """
        self._of_absent_hosts.update(dict.fromkeys(texts))

    def others_of(self, host: str) -> list[str]:
        """The secrets of other hosts, in the run or not, that are not secrets of this host as well."""
        own = {*self.secrets_for(host)}
        return [text for text in dict.fromkeys([*self.secrets_for(""), *self._of_absent_hosts]) if text not in own]

    def secrets_for(self, host: str, words: Iterable[str] = ()) -> list[str]:
        """What a host has to hide. The empty name stands for steps that run once for the run: they hide all secrets.

        What a step has registered does not count where it would hide one of the `words`.
        """
        self.catch_up()
        own = [self._of_hosts[host]] if host else [*self._of_hosts.values()]
        harmful = _hiding([*self._secrets], words)
        registered = [text for text in self._secrets if text not in harmful]
        return [*dict.fromkeys(text for texts in (registered, *own) for text in texts)]

    def catch_up(self) -> None:
        """Read what other processes have added to the file."""
        while self.is_shared and (data := os.pread(self._file, 1 << 20, self._read)):
            whole = data[: data.rfind(b"\n") + 1] or data + _rest(self._file, self._read + len(data))
            self._read += len(whole)
            for line in whole.split(b"\n"):
                if line and (entry := _parsed(line)):
                    self._store(entry)

    def _has(self, entry: Entry) -> bool:
        if "secret" in entry:
            return entry["secret"] in self._secrets
        if "own" in entry:
            return entry["own"] in self._of_hosts[entry["host"]]
        return self._values.get(_place(entry)) == (entry["shown"], entry["value"])

    def _store(self, entry: Entry) -> None:
        if "secret" in entry:
            self._secrets[entry["secret"]] = None
        elif "own" in entry:
            self._of_hosts[entry["host"]][entry["own"]] = None
        else:
            self._values[_place(entry)] = (entry["shown"], entry["value"])

    def hidden(self, text: str) -> str:
        """The text with all these secrets masked."""
        secrets = self.secrets_for("")
        if self._mask_size != len(secrets):
            self._mask, self._mask_size = Mask(secrets), len(secrets)
        return self._mask.mask(text)

    def reveal(self, host: str, held: dict[str, list[Any]]) -> bool:
        """Replace masked values in `held`, the context of a host or of the run, by the real ones.

        `held` has [version, value] by key and is changed. A key that was set anew since then stays as it is. Returns
        whether any value was replaced.
        """
        found = False
        for (place, key), (shown, value) in self._values.items():
            if place == host and key in held and held[key][1] == shown:
                held[key] = [held[key][0], value]
                found = True
        return found


def _hiding(texts: Sequence[str], words: Iterable[str]) -> set[str]:
    """Those of the texts that would hide a part of one of the words, in any of the forms that a mask finds."""
    shown = BETWEEN.join(words)
    if not texts or not Mask(texts).places(shown):
        return set()
    return {text for text in texts if Mask([text]).places(shown)}


def _place(entry: Entry) -> tuple[str, str]:
    return ("" if entry["scope"] == "run" else entry["host"]), entry["key"]


def _memory() -> int:
    """The descriptor of a file in memory, to whose end all processes write; -1 where the system has no such files."""
    return shared_log(NAME) if hasattr(os, "memfd_create") else -1


def _rest(file: int, start: int) -> bytes:
    """The end of a line that is longer than one read: the bytes from `start` on, up to its line end."""
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
