# SPDX-License-Identifier: GPL-3.0-or-later

"""Which run is served: one that the server began itself and goes on with, or a run that is named."""

from __future__ import annotations

import platform
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.context.merge_hooks import MergeHook, MergeHooks, load_hooks
from rack_recipes.context.merge_policies import to_record
from rack_recipes.errors import JournalError, UsageError
from rack_recipes.journal import compressed_journal
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import Record
from rack_recipes.journal.step_results_and_end_status import ENDED
from rack_recipes.private_files import make_private, sync_file_and_folders
from rack_recipes.run.processes import new_run_id, user_name
from rack_recipes.run.run_folders import hold_run_until_exit, is_run_held, journal_of, journals, run_record
from rack_recipes.settings import Settings
from rack_recipes.version import VERSION

SERVED = "served"  # the field of the run record that says that a server began the run
SHARED = "shared"  # and the one that says that its journal is a copy of a log of several servers
FOLDERS = 4  # that a server may have made, or in which it may have made one: run, runs, .rack-recipes, project


@dataclass(frozen=True, slots=True)
class ServedRun:
    """A run to serve. `hooks` is None where the run's own controller calls the merge hooks."""

    run_id: str
    journal: Path
    hooks: MergeHooks | None


def open_run(settings: Settings, start: str = "", *, new: bool = False) -> ServedRun:
    """The run whose id begins with `start`; without it, the newest that a server began, or else a new one.

    With `new` there is a new one in any case. Raises UsageError, CatalogError for a merge hook, JournalError.
    """
    runs = Path(settings.runs)
    journal = journal_of(runs, start) if start else None if new else _newest_served(runs)
    if journal and start and not run_record(journal).get(SERVED):
        return _joined(journal)
    if journal and run_record(journal).get(SHARED):
        raise UsageError(f"run {journal.parent.name} is a copy of what servers share in Valkey: serve it by --valkey")
    hooks = load_hooks(settings.merge, [Path(folder) for folder in settings.scriptlets])
    journal = journal or _new_journal(runs)
    if not compressed_journal.journal_exists(journal) or journal.exists():
        return _own(journal, settings, hooks)
    raise UsageError(f"run {journal.parent.name} is over and its journal compressed: serve --new begins another one")


def bring_to_disk(journal: Path) -> None:
    """Make sure that a journal survives a crash of the machine: its own file, and the folders that lead to it.

    Raises UsageError.
    """
    try:
        sync_file_and_folders(journal, FOLDERS)
    except OSError as error:
        raise UsageError(
            f"--durability fsync: {error.filename or journal} cannot be brought to the disk: {error.strerror}"
        ) from error


def _newest_served(runs: Path) -> Path | None:
    return next((path for path in reversed(journals(runs)) if path.exists() and _is_own(run_record(path))), None)


def _is_own(record: Record) -> bool:
    return bool(record.get(SERVED)) and not record.get(SHARED)


def _new_journal(runs: Path) -> Path:
    folder = runs / new_run_id()
    make_private(folder)
    return folder / JOURNAL


def _joined(journal: Path) -> ServedRun:
    """A run of a recipe. Its recorder writes to the same journal, and calls the merge hooks."""
    if not is_run_held(journal.parent):
        raise UsageError(f"run {journal.parent.name} is over: name one that goes on, or leave out --run")
    return ServedRun(journal.parent.name, journal, None)


def _own(journal: Path, settings: Settings, hooks: dict[str, MergeHook]) -> ServedRun:
    """A run of the server. Each start writes a run record again, as a run does that is resumed."""
    run_id = journal.parent.name
    try:
        hold_run_until_exit(journal.parent)
    except UsageError:
        raise UsageError(f"run {run_id} is served already: use that server, or begin another run with --new") from None
    append(journal, [first_record(run_id, settings, hooks)])
    return ServedRun(run_id, journal, MergeHooks(hooks) if hooks else None)


def end_served(journal: Path) -> None:
    """Record the end of a server in good order, where a server began the run; others may go on with a shared one."""
    if run_record(journal).get(SERVED):
        with suppress(JournalError):  # on a full disk; the next start goes on all the same
            append(journal, [{"kind": "end", "time": now(), "status": ENDED, "exit_code": 0, "counts": {}}])


def first_record(run_id: str, settings: Settings, hooks: dict[str, MergeHook]) -> Record:
    """The run record of a run that a server begins."""
    digests = {policy: hook.digest for policy, hook in hooks.items()}
    return {
        "kind": "run",
        "run": run_id,
        "time": now(),
        SERVED: True,
        "recipe": {},
        "hosts": [],
        "steps": [],
        "merge": to_record(settings.merge, digests),
        "controller": socket.gethostname(),
        "user": user_name(),
        "versions": {"rack.recipes": VERSION, "python": platform.python_version()},
    }
