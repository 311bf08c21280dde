# SPDX-License-Identifier: GPL-3.0-or-later

"""Stops a run that goes on on this machine, as Ctrl-C does; its journal says who asked for it."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run.run_folders import LOCK, MIRROR, run_record

LOCKS = Path("/proc/locks")  # proc_locks(5): number, kind, ADVISORY, WRITE, process, device:inode, range
HELD = ["FLOCK", "ADVISORY", "WRITE"]
WHERE = "stop {} on the machine, and as the user, that runs it"
SERVED = "served"  # the field of the record of a run that is the context of a server


def stop_run(folder: Path, who: str) -> int:
    """Stop the run of a folder; returns its controller's process id.

    The journal gets a warning that says who asked for it. Raises UsageError for a run that does not go on here, whose
    controller belongs to another user, or that is the context of a server.
    """
    name = folder.name
    if run_record(folder / JOURNAL).get(SERVED):
        raise UsageError(f"run {name} is the context of a server: end `rack-recipes serve` itself")
    number = controller_of(folder)
    if number is None:
        if ended := _ended([folder]):
            raise UsageError(f"run {name} has ended ({ended}): there is nothing to stop")
        raise UsageError(f"run {name} does not go on here: {WHERE.format('it')}")
    try:
        controller = os.pidfd_open(number)
    except ProcessLookupError:
        raise UsageError(f"run {name} has just ended") from None
    try:
        if controller_of(folder) != number:
            raise UsageError(f"run {name} has just ended")
        told = {"kind": "warning", "time": now(), "text": f"{who} has stopped this run", "stopped_by": who}
        if not (folder / MIRROR).exists():  # the part's own controller says so there
            append(folder / JOURNAL, [told])
        signal.pidfd_send_signal(controller, signal.SIGTERM)
    finally:
        os.close(controller)
    return number


def stop_parts(group: str, folders: Sequence[Path], who: str) -> dict[str, int]:
    """Stop the parts of a group that go on here; returns their controllers' process ids by the names of their folders.

    Raises UsageError where none goes on here.
    """
    stopped: dict[str, int] = {}
    for folder in folders:
        with suppress(UsageError):  # it is over, or another user's
            stopped[folder.name] = stop_run(folder, who)
    if not stopped:
        ended = _ended(folders)
        raise UsageError(f"no part of run {group} goes on here{ended and f' ({ended})'}: {WHERE.format('each')}")
    return stopped


def _ended(folders: Sequence[Path]) -> str:
    """How runs have ended, as their journals say; empty where one does not say so."""
    ends = [next(JournalReader(folder / JOURNAL).records("end"), None) for folder in folders]
    return ", ".join(dict.fromkeys(str(end["status"]) for end in ends if end)) if all(ends) else ""


def controller_of(folder: Path) -> int | None:
    """The process that holds the run, as the kernel says; None where there is none, or none of this user's."""
    lock = (folder / LOCK).resolve()
    try:
        inode = str(lock.stat().st_ino)
    except OSError:
        return None
    return next((number for number in _holders(inode) if _has_open(number, lock)), None)


def _holders(inode: str) -> Iterator[int]:
    for line in LOCKS.read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[1:4] == HELD and words[5].rpartition(":")[2] == inode:
            yield int(words[4])


def _has_open(number: int, lock: Path) -> bool:
    """Whether a process has the lock's file open for writing: who only looks whether a run goes on reads it."""
    try:
        links = [*Path(f"/proc/{number}/fd").iterdir()]
    except OSError:  # it has ended, or is another user's
        return False
    return any(_writes(link, lock) for link in links)


def _writes(link: Path, lock: Path) -> bool:
    try:
        return link.readlink() == lock and bool(link.lstat().st_mode & stat.S_IWUSR)
    except FileNotFoundError:  # it was closed meanwhile
        return False
