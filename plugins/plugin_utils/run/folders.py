# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of runs on the controller."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.follow import Follower
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record import Record


def journals(runs: Path) -> list[Path]:
    """The journals of all runs, the oldest first."""
    return sorted(runs.glob("*/journal.jsonl"))


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


def begun(journal: Path) -> Record:
    """The journal's run record, empty where there is none."""
    records: Iterator[Record | None] = map(itemgetter(2), Follower(journal).read())
    return next((record for record in records if record and record["kind"] == "run"), {})


def hold(folder: Path) -> None:
    """Keep the run to this process until it ends, however it does. Raises UsageError where another one has it."""
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise UsageError(f"run {folder.name} still goes on: its controller is alive") from None
    os.register_at_fork(after_in_child=lock.close)  # a worker may outlive this process, and must not hold it
