# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What --debug shows: the log records of a journal, a line each with run, step and host."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rack_recipes.cli.terminal.text_table import printable
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import log_record_lines


@dataclass
class Trace:
    """The log of a run, shown as it grows."""

    journal: JournalReader
    stream: TextIO
    run: str
    waiting: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, stream: TextIO) -> Trace:
        """The log of the run whose journal is at `path`, which need not be there yet."""
        return cls(JournalReader(path), stream, path.parent.name)

    def has_more(self) -> bool:
        """Read what the journal gained, and tell whether any of it is to be shown."""
        if self.journal.path.exists():
            for line in self.journal.read():
                if line.record is not None and line.record["kind"] == "log":
                    self.waiting += map(printable, log_record_lines(line.record, self.run))
        return bool(self.waiting)

    def show(self) -> None:
        """Write what was read."""
        self.stream.writelines(f"{line}\n" for line in self.waiting)
        self.stream.flush()
        self.waiting.clear()
