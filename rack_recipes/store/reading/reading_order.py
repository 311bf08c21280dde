# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which people read the rows of a run: steps as they ran, names as people count.

Databases sort names as texts, each by rules of its own: leaf10 comes before leaf2 there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from rack_recipes.natural_order import in_order_of, natural, natural_places

Row = Mapping[str, Any]


def parents_of(steps: Iterable[Row]) -> dict[str, str]:
    """The looped step of each instance among these rows of `steps`."""
    return {row["step"]: row["parent"] for row in steps if row.get("parent")}


def step_places(steps: Iterable[Row], names: Collection[str], parents: Mapping[str, str]) -> dict[str, int]:
    """The place of each step: by stage and index in the recipe, instances after their step in natural order.

    `steps` are rows of `steps`. `names` may be of more steps: those that no row tells of come first.
    """
    first: dict[str, tuple[int, int]] = {}
    known = {(row.get("parent") or row["step"], row.get("stage") or 0, row.get("idx") or 0) for row in steps}
    for name, stage, idx in known:
        place = (stage, idx)
        first[name] = min(place, first.get(name, place))

    def key(name: str) -> tuple[Any, ...]:
        planned = parents.get(name, name)
        return first.get(planned, (0, 0)), natural(planned), name in parents, natural(name)

    return natural_places([*names, *parents.values()], key)


def by_step[Kind: Row](rows: Sequence[Kind]) -> list[Kind]:
    """Rows of `steps`, by step and host."""
    of_steps = step_places(rows, {row["step"] for row in rows}, parents_of(rows))
    hosts = natural_places(row["host"] for row in rows)
    return in_order_of(rows, [(of_steps[row["step"]], hosts[row["host"]]) for row in rows])


def by_names[Kind: Row](rows: Sequence[Kind], first: str, second: str) -> list[Kind]:
    """Rows by the names in these two columns, and where these are equal, in their own order."""
    ones, others = natural_places(row[first] for row in rows), natural_places(row[second] for row in rows)
    return in_order_of(rows, [(ones[row[first]], others[row[second]]) for row in rows])
