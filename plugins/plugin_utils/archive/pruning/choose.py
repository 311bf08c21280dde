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

from ansible_collections.rack.recipes.plugins.plugin_utils.archive.pruning.found import Found, written
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.compressed import is_compressed
from ansible_collections.rack.recipes.plugins.plugin_utils.run.folders import is_held
from ansible_collections.rack.recipes.plugins.plugin_utils.store.writing.follow import is_behind

if TYPE_CHECKING:
    from sqlalchemy import Engine

YOUNG = timedelta(hours=1)  # a folder that has no journal yet may belong to a run that is starting
RUNNING = "running"  # the status of a run in the store until its end is there

Why = Callable[[Found], str]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: runs older than this, all but so many, until the folders have at most so many bytes."""

    older_than: timedelta | None = None
    keep: int | None = None
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A run that is asked for: `why`, and why it is `kept` in spite of it, empty where it goes."""

    run: Found
    why: str
    kept: str = ""


def why_kept(run: Found, store: Engine, now: datetime) -> str:
    """Why a run may be neither removed nor compressed, empty where it may: the one place where this is decided.

    Raises StoreError where the store cannot be asked.
    """
    if run.pinned:
        return "pinned"
    if run.folder is None:
        return "the store has no end of it, and its folder is not here" if run.status == RUNNING else ""
    if is_held(run.folder):
        return "it still goes on, or another run goes on from it"
    if run.journal is None:
        is_young = run.started > written(now - YOUNG)
        return "it has no journal yet, and may be starting" if is_young else ""
    return _why_unstored(run, run.journal, store)


def _why_unstored(run: Found, journal: Path, store: Engine) -> str:
    try:
        behind = is_behind(store, journal)
    except JournalError as error:
        return f"its journal cannot be read: {error}"
    if behind:
        return f"its results are not all in the store: rack-recipes flush {run.run_id}"
    return f"it has no end in the store: rack-recipes flush {run.run_id}" if run.status == RUNNING else ""


def chosen(runs: Sequence[Found], wish: Wish, protected: Why, now: datetime | None = None) -> Iterator[Choice]:
    """The runs that are asked for, of `runs` from the oldest to the newest; `protected` tells why one is kept.

    It is asked of no others.
    """
    total = sum(run.size for run in runs)
    for newer, run in zip(range(len(runs) - 1, -1, -1), runs, strict=True):
        if why := _asked(run, newer, total, wish, now or datetime.now(UTC)):
            kept = protected(run)
            total -= 0 if kept else run.size
            yield Choice(run, why, kept)


def _asked(run: Found, newer: int, total: int, wish: Wish, now: datetime) -> str:
    """Why a run is asked for, with so many newer ones and folders of `total` bytes; empty where it is not."""
    if wish.older_than is not None and run.started and run.started < written(now - wish.older_than):
        return f"started {run.started[:19].replace('T', ' ')} UTC"
    if wish.keep is not None and newer >= wish.keep:
        return f"{newer} are newer"
    if wish.max_size is not None and run.size and total > wish.max_size:
        return "the folders are too large"
    return ""


def to_compress(runs: Sequence[Found], protected: Why) -> Iterator[Choice]:
    """The runs whose journal is plain."""
    for run in runs:
        if run.journal is not None and not is_compressed(run.journal):
            yield Choice(run, "its journal is plain", protected(run))
