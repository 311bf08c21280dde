# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run was to do: from the store, or for runs that were stored by an earlier version from their journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rack_recipes.analysis.run_data import RunData
from rack_recipes.errors import RackError
from rack_recipes.run.run_folders import run_record
from rack_recipes.store.run_plan import packed, unpacked


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The hosts of each planned step, and the definitions of derived numbers by their names."""

    hosts: Mapping[str, Sequence[str]]
    derived: Mapping[str, Mapping[str, Any]]


def plan_of(run: RunData) -> RunPlan | None:
    """The plan of a run; None where neither the store nor a journal tells it."""
    found = run.plan or _in_journal(run.run.get("journal"))
    return RunPlan(found["steps"], found["derived"]) if found else None


def is_lost(run: RunData) -> bool:
    """Whether the run had a plan that nobody knows any more: its journal is gone, and the store was not told."""
    return bool(run.run.get("journal")) and plan_of(run) is None


def _in_journal(journal: str | None) -> Mapping[str, Any] | None:
    with suppress(RackError, OSError):
        record = run_record(Path(journal)) if journal else None
        return unpacked(packed(record)) if record else None
    return None
