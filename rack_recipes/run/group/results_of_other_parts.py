# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a part of a group knows of the other parts, by its last meeting with them. It is empty for any other run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rack_recipes.journal.record_fields import Record
from rack_recipes.journal.step_results import Place, StepEnd


@dataclass(slots=True)
class Peers:
    """The hosts and results of other parts.

    `hosts` has the hosts of each step that this part does not have, `patterns` those of each pattern that a step names,
    `places` in which part each host is, in words. `ended` is how their steps ended, `records` the same as records.
    `held_back` says by the number of a stage why it does not begin, `ran` which part has run it for all. `canary` has
    the hosts of other parts that run first, and `halted` why nothing may start behind them any more.
    """

    hosts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    patterns: dict[str, frozenset[str]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    ended: dict[Place, StepEnd] = field(default_factory=dict)
    records: dict[Place, Record] = field(default_factory=dict)
    held_back: dict[int, str] = field(default_factory=dict)
    ran: dict[int, str] = field(default_factory=dict)
    canary: tuple[str, ...] = ()
    halted: str = ""

    def of_step(self, step: str, own: Iterable[str]) -> tuple[str, ...]:
        """The hosts of a step in the whole group; `own` are those of this part."""
        return (*own, *self.hosts.get(step, ()))

    def why(self, host: str, end: StepEnd | None) -> str:
        """How a step ended that did not pass on a host, for people: the verdict, and where, if that is elsewhere."""
        place = self.places.get(host)
        if place is None:
            return end.verdict if end else "error"
        return f"{end.verdict if end else 'no result'} on {host} {place}"
