# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results that a host may reuse instead of running a step: those of an earlier run, and cached ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rack_recipes.journal.step_results import Place

if TYPE_CHECKING:
    from rack_recipes.run.reuse.earlier_run import EarlierRun, Offer


@dataclass(slots=True)
class ReusableResults:
    """The earlier run that is resumed, if any, and the cached results of each (step, host), the newest first."""

    earlier: EarlierRun | None = None
    cached: Mapping[Place, Sequence[Offer]] = field(default_factory=dict)

    def offers(self, steps: Iterable[Mapping[str, Any]], host: str, delegate: str = "") -> dict[str, list[Offer]]:
        """The results by step that may be reused on a host; the executor takes the first one with the same inputs.

        Only a result that came through the same `delegate` counts: what a step sees of a device may differ by it.
        A closing step (`always`) has none: what it closes may have run again.
        """
        if self.earlier is None and not self.cached:
            return {}
        names = [step["name"] for step in steps if not step.get("always")]
        found = {name: [*self._resumed(name, host), *self.cached.get((name, host), ())] for name in names}
        same = {step: [each for each in offers if _through(each) == delegate] for step, offers in found.items()}
        return {step: offers for step, offers in same.items() if offers}

    def _resumed(self, step: str, host: str) -> Iterable[Offer]:
        offer = self.earlier.offer(step, host) if self.earlier else None
        return [offer] if offer else []


def _through(offer: Offer) -> str:
    """The host that ran the step of an offer, whose record is the last one, on behalf of its own one."""
    return next((str(each.get("through", "")) for each in reversed(offer["records"]) if each["kind"] == "step"), "")
