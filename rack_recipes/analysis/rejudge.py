# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges the measurements of a stored run by other limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import FAILED, PASSED, measurement, problem
from rack_recipes.recipe.limits_file import NewLimit

UNKNOWN = "error"  # the value cannot be compared with the limits
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """One measurement by the new limits; `before` is None where it had none. `why` says what is wrong now."""

    row: Row
    before: str | None
    after: str
    why: str = ""
    limits: Mapping[str, Any] | None = None
    distance: float | None = None

    @property
    def has_changed(self) -> bool:
        """Whether its verdict is another one now; one that had none and passes has not changed."""
        return self.after != (self.before or PASSED)

    @property
    def is_worse(self) -> bool:
        """Whether it does not hold any more, or only now."""
        return self.has_changed and self.after in (FAILED, UNKNOWN)

    def to_data(self) -> dict[str, Any]:
        """The change as the store keeps it."""
        told = {name: self.row.get(name) for name in ("host", "step", "n", "name", "value", "unit")}
        return {**told, "before": self.before, "after": self.after, "why": self.why}


def rejudge(
    measurements: Iterable[Row], limits: Sequence[NewLimit], attributes: Mapping[str, Row] | None = None
) -> list[Judged]:
    """The measurements that the limits are for, in their order; of several limits the first counts.

    `attributes` has what the inventory says of each host.
    """
    of = attributes or {}
    found = (
        (row, next((limit for limit in limits if limit.is_for(row, of.get(row.get("host", ""), {}))), None))
        for row in measurements
    )
    return [_judged(row, limit) for row, limit in found if limit is not None]


def _judged(row: Row, limit: NewLimit) -> Judged:
    condition = {**limit.condition, "unit": row.get("unit") or ""}
    try:
        measured = measurement(str(row["name"]), row.get("value"), condition)
    except ValueError as error:
        return Judged(row, row.get("verdict"), UNKNOWN, str(error), limit.condition)
    return Judged(
        row, row.get("verdict"), measured["verdict"], problem(measured), measured["limits"], measured["distance"]
    )


def count_verdicts(judged: Iterable[Judged]) -> dict[str, int]:
    """How many measurements have each verdict now."""
    return dict(sorted(Counter(one.after for one in judged).items()))
