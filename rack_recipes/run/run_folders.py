# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of runs on the controller."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.errors import JournalError, UsageError, nearest
from rack_recipes.journal.compressed_journal import compressed_path
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import Record
from rack_recipes.private_files import FILE_MODE, try_lock
from rack_recipes.run_names import NEWEST, choose_run, runs_back

LOCK = "lock"
MIRROR = "mirror"  # a file in the folder of a part that goes on on another controller, which writes its journal
ACROSS = "across"  # a file in the folder of a part that another controller runs: the command that goes on with it
BEGUN = "begun"  # the folder with copies of what a run began with
RECIPES, PLAYBOOK, HOSTS, SCRIPTLETS = "recipe", "playbook.yml", "hosts.json", "scriptlets.json"


class FoundRun(NamedTuple):
    """A run, or the parts of a group that are on this machine: the id of either, and the journals, the oldest first."""

    run_id: str
    journals: list[Path]
    is_group: bool = False


def journals(runs: Path) -> list[Path]:
    """The journals of all runs, the oldest first; a compressed one is named by its path before that."""
    names = (JOURNAL, compressed_path(Path(JOURNAL)).name)
    found = sorted({path.with_name(JOURNAL) for name in names for path in runs.glob(f"*/{name}")})
    seconds = ([*same] for _second, same in groupby(found, _second))
    # Only where several have begun in one second are their records read: there may be thousands of runs.
    return [path for same in seconds for path in (sorted(same, key=_started) if len(same) > 1 else same)]


def _second(journal: Path) -> str:
    """The second of a run's start, as its id says."""
    return journal.parent.name.rpartition("-")[0] or journal.parent.name


def _started(journal: Path) -> str:
    try:
        return str(run_record(journal).get("time", ""))
    except JournalError:  # an error is raised where this run is used
        return ""


def journal_of(runs: Path, start: str = "") -> Path:
    """The journal of the run that `start` names (`run_names`), of the newest without one.

    Raises UsageError for none and for several, and for a group, whose parts have journals of their own.
    """
    found = {path.parent.name: path for path in reversed(journals(runs))}
    name = choose_run(start, [*found], str(runs))
    if name is None:
        raise UsageError(_no_run(runs, start))
    return found[name]


def find_run(runs: Path, start: str = "") -> FoundRun:
    """The run or group here whose id begins with `start`, the newest run without one. Raises UsageError for none.

    A run whose id begins so comes before a group, unless `start` is the whole id of the group.
    """
    found = find_here(runs, start)
    if found is None:
        raise UsageError(_no_run(runs, start) if start else f"there are no runs in {runs}")
    return found


def find_here(runs: Path, start: str = "") -> FoundRun | None:
    """The same; None where neither a run nor a group begins so. Raises UsageError for several."""
    names, by_age = [path.parent.name for path in journals(runs)], runs_back(start) is not None
    known = {} if by_age or start in names else parts_by_group(runs)
    is_run = bool(names) if by_age else any(name.startswith(start) for name in names)
    groups = [start] if start in known else [] if is_run else [name for name in known if name.startswith(start)]
    if group := choose_run(start, groups, str(runs)) if groups else None:
        return FoundRun(group, known[group], is_group=True)
    if not is_run:
        return None
    journal = journal_of(runs, start)
    return FoundRun(journal.parent.name, [journal])


def parts_by_group(runs: Path) -> dict[str, list[Path]]:
    """The journals here of the parts of each group, the oldest first. One that is damaged is left out."""
    found: dict[str, list[Path]] = {}
    for path in journals(runs):
        if group := group_of(path):
            found.setdefault(group, []).append(path)
    return found


def group_of(journal: Path) -> str:
    """The id of the group that a run is a part of; empty where it is none, or its journal is damaged."""
    try:
        return group_in(run_record(journal))
    except JournalError:
        return ""


def group_in(record: Record) -> str:
    """The id of the group that the run of this record is a part of; empty where it is none."""
    group = record.get("group")
    return str(group.get("id") or "") if isinstance(group, Mapping) else ""


def _no_run(runs: Path, start: str) -> str:
    """That there is no such run here, and what to give instead."""
    known = parts_by_group(runs)
    if start in known:
        names = ", ".join(path.parent.name for path in known[start])
        return f"{start} is a run in several parts, each with a journal of its own: give the id of a part: {names}"
    near = nearest(start, [*known, NEWEST])
    return f"there is no run {start!r} in {runs}" + (f" (did you mean {near!r}?)" if near else "")


def resume_of_part(folder: Path) -> str:
    """The command that goes on with a part of a run on several controllers; empty for any other run."""
    try:
        return (folder / ACROSS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def run_record(journal: Path) -> Record:
    """The journal's run record, empty where there is none."""
    return next(JournalReader(journal).records("run"), {})


def hold_run_until_exit(folder: Path) -> None:
    """Lock the run for this process until it ends, however it ends. Raises UsageError where another one has it."""
    lock = _locked(folder)
    os.register_at_fork(after_in_child=lock.close)  # a worker may outlive this process, and must not keep the lock


@contextmanager
def hold_run(folder: Path) -> Iterator[None]:
    """Lock the run for this process during the block. Raises UsageError where another one has it."""
    with _locked(folder):
        yield


def is_run_held(folder: Path) -> bool:
    """Whether a process has locked the run: it still goes on, or a run that resumes it does."""
    try:
        lock = (folder / LOCK).open("rb")
    except FileNotFoundError:
        return False
    with lock:
        return not try_lock(lock)


def _locked(folder: Path) -> BinaryIO:
    lock = open(os.open(folder / LOCK, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE), "ab")  # noqa: PTH123, SIM115
    if not try_lock(lock):
        lock.close()
        raise UsageError(f"run {folder.name} still goes on: its controller is alive")
    return lock
