# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hash chain over a journal: the digest of each line is made of the digest of the line before and of the line.

The last digest proves that no line was changed, left out, added or moved.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from rack_recipes.errors import JournalError
from rack_recipes.journal.record_fields import decode

START = sha256(b"rack-recipes journal").digest()
MAX_NAMED = 5  # damaged lines that are reported one by one


class HashChain:
    """The chain over the lines that were added, and what they hold.

    `lines` counts all of them, `records` those that hold a record, and `set_aside` those that are damaged. `damaged`
    has the numbers of the first damaged lines, from 1, each with what is wrong with it.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.records = 0
        self.set_aside = 0
        self.damaged: list[tuple[int, str]] = []
        self._last = START

    def add(self, line: bytes) -> None:
        """Add the next line of the journal, with its newline."""
        self.lines += 1
        self._last = sha256(self._last + line).digest()
        if line == b"\n":
            return
        try:
            decode(line)
        except JournalError as error:
            self.set_aside += 1
            if len(self.damaged) < MAX_NAMED:
                self.damaged.append((self.lines, str(error)))
        else:
            self.records += 1

    def to_data(self) -> dict[str, Any]:
        """The entry of a manifest about a journal."""
        counts = {"lines": self.lines, "records": self.records, "set_aside": self.set_aside}
        return {**counts, "chain": f"sha256:{self._last.hex()}"}
