# SPDX-License-Identifier: GPL-3.0-or-later

"""How one step ended on one host, for all that choose, count or compare results; and what a stored plan says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING

OUTPUTS = ("stdout", "stderr")  # of the last attempt: they have columns of their own, and are left out in `attempts`


class Result(NamedTuple):
    """A row of `steps`, as far as it is read. `started` is ISO 8601 in UTC, `seconds` how long it took."""

    host: str
    step: str
    verdict: str
    parent: str | None = None  # the looped step of an instance
    stage: int | None = None
    idx: int | None = None
    scope: str = "host"
    started: str = ""
    seconds: float = 0.0
    tries: int = 0
    inputs: str = ""
    flake: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The result of a row of `steps`; what the row does not have, or has as NULL, is the default."""
        return cls(**{name: row[name] for name in cls._fields if row.get(name) is not None})

    @property
    def planned(self) -> str:
        """The step in the recipe: of an instance, the looped step."""
        return self.parent or self.step

    @property
    def has_passed(self) -> bool:
        """Whether its verdict is one of those that count as good."""
        return self.verdict in PASSING

    @property
    def is_assumed(self) -> bool:
        """Whether the host itself gave no result: it was not reached, or nothing came of it."""
        return not self.tries and self.verdict in {"error", "unreachable"}


def unpack_plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with the hosts of each step: `steps` has them by name, `derived` the definitions."""
    steps = {name: plan["hosts"][place] for name, place in plan["steps"].items()}
    return {"steps": steps, "derived": plan.get("derived") or {}}
