# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chain over a journal: each line's digest is made of the line and of the digest before it.

Whoever has its head can tell that no line was changed, left out, added or moved.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record_fields import decode

START = sha256(b"rack-recipes journal").digest()
MOST_NAMED = 5  # damaged lines that are told one by one


class HashChain:
    """Takes a journal's lines in their order, each with its newline. `damaged` are numbers of lines, from 1."""

    def __init__(self) -> None:
        self.lines = 0
        self.records = 0
        self.set_aside = 0
        self.damaged: list[tuple[int, str]] = []
        self._head = START

    def take(self, line: bytes) -> None:
        """One more line."""
        self.lines += 1
        self._head = sha256(self._head + line).digest()
        if line == b"\n":
            return
        try:
            decode(line)
        except JournalError as error:
            self.set_aside += 1
            if len(self.damaged) < MOST_NAMED:
                self.damaged.append((self.lines, str(error)))
        else:
            self.records += 1

    def take_all(self, lines: Iterable[bytes]) -> None:
        """All of these lines."""
        for line in lines:
            self.take(line)

    def to_data(self) -> dict[str, Any]:
        """What a manifest says of a journal."""
        counts = {"lines": self.lines, "records": self.records, "set_aside": self.set_aside}
        return {**counts, "chain": f"sha256:{self._head.hex()}"}
