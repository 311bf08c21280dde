# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Select the runs to prune: those that the options name, except those that are always kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.archive.pruning.run_index import IndexedRun, utc_text
from rack_recipes.errors import JournalError
from rack_recipes.journal.compressed_journal import is_compressed
from rack_recipes.run.run_folders import is_run_held
from rack_recipes.store.writing.import_journal import JournalImport

if TYPE_CHECKING:
    from sqlalchemy import Engine

STARTING = timedelta(hours=1)  # a folder without a journal may belong to a run that is starting
RUNNING = "running"  # the status in the store of a run whose end it does not have yet

Why = Callable[[IndexedRun], str]


@dataclass(frozen=True, slots=True)
class PruneRules:
    """Which runs to prune; a run is selected where any of the rules selects it.

    Runs that are older than `older_than`; all except the newest `keep`; the oldest, until the folders of all runs have
    at most `max_size` bytes. None for no such rule. A group is one run, as old as its newest part.
    """

    older_than: timedelta | None = None
    keep: int | None = None
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A selected run. `why` says which rule selected it, `kept` why it is kept all the same (empty where it goes)."""

    run: IndexedRun
    why: str
    kept: str = ""


def why_kept(run: IndexedRun, store: Engine, now: datetime, *, even_damaged: bool = False) -> str:
    """Why a run must be neither removed nor compressed, empty where it may be. Nothing else decides this.

    A journal with damaged lines is kept, since somebody may be able to repair them; `even_damaged` lets it go. Raises
    StoreError where the store cannot be read.
    """
    if run.pinned:
        return "pinned"
    if run.folder is None:
        return _why_without_folder(run)
    if is_run_held(run.folder):
        return "it still goes on, or another run goes on from it"
    if run.journal is None:
        return _why_without_journal(run, now)
    return _why_unstored(run, run.journal, store, even_damaged=even_damaged)


def _why_without_folder(run: IndexedRun) -> str:
    """The same for a run that the store alone has."""
    if run.status != RUNNING:
        return ""
    if run.run_id == run.group:
        return f"it has no end in the store: rack-recipes finish {run.run_id}"
    return "the store has no end of it, and its folder is not here"


def _why_without_journal(run: IndexedRun, now: datetime) -> str:
    """The same for a run without a journal here. Where the store has the run, its folder was only made for a report."""
    if run.status:
        return "the store has no end of it, and its journal is not here" if run.status == RUNNING else ""
    may_be_starting = run.started > utc_text(now - STARTING)
    return "it has no journal yet, and may be starting" if may_be_starting else ""


def _why_unstored(run: IndexedRun, journal: Path, store: Engine, *, even_damaged: bool) -> str:
    importing = JournalImport(store, journal)
    try:
        behind = importing.is_behind()
    except JournalError as error:
        return f"its journal cannot be read: {error}"
    if behind:
        return f"its results are not all in the store: rack-recipes flush {run.run_id}"
    if run.status == RUNNING:
        return f"it has no end in the store: rack-recipes flush {run.run_id}"
    if not importing.damaged or even_damaged:
        return ""
    names = f"rack-recipes flush {run.run_id} names them, prune --damaged lets it go"
    return f"its journal has damaged lines ({len(importing.damaged)}): {names}"


def select(
    runs: Sequence[IndexedRun], rules: PruneRules, protected: Why, now: datetime | None = None
) -> Iterator[Choice]:
    """The runs that the rules select among `runs`, which are sorted from the oldest to the newest.

    `protected` says why a selected run is kept; it is called for no other run. All parts of a group go together, or
    none of them does. A folder in which no run has begun counts neither for the number of runs nor for their size.
    """
    wholes = _wholes(runs)
    newer, total = sum(map(_has_begun, wholes)), sum(map(_counted_size, wholes))
    for parts in wholes:
        newer -= _has_begun(parts)
        if why := _why_selected(parts, newer, total, rules, now or datetime.now(UTC)):
            choices = _choices(parts, why, protected)
            total -= 0 if choices[0].kept else _counted_size(parts)
            yield from choices


def _wholes(runs: Sequence[IndexedRun]) -> list[list[IndexedRun]]:
    """The runs, those of a group together. A whole is as old as its newest part in which a run has begun."""
    found: dict[str, list[IndexedRun]] = {}
    newest: dict[str, int] = {}
    for place, run in enumerate(runs):
        found.setdefault(run.whole, []).append(run)
        if run.has_begun or run.whole not in newest:
            newest[run.whole] = place
    return sorted(found.values(), key=lambda parts: newest[parts[0].whole])


def _has_begun(parts: Sequence[IndexedRun]) -> bool:
    return any(run.has_begun for run in parts)


def _counted_size(parts: Sequence[IndexedRun]) -> int:
    return sum(run.size for run in parts if run.has_begun)


def _choices(parts: Sequence[IndexedRun], why: str, protected: Why) -> list[Choice]:
    """The parts of a whole, all of which are kept where one of them is."""
    kept = {run.run_id: protected(run) for run in parts}
    first = next((run_id for run_id, reason in kept.items() if reason), "")
    others = f"{first} of its group is kept: {kept[first]}" if first else ""
    return [Choice(run, why, kept[run.run_id] or others) for run in parts]


def _why_selected(parts: Sequence[IndexedRun], newer: int, total: int, rules: PruneRules, now: datetime) -> str:
    """Which rule selects a whole, empty for none. `newer` counts newer ones, `total` is the size of all in bytes."""
    started = max(run.started for run in parts)
    if rules.older_than is not None and started and started < utc_text(now - rules.older_than):
        return f"started {started[:19].replace('T', ' ')} UTC"
    if rules.keep is not None and newer >= rules.keep:
        return f"{newer} are newer"
    if rules.max_size is not None and _counted_size(parts) and total > rules.max_size:
        return "the folders are too large"
    return ""


def to_compress(runs: Sequence[IndexedRun], protected: Why) -> Iterator[Choice]:
    """The runs whose journal is not compressed yet. `protected` says why one is kept as it is."""
    for run in runs:
        if run.journal is not None and not is_compressed(run.journal):
            yield Choice(run, "its journal is plain", protected(run))
