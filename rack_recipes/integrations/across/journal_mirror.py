# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder here of a part that goes on elsewhere: its journal as it grows, and at the end all that belongs to it."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.archive.import_pack import place_returned
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader, has_ended
from rack_recipes.journal.record_fields import Record
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.run.missing_results_and_artifacts import FOLDER, transfer_record
from rack_recipes.run.processes import ECHOED
from rack_recipes.run.run_folders import ACROSS, MIRROR, hold_run
from rack_recipes.run.store_writer import end_abandoned_run

LOST = "it was on a controller that is gone"
LINE = re.compile(rf"^{ECHOED} (\d+) ([A-Za-z0-9+/=]+)\s*$")


class JournalMirror:
    """Held like a run of this machine while the part goes on, so that every command takes it for one.

    `resume` is the command that goes on with the part, for a time when this process may be gone.
    """

    def __init__(self, folder: Path, resume: str = "") -> None:
        self.folder = folder
        self._resume = resume
        self.journal = folder / JOURNAL
        self._hold = ExitStack()

    def take_event(self, event: Mapping[str, Any]) -> None:
        """Keep what an event of Ansible has of the journal in its output."""
        for line in str(event.get("stdout", "")).splitlines():
            if found := LINE.search(line):
                self._append(int(found[1]), base64.b64decode(found[2]))

    def _append(self, offset: int, data: bytes) -> None:
        """Append bytes of the journal, if they are those that come next."""
        if offset == 0 and not self.journal.exists():
            make_private(self.folder)
            (self.folder / MIRROR).touch(FILE_MODE)
            (self.folder / ACROSS).write_text(self._resume, encoding="utf-8")
            self._hold.enter_context(hold_run(self.folder))
        descriptor = os.open(self.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            if os.fstat(descriptor).st_size == offset:
                os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def complete(self, returned: Path) -> None:
        """The part is over: add the folders of runs that came back to those here. Without its own one, end the run.

        Raises UsageError for a folder that is not that of its run.
        """
        self._hold.close()
        try:
            for came in returned.glob("*"):  # also of a run that was resumed
                if (came / JOURNAL).exists():
                    make_private(self.folder.parent)
                    place_returned(came, self.folder.with_name(came.name))
        finally:
            self._end()

    def _end(self) -> None:
        if self.journal.exists() and not has_ended(self.journal):
            append(self.journal, [transfer_record(record, LOST) for record in self._lost()])
            end_abandoned_run(self.journal)
        (self.folder / MIRROR).unlink(missing_ok=True)

    def _lost(self) -> Iterator[Record]:
        """The artifacts whose files are on the controller alone."""
        for record in JournalReader(self.journal).records("artifact"):
            if not (self.folder / FOLDER / record["sha256"]).exists():
                yield record
