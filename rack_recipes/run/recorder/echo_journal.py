# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the journal as it grows in Ansible's output, for the command that has started this part of a run elsewhere.

ansible-runner brings that output to the command at once, and the run's folder only at the end. So the command knows
what has passed even if this controller dies, and a long stage is seen while it lasts. Where nothing is new, a line
without bytes says that this controller is alive: a connection may be lost without a word.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from rack_recipes.run.processes import ECHO, ECHOED

PAUSE = 1.0  # seconds between two looks at the journal
BEAT = 15  # looks without anything new, after which a line says so
AT_ONCE = 48 * 1024  # bytes


class JournalEcho:
    """Shows whole lines of a journal, each once, and from where in the file they are."""

    def __init__(self, path: Path, show: Callable[[str], object]) -> None:
        self._path = path
        self._show = show
        self._offset = 0
        self._is_over = Event()
        self._lock = Lock()
        Thread(target=self._follow, daemon=True).start()

    @classmethod
    def begin(cls, path: Path, show: Callable[[str], object]) -> JournalEcho | None:
        """Begin, where this run's environment asks for it."""
        return cls(path, show) if os.environ.pop(ECHO, "") else None

    def end(self) -> None:
        """Show what there is, and stop: nothing may write while Python ends."""
        self._is_over.set()
        self._catch_up()

    def _follow(self) -> None:
        quiet = 0
        while not self._is_over.wait(PAUSE):
            before = self._offset
            self._catch_up()
            quiet = 0 if self._offset > before else quiet + 1
            if quiet == BEAT:
                self._show(f"{ECHOED} {self._offset} ")
                quiet = 0

    def _catch_up(self) -> None:
        with self._lock, suppress(OSError), self._path.open("rb", buffering=0) as journal:
            while data := os.pread(journal.fileno(), AT_ONCE, self._offset):
                whole = data[: data.rfind(b"\n") + 1] or data[: AT_ONCE * (len(data) == AT_ONCE)]
                if not whole:
                    return
                self._show(f"{ECHOED} {self._offset} {base64.b64encode(whole).decode()}")
                self._offset += len(whole)
