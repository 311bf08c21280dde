# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges the measurements of a stored run by other limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import FAILED, PASSED, measurement, problem
from ansible_collections.rack.recipes.plugins.module_utils.language.limits_of_measurements import is_where
from rack_recipes.errors import nearest
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


def unused(
    measurements: Iterable[Row], limits: Sequence[NewLimit], attributes: Mapping[str, Row] | None = None
) -> Iterator[str]:
    """The limits that are for no measurement, by their number in the file, with what was perhaps meant."""
    places = {(row["name"], row["step"], row.get("planned"), row.get("unit")): row for row in measurements}
    for number, limit in enumerate(limits, 1):
        if not any(replace(limit, where={}).is_for(row) for row in places.values()):
            yield f"limit {number}: no measurement of this run is {_named(limit, [*places.values()])}"
        elif not any(is_where(limit.where, own) for own in (attributes or {"": {}}).values()):
            yield f"limit {number}: no host of this run has {limit.where}"


def _named(limit: NewLimit, rows: Sequence[Row]) -> str:
    """The place of a limit, with the nearest name of those that there are."""
    names = sorted({str(row["name"]) for row in rows})
    steps = sorted({str(row.get("planned") or row["step"]) for row in rows})
    near = [nearest(limit.measurement, names), nearest(limit.step, steps)]
    meant = [word for word in near if word and word not in (limit.measurement, limit.step)]
    step = "" if limit.step == "*" else f" of step {limit.step}"
    unit = f" in {limit.unit}" if limit.unit else ""
    return f"{limit.measurement!r}{step}{unit}" + (
        f" (did you mean {' and '.join(map(repr, meant))}?)" if meant else ""
    )


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
