# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which runs are pruned: what was asked for, and what is never removed, whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.archive.pruning.run_index import IndexedRun, written
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.compressed_journal import is_compressed
from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_folders import is_held
from ansible_collections.rack.recipes.plugins.plugin_utils.store.writing.import_journal import JournalImport

if TYPE_CHECKING:
    from sqlalchemy import Engine

YOUNG = timedelta(hours=1)  # a folder that has no journal yet may belong to a run that is starting
RUNNING = "running"  # the status of a run in the store until its end is there

Why = Callable[[IndexedRun], str]


@dataclass(frozen=True, slots=True)
class PruneRules:
    """What is asked for: runs older than this, all but so many, until the folders have at most so many bytes."""

    older_than: timedelta | None = None
    keep: int | None = None
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A run that is asked for: `why`, and why it is `kept` in spite of it, empty where it goes."""

    run: IndexedRun
    why: str
    kept: str = ""


def why_kept(run: IndexedRun, store: Engine, now: datetime, *, even_damaged: bool = False) -> str:
    """Why a run may be neither removed nor compressed, empty where it may: the one place where this is decided.

    With `even_damaged` one may whose journal has damaged lines: what they told may be put right by hand as long as they
    are there.
    Raises StoreError where the store cannot be asked.
    """
    if run.pinned:
        return "pinned"
    if run.folder is None:
        return "the store has no end of it, and its folder is not here" if run.status == RUNNING else ""
    if is_held(run.folder):
        return "it still goes on, or another run goes on from it"
    if run.journal is None:
        return _why_without_journal(run, now)
    return _why_unstored(run, run.journal, store, even_damaged=even_damaged)


def _why_without_journal(run: IndexedRun, now: datetime) -> str:
    """A folder that was made again, as by a report, is that of a run which the store knows."""
    if run.status:
        return "the store has no end of it, and its journal is not here" if run.status == RUNNING else ""
    is_young = run.started > written(now - YOUNG)
    return "it has no journal yet, and may be starting" if is_young else ""


def _why_unstored(run: IndexedRun, journal: Path, store: Engine, *, even_damaged: bool) -> str:
    following = JournalImport(store, journal)
    try:
        behind = following.is_behind()
    except JournalError as error:
        return f"its journal cannot be read: {error}"
    if behind:
        return f"its results are not all in the store: rack-recipes flush {run.run_id}"
    if run.status == RUNNING:
        return f"it has no end in the store: rack-recipes flush {run.run_id}"
    if not following.damaged or even_damaged:
        return ""
    names = f"rack-recipes flush {run.run_id} names them, prune --damaged lets it go"
    return f"its journal has damaged lines ({len(following.damaged)}): {names}"


def chosen(
    runs: Sequence[IndexedRun], wish: PruneRules, protected: Why, now: datetime | None = None
) -> Iterator[Choice]:
    """The runs that are asked for, of `runs` from the oldest to the newest; `protected` tells why one is kept.

    It is asked of no others. A folder in which no run has begun takes no run's place: it counts for neither number nor
    size.
    """
    newer, total = sum(run.has_begun for run in runs), sum(_counted(run) for run in runs)
    for run in runs:
        newer -= run.has_begun
        if why := _asked(run, newer, total, wish, now or datetime.now(UTC)):
            kept = protected(run)
            total -= 0 if kept else _counted(run)
            yield Choice(run, why, kept)


def _counted(run: IndexedRun) -> int:
    return run.size if run.has_begun else 0


def _asked(run: IndexedRun, newer: int, total: int, wish: PruneRules, now: datetime) -> str:
    """Why a run is asked for, with so many newer ones and folders of `total` bytes; empty where it is not."""
    if wish.older_than is not None and run.started and run.started < written(now - wish.older_than):
        return f"started {run.started[:19].replace('T', ' ')} UTC"
    if wish.keep is not None and newer >= wish.keep:
        return f"{newer} are newer"
    if wish.max_size is not None and _counted(run) and total > wish.max_size:
        return "the folders are too large"
    return ""


def to_compress(runs: Sequence[IndexedRun], protected: Why) -> Iterator[Choice]:
    """The runs whose journal is plain."""
    for run in runs:
        if run.journal is not None and not is_compressed(run.journal):
            yield Choice(run, "its journal is plain", protected(run))
