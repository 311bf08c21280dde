# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The waivers that are in force in a run, and what its hosts and its record are told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.waiving import WaivedOutcome, waive
from rack_recipes.recipe.waivers.pass_streaks import Place
from rack_recipes.recipe.waivers.waiver_model import OVER, Waiver, WaiverFile

Resolve = Callable[[str], Iterable[str]]
Attributes = Mapping[str, Mapping[str, Any]]  # by host


@dataclass(frozen=True, slots=True)
class InForce:
    """A waiver with its hosts in this run, None for all, and the steps and hosts for which passes have lifted it."""

    waiver: Waiver
    hosts: frozenset[str] | None = None
    lifted: frozenset[Place] = frozenset()

    def message(self, host: str) -> dict[str, Any] | None:
        """What a host is told of it; None where it is not for this host. The host of the run is ""."""
        if self.hosts is not None and host not in self.hosts:
            return None
        waiver = self.waiver
        told = {"id": waiver.id, "step": waiver.step, "verdicts": list(waiver.verdicts), "words": waiver.words}
        lifted = sorted(step for step, where in self.lifted if where == host)
        return {
            **told,
            **({"measurement": waiver.measurement} if waiver.measurement else {}),
            **({"lifted": lifted} if lifted else {}),
        }

    def to_record(self) -> dict[str, Any]:
        """The waiver as the run's record has it."""
        return {
            **self.waiver.to_data(),
            **({"on": sorted(self.hosts)} if self.hosts is not None else {}),
            **({"lifted": sorted(map(list, self.lifted))} if self.lifted else {}),
        }


@dataclass(frozen=True, slots=True)
class RunWaivers:
    """The waivers of a run: those in force, and those of its recipe that are over."""

    file: WaiverFile = field(default_factory=WaiverFile)
    in_force: tuple[InForce, ...] = ()
    over: tuple[Waiver, ...] = ()

    def of(self, host: str) -> list[dict[str, Any]]:
        """What a host is told."""
        return [message for each in self.in_force if (message := each.message(host))]

    def waive(self, step: str, host: str, verdict: str, reason: str) -> WaivedOutcome | None:
        """What a result becomes that the controller writes itself; None where no waiver covers it."""
        return waive(self.of(host), [step], verdict, reason) if self.in_force else None

    def to_record(self) -> dict[str, Any]:
        """What the run's record says of them; empty where there are none."""
        if not self.in_force and not self.over:
            return {}
        return {
            "file": self.file.path,
            "digest": self.file.digest,
            "in_force": [each.to_record() for each in self.in_force],
            "over": [waiver.to_data() for waiver in self.over],
        }


def waivers_for(
    file: WaiverFile,
    recipe: Mapping[str, Any],
    steps: Sequence[str],
    resolve: Resolve,
    today: date,
    attributes: Attributes | None = None,
) -> RunWaivers:
    """The waivers for a run of a recipe with these steps.

    `resolve` returns the hosts of a pattern. `attributes` has, by host, what the inventory says of it.
    """
    own = [
        waiver for waiver in file.waivers if waiver.is_of(recipe) and any(waiver.covers_step(name) for name in steps)
    ]
    over = tuple(waiver for waiver in own if waiver.state(today) == OVER)
    return RunWaivers(
        file,
        tuple(InForce(waiver, _hosts(waiver, resolve, attributes or {})) for waiver in own if waiver not in over),
        over,
    )


def _hosts(waiver: Waiver, resolve: Resolve, attributes: Attributes) -> frozenset[str] | None:
    named = frozenset(host for pattern in waiver.hosts for host in resolve(pattern)) if waiver.hosts else None
    if not waiver.attributes:
        return named
    fitting = frozenset(host for host, own in attributes.items() if waiver.has_attributes(own))
    return fitting if named is None else fitting & named
