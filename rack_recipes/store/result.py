# SPDX-License-Identifier: GPL-3.0-or-later

"""How one step ended on one host, where results of several parts are chosen from; and what a stored plan says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

OUTPUTS = ("stdout", "stderr")  # of the last attempt: they have columns of their own, and are left out in `attempts`


class Result(NamedTuple):
    """A row of `steps`, as far as it is needed to choose between results."""

    host: str
    step: str
    verdict: str
    parent: str | None = None  # the looped step of an instance
    stage: int | None = None
    idx: int | None = None
    scope: str = "host"
    tries: int = 0

    @property
    def planned(self) -> str:
        """The step in the recipe: of an instance, the looped step."""
        return self.parent or self.step

    @property
    def is_assumed(self) -> bool:
        """Whether the host itself gave no result: it was not reached, or nothing came of it."""
        return not self.tries and self.verdict in {"error", "unreachable"}


def unpack_plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with the hosts of each step: `steps` has them by name, `derived` the definitions."""
    steps = {name: plan["hosts"][place] for name, place in plan["steps"].items()}
    return {"steps": steps, "derived": plan.get("derived") or {}}
