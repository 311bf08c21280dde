# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and versions: which hosts differ from the majority, or from what is expected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vote:
    """The value that is right, how many of `hosts` have it, and the places of those that differ.

    `winner` is None where no value has more than half: then nobody is blamed. `was_expected` says that it was given.
    """

    winner: str | None
    votes: int
    hosts: int
    deviants: tuple[int, ...]
    was_expected: bool


def vote(values: Sequence[str], expected: str | None = None) -> Vote:
    """Let hosts vote on a category, such as a version. A tie has no winner; an expected value beats the vote.

    No distribution is assumed, so there is no rate of false alarms: say "1 of 40", and no probability.
    """
    counted = Counter(values)
    winner = expected
    if expected is None:
        winner = next((value for value, votes in counted.items() if votes > len(values) / 2), None)
    differ = tuple(place for place, value in enumerate(values) if value != winner) if winner is not None else ()
    return Vote(winner, counted[winner] if winner is not None else 0, len(values), differ, expected is not None)
