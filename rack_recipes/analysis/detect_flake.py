# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the outcomes of one result in several runs make it a flake, and how often it fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LEAST_EPISODES = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one result ended in one run. `is_retried`: it passed, but only after a try that had failed."""

    passed: bool
    is_retried: bool = False
    inputs: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether the first try passed."""
        return self.passed and not self.is_retried


@dataclass(frozen=True, slots=True)
class Flake:
    """A result that is a flake: in how many `runs` its first try failed, and how it ended lately.

    `episodes` are stretches of failed runs, and runs that passed after a retry: a fault that is repaired is one.
    `failures_in_a_row` and `passes_in_a_row` are those of the last runs; one of them is 0.
    """

    failed: int
    runs: int
    episodes: int
    failures_in_a_row: int
    passes_in_a_row: int


def flake_of(outcomes: Sequence[Outcome]) -> Flake | None:
    """What the outcomes of one result say, the oldest first; None where they are no flake.

    A flake passed after a retry, or it failed, passed and failed again with the same inputs. Only runs with such inputs
    count. One stretch of failures is no flake: the inputs do not say what became of the hardware meanwhile.
    """
    ends: dict[str, set[bool]] = defaultdict(set)
    for outcome in outcomes:
        if outcome.inputs:
            ends[outcome.inputs].add(outcome.passed)
    mixed = {inputs for inputs, both in ends.items() if len(both) > 1}
    mixed |= {outcome.inputs for outcome in outcomes if outcome.is_retried}
    counted = [outcome for outcome in outcomes if outcome.inputs in mixed]
    episodes = _episodes(counted)
    if episodes < LEAST_EPISODES and not any(outcome.is_retried for outcome in counted):
        return None
    failures = _last_in_a_row(not outcome.passed for outcome in reversed(counted))
    passes = _last_in_a_row(outcome.is_clean for outcome in reversed(counted))
    return Flake(sum(not outcome.is_clean for outcome in counted), len(counted), episodes, failures, passes)


def _episodes(outcomes: Sequence[Outcome]) -> int:
    """How often it began to fail, or failed only at first."""
    before = [True, *(outcome.passed for outcome in outcomes)]
    begins = sum(earlier and not outcome.passed for earlier, outcome in zip(before, outcomes, strict=False))
    return begins + sum(outcome.is_retried for outcome in outcomes)


def _last_in_a_row(newest_first: Iterable[bool]) -> int:
    count = 0
    for hit in newest_first:
        if not hit:
            break
        count += 1
    return count
