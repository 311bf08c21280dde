# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan from what the ports see, for people to look through: it marks what only one end says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rack_recipes.cabling.compare_plan import Seen
from rack_recipes.cabling.plan_model import Cable, CablingPlan, End
from rack_recipes.natural_order import natural


def learn(seen: Seen) -> tuple[CablingPlan, tuple[str, ...]]:
    """The cables whose ends do not contradict each other, and in words what is left out.

    A cable that only one end tells of has a remark in `review`.
    """
    told = {end: sees for end, sees in seen.neighbours.items() if sees}
    claims: dict[frozenset[End], set[End]] = {}
    for end, sees in told.items():
        for far in sees:
            claims.setdefault(frozenset((end, far)), set()).add(end)
    used: dict[End, int] = {}
    for pair in claims:
        for end in pair:
            used[end] = used.get(end, 0) + 1
    good = {pair: by for pair, by in claims.items() if len(pair) == 2 and all(used[end] == 1 for end in pair)}
    cables = sorted((_cable(pair, by, seen) for pair, by in good.items()), key=lambda cable: _key(cable.a))
    doubtful = sorted((pair for pair in claims if pair not in good), key=lambda pair: _key(min(pair)))
    return CablingPlan(tuple(cables)), tuple(_doubt(pair, claims[pair]) for pair in doubtful)


def _cable(pair: Iterable[End], by: set[End], seen: Seen) -> Cable:
    a, b = sorted(pair, key=_key)
    if len(by) == 2:
        return Cable(a, b)
    [teller] = by
    other = b if teller == a else a
    why = f"{other} sees nobody" if other.device in seen.asked else f"{other.device} has not answered"
    return Cable(a, b, review=f"only {teller} says so: {why}")


def _doubt(pair: frozenset[End], by: set[End]) -> str:
    ends = sorted(pair, key=_key)
    who = " and ".join(str(end) for end in sorted(by, key=_key))
    return f"{' - '.join(map(str, ends))} (told by {who}): a port has only one cable, and others are told of these"


def _key(end: End) -> Any:
    return natural(end.device), natural(end.port)
