# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of a run, read from its journal, and the line on a terminal that shows it."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from ansible_collections.rack.recipes.plugins.module_utils.context_values import few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.plugin_utils.context.run_context import Context
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.compressed_journal import exists
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.reader import JournalReader
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.step_results import Results

MOST_NAMED = 3  # of the hosts that the run waits for


@dataclass
class Progress:
    """What the journal says so far: `about` is its run record, `end` its end record, `context` knows refused writes."""

    journal: JournalReader
    context: Context = field(default_factory=Context)
    about: Mapping[str, Any] = field(default_factory=dict)
    end: Mapping[str, Any] = field(default_factory=dict)
    results: Results = field(default_factory=Results)
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, path: Path) -> Progress:
        """The progress of the run whose journal is at `path`, which need not be there yet."""
        return cls(JournalReader(path))

    def catch_up(self) -> None:
        """Read what was appended to the journal."""
        if not exists(self.journal.path):
            return
        for line in self.journal.read():
            record = line.record
            if record is None:
                continue
            self.context.fold(record)
            if record["kind"] == "step":
                self.results.add(self.context.refusals.final_record(record))
            elif record["kind"] == "run":
                self.about = record
            elif record["kind"] == "end":
                self.end = record

    def line(self) -> str:
        """A line for a terminal: the stage, the steps and hosts that are done, failures, the hosts that are awaited."""
        steps = self.about.get("steps", ())
        planned = [(step["stage"], step["name"], host) for step in steps for host in step["hosts"]]
        unfinished = [place for place in planned if place[1:] not in self.results.ended]
        if not planned:
            return "starting"
        stages = max(stage for stage, _step, _host in planned)
        stage = min((stage for stage, _step, _host in unfinished), default=stages)
        awaited = list(dict.fromkeys(host for number, _step, host in unfinished if number == stage and host))
        hosts = len({host for _stage, _step, host in planned if host})
        waiting = len({host for _stage, _step, host in unfinished if host})
        parts = [
            f"stage {stage} of {stages}",
            f"{len(planned) - len(unfinished)} of {len(planned)} steps",
            f"{hosts - waiting} of {hosts} hosts done",
            self._failures(),
            f"waiting for {few(awaited, MOST_NAMED)}" if awaited else "",
            f"{time.monotonic() - self.started:.0f} s",
        ]
        return "  ".join(filter(None, parts))

    def _failures(self) -> str:
        counts = Counter(end.verdict for _place, end in self.results.counted() if end.verdict not in PASSING)
        return ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))


class StatusLine:
    """A line that is replaced in place; nothing is shown where the stream is not a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.shown = stream.isatty()

    def draw(self, text: str) -> None:
        """Replace the line."""
        self._write(text)

    def clear(self) -> None:
        """Leave the line empty."""
        self._write("")

    def _write(self, text: str) -> None:
        """Write the text in place of the line. Once the terminal is gone, nothing more is written."""
        if not self.shown:
            return
        try:
            self._stream.write(f"\r\x1b[K{text[: _columns(self._stream) - 1]}")
            self._stream.flush()
        except OSError:
            self.shown = False


def _columns(stream: TextIO) -> int:
    return os.get_terminal_size(stream.fileno()).columns or 80
