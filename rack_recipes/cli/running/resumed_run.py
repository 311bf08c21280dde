# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the earlier run that is resumed, and reads its recipe, parameters and choice of steps from its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rack_recipes.errors import UsageError
from rack_recipes.run.run_folders import find_here, journal_of, journals, run_record

LAST = "last"


@dataclass(frozen=True, slots=True)
class ResumedRun:
    """An earlier run as it began; `options` are the options of its plan that were given."""

    run_id: str
    recipe: str
    params: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def earlier_run(runs: Path, start: str, recipe: str) -> ResumedRun:
    """Return the run whose id begins with `start`. Raises UsageError if there is none.

    For `last` or an empty `start` it is the newest run, of `recipe` if that is given.
    """
    if start not in ("", LAST):
        _refuse_group(runs, start)
        journal = journal_of(runs, start)
        found = _begun(journal)
        if found is None:
            raise UsageError(f"{journal}: no run was begun there, so there is nothing to go on with")
        return found
    newest = (found for journal in reversed(journals(runs)) if (found := _begun(journal)))
    found = next((found for found in newest if recipe in ("", found.recipe)), None)
    if found is None:
        raise UsageError(
            f"there is no run{f' of {recipe}' if recipe else ''} in {runs} to go on with: start one with "
            f"`rack-recipes run {recipe or 'RECIPE'}`; `--only STEP` runs a step with all that it needs"
        )
    return found


def _refuse_group(runs: Path, start: str) -> None:
    """Raise UsageError for the id of a group: each controller goes on with its own part."""
    found = find_here(runs, start)
    if found and found.is_group:
        names = ", ".join(journal.parent.name for journal in found.journals)
        raise UsageError(
            f"{found.run_id} is a run in several parts, and each is resumed by itself: "
            f"`--resume PART --group {found.run_id}`; its parts here: {names}"
        )


def _begun(journal: Path) -> ResumedRun | None:
    record = run_record(journal)
    return _earlier(record) if record else None


def _earlier(record: Mapping[str, Any]) -> ResumedRun:
    return ResumedRun(
        record["run"], record["recipe"].get("path", ""), record.get("params") or {}, record.get("options") or {}
    )
