# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host may use again instead of running it: results of an earlier run, and cached ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.journal.results import Place

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.reusing.earlier import Earlier, Offer


@dataclass(slots=True)
class Reusable:
    """The earlier run that is resumed, if any, and the cached results of each (step, host), the newest first."""

    earlier: Earlier | None = None
    cached: Mapping[Place, Sequence[Offer]] = field(default_factory=dict)

    def offers(self, steps: Iterable[str], host: str) -> dict[str, list[Offer]]:
        """What is there for these steps on a host; the executor takes the first with the same inputs, or none."""
        if self.earlier is None and not self.cached:
            return {}
        found = {step: [*self._resumed(step, host), *self.cached.get((step, host), ())] for step in steps}
        return {step: offers for step, offers in found.items() if offers}

    def _resumed(self, step: str, host: str) -> Iterable[Offer]:
        offer = self.earlier.offer(step, host) if self.earlier else None
        return [offer] if offer else []
