# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which runs are earlier runs of the same test as a run, and count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

Row = Mapping[str, Any]

LAST_RUNS = 20


def earlier_runs(run: Row, runs: Sequence[Row], length: int = LAST_RUNS) -> Sequence[Row]:
    """The last `length` of `runs` that are earlier runs of the same test and count, the oldest first."""
    found = [one for one in runs if _started(one) < _started(run) and is_same_test(one, run) and counts(one)]
    return sorted(found, key=_started)[-length:] if length else []


def is_same_test(one: Row, other: Row) -> bool:
    """Whether two runs are of the same test by the same recipe; a recipe is the same while its file keeps its name."""
    of_each = [(run.get("test_id"), PurePath(run.get("recipe") or "").name) for run in (one, other)]
    return any(of_each[0]) and of_each[0] == of_each[1]


def counts(run: Row) -> bool:
    """Whether a run says something about what it tested: it has ended, and Ansible was not in check mode."""
    return bool(run.get("ended")) and not (run.get("options") or {}).get("check")


def _started(run: Row) -> tuple[str, str]:
    return run.get("started") or "", run["run_id"]
