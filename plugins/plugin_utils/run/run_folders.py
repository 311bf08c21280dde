# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of runs on the controller."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.compressed_journal import compressed
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.reader import JournalReader
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record_fields import Record
from ansible_collections.rack.recipes.plugins.plugin_utils.private_files import FILE_MODE

LOCK = "lock"


def journals(runs: Path) -> list[Path]:
    """The journals of all runs, the oldest first; a compressed one is named by its path before that."""
    names = (JOURNAL, compressed(Path(JOURNAL)).name)
    found = sorted({path.with_name(JOURNAL) for name in names for path in runs.glob(f"*/{name}")})
    return [path for _second, same in groupby(found, _second) for path in _by_start([*same])]


def _second(journal: Path) -> str:
    """The second of a run's start, as its id says."""
    return journal.parent.name.rpartition("-")[0] or journal.parent.name


def _by_start(journals: list[Path]) -> list[Path]:
    """Runs of the same second in the order of their records, which are read for these alone: there may be thousands."""
    return sorted(journals, key=_started) if len(journals) > 1 else journals


def _started(journal: Path) -> str:
    try:
        return str(run_record(journal).get("time", ""))
    except JournalError:  # an error is raised where this run is used
        return ""


def journal_of(runs: Path, start: str = "") -> Path:
    """The journal of the run whose id begins with `start`, of the newest without one.

    Raises UsageError for none and for several.
    """
    found = [path for path in journals(runs) if path.parent.name.startswith(start)]
    exact = [path for path in found if path.parent.name == start]
    if not found:
        raise UsageError(f"there is no run {start!r} in {runs}" if start else f"there are no runs in {runs}")
    if start and not exact and len(found) > 1:
        names = ", ".join(path.parent.name for path in found[:5])
        raise UsageError(f"{len(found)} runs begin with {start!r}: {names}")
    return exact[0] if exact else found[-1]


def parts_of(runs: Path, group: str) -> list[Path]:
    """The journals here of the parts of a group, the oldest first."""
    return [path for path in journals(runs) if (run_record(path).get("group") or {}).get("id") == group]


def run_record(journal: Path) -> Record:
    """The journal's run record, empty where there is none."""
    records: Iterator[Record | None] = map(itemgetter(2), JournalReader(journal).read())
    return next((record for record in records if record and record["kind"] == "run"), {})


def hold(folder: Path) -> None:
    """Lock the run for this process until it ends, however it ends. Raises UsageError where another one has it."""
    lock = _locked(folder)
    os.register_at_fork(after_in_child=lock.close)  # a worker may outlive this process, and must not keep the lock


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Lock the run for this process during the block. Raises UsageError where another one has it."""
    with _locked(folder):
        yield


def is_held(folder: Path) -> bool:
    """Whether a process has locked the run: it still goes on, or a run that resumes it does."""
    try:
        lock = (folder / LOCK).open("rb")
    except FileNotFoundError:
        return False
    with lock:
        return not _can_lock(lock)


def _locked(folder: Path) -> BinaryIO:
    lock = open(os.open(folder / LOCK, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE), "ab")  # noqa: PTH123, SIM115
    if not _can_lock(lock):
        lock.close()
        raise UsageError(f"run {folder.name} still goes on: its controller is alive")
    return lock


def _can_lock(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
