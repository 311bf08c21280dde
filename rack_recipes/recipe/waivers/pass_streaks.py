# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The passes in a row that lift a waiver, counted from the results since it was first in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS

Place = tuple[str, str]  # step or instance, host
Result = tuple[str, str, str]  # step, host, verdict


@dataclass(frozen=True, slots=True)
class Streak:
    """How many results in a row have passed, and whether there were once enough: then the waiver is lifted for good."""

    passes: int = 0
    is_lifted: bool = False


def streaks(results: Iterable[Result], needed: int) -> dict[Place, Streak]:
    """The streak of each step and host whose results these are, the oldest first.

    What was not tried, or taken from a cache, says nothing: it neither counts nor ends a streak.
    """
    found: dict[Place, Streak] = {}
    for step, host, verdict in results:
        known = VERDICTS.get(verdict)
        if known is None or not known.tried or (known.passes and not known.ran):
            continue
        before = found.get((step, host), Streak())
        passes = before.passes + 1 if known.complete else 0
        found[step, host] = Streak(passes, before.is_lifted or passes >= needed)
    return found


def lifted(found: Mapping[Place, Streak]) -> frozenset[Place]:
    """The steps and hosts for which the waiver is lifted."""
    return frozenset(place for place, streak in found.items() if streak.is_lifted)
