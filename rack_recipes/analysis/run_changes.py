# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare two runs: verdicts, durations, measurements, context. Rows and changes are plain dicts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import MARGINAL, PASSED
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.host_differences import (
    CONTAINER,
    Field,
    dotted,
    flatten,
    parts,
)
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, WAIVED

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.host_differences import Key

Row = Mapping[str, Any]
Change = dict[str, Any]

ABOUT = ("recipe", "digest", "test_id", "status", "hosts", "controller", "user", "versions", "params", "labels")

MEASUREMENT = ("step", "host", "name", "unit", "number")  # what makes two measurements one: 5 ms are not 5 us


def run_field_changes(first: Row, second: Row) -> list[Change]:
    """The fields of the two runs themselves that differ."""
    return [
        {"field": name, "before": first.get(name), "after": second.get(name)}
        for name in ABOUT
        if not _same(first.get(name), second.get(name))
    ]


def verdict_changes(first: Sequence[Row], second: Sequence[Row]) -> list[Change]:
    """The (step, host) pairs whose verdicts differ, or that only one run has; `reason` is that of the later run."""
    return [
        {**place, **sides(before, after, "verdict"), "reason": (after or before or {}).get("reason", "")}
        for place, before, after in _pairs(first, second, ("step", "host"))
        if (before or {}).get("verdict") != (after or {}).get("verdict")
    ]


def duration_changes(first: Sequence[Row], second: Sequence[Row]) -> list[Change]:
    """The seconds in both runs of each (step, host) that ran in both, the largest change first."""
    pairs = (pair for pair in _pairs(first, second, ("step", "host")) if pair[1] and pair[2])
    found = [
        {**place, **sides(before, after, "seconds"), **_percent(before["seconds"], after["seconds"])}
        for place, before, after in pairs
        if before and after and _ran(before) and _ran(after)
    ]
    return sorted(found, key=lambda one: -abs(one["after"] - one["before"]))


def _ran(row: Row) -> bool:
    """Whether a step ran in this run; the time of a result that is used again is that of another run."""
    return bool(row["tries"]) and not row["source_run"]


def measurement_changes(first: Sequence[Row], second: Sequence[Row]) -> list[Change]:
    """The measurements that differ, or that only one run has."""
    found = _pairs([*_numbered(first)], [*_numbered(second)], MEASUREMENT)
    return [
        {
            **_without_number(place),
            **sides(before, after, "value"),
            **(_percent(before["value"], after["value"]) if before and after else {}),
        }
        for place, before, after in found
        if before is None or after is None or not _same(before["value"], after["value"])
    ]


def worse_steps(first: Sequence[Row], second: Sequence[Row]) -> list[Change]:
    """The (step, host) pairs that passed in the first run and did not pass in the second one."""
    return [
        {**place, **sides(before, after, "verdict")}
        for place, before, after in _pairs(first, second, ("step", "host"))
        if _is_worse(before, after, PASSING)
    ]


def worse_criteria(first: Sequence[Row], second: Sequence[Row], results: Iterable[Row]) -> list[Change]:
    """The measurements whose criterion held in the first run and did not hold in the second one.

    `results` are those of the second run: what somebody has waived there is not worse.
    """
    pairs = _pairs([*_numbered(first)], [*_numbered(second)], MEASUREMENT)
    held, waived = frozenset({PASSED, MARGINAL}), waived_places(results)
    return [
        {**_without_number(place), **sides(before, after, "verdict")}
        for place, before, after in pairs
        if after and after["verdict"] and (place["step"], place["host"]) not in waived
        if _is_worse(before, after, held)
    ]


def waived_steps(first: Sequence[Row], second: Sequence[Row]) -> list[Change]:
    """The (step, host) pairs that passed in the first run, and whose failure in the second one somebody has waived."""
    changes = verdict_changes(first, second)
    return [row for row in changes if row.get("after") == WAIVED and row.get("before") in PASSING]


def waived_places(results: Iterable[Row]) -> set[tuple[str, str]]:
    """The steps and hosts of waived results."""
    return {(row["step"], row["host"]) for row in results if row["verdict"] == WAIVED}


def _is_worse(before: Row | None, after: Row | None, good: Container[str]) -> bool:
    """Whether a verdict was good and is not good any more; a row that only one run has is no change for the worse."""
    return before is not None and after is not None and before["verdict"] in good and after["verdict"] not in good


def context_changes(first: Sequence[Row], second: Sequence[Row]) -> list[Change]:
    """The fields of keys that differ; a key that only one run has is one change with an empty `field`."""
    return [
        {**place, **change}
        for place, before, after in _pairs(first, second, ("key", "host"))
        for change in field_changes(before, after)
        if change
    ]


def field_changes(before: Row | None, after: Row | None) -> Iterator[Change | None]:
    """The fields that differ between two values of a key; None for each step on the way, where a caller may pause."""
    if before is None or after is None:
        yield {"field": "", **sides(before, after, "value")}
        return
    found: tuple[dict[Key, Field], dict[Key, Field]] = {}, {}
    for fields, row in zip(found, (before, after), strict=True):
        for key, field in flatten(row["value"]):
            fields[key] = field
            yield None
    first, second = found
    for key in dict.fromkeys([*first, *second]):
        path, of = key
        is_other = _is_other_container if of == CONTAINER else _is_other
        differs = is_other(first.get(key), second.get(key))
        yield {"field": dotted(path), **_field_sides(first.get(key), second.get(key))} if differs else None


def _is_other(before: Field | None, after: Field | None) -> bool:
    return before is None or after is None or not _same(before.value, after.value)


def _is_other_container(before: Field | None, after: Field | None) -> bool:
    """Whether a mapping or a list itself has changed in a way that its fields do not show."""
    values = [field.value for field in (before, after) if field]
    if len(values) < 2:
        return not values[0]
    if type(values[0]) is not type(values[1]):
        return not all(values)
    return isinstance(values[0], list) and _is_reordered(*values)


def _is_reordered(before: list[object], after: list[object]) -> bool:
    """Whether named items have another order: they are compared by name, so their fields do not show it."""
    if not any(isinstance(item, dict) for item in before):
        return False
    names = parts(before), parts(after)
    both = {*names[0]} & {*names[1]}
    first, second = ([name for name in side if name in both] for side in names)
    return first != second


def _field_sides(before: Field | None, after: Field | None) -> Change:
    return {side: field.value for side, field in (("before", before), ("after", after)) if field}


def _pairs(
    first: Iterable[Row], second: Iterable[Row], keys: Sequence[str]
) -> Iterator[tuple[Change, Row | None, Row | None]]:
    """The rows of two lists with the same values of `keys`, as pairs; None where only one list has the row."""
    sides = [{tuple(row[key] for key in keys): row for row in rows} for rows in (first, second)]
    for place in dict.fromkeys([*sides[0], *sides[1]]):
        yield dict(zip(keys, place, strict=True)), sides[0].get(place), sides[1].get(place)


def sides(before: Row | None, after: Row | None, name: str) -> Change:
    """A field of both rows as `before` and `after`; a side without a row is left out."""
    both = (("before", before), ("after", after))
    return {side: row[name] for side, row in both if row is not None}


def _numbered(rows: Sequence[Row]) -> Iterator[Row]:
    """Number the measurements of a step with the same name, so that they are compared in their order."""
    seen: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        place = (row["step"], row["host"], row["name"], row["unit"])
        seen[place] += 1
        yield {**row, "number": seen[place]}


def _without_number(place: Change) -> Change:
    return {name: part for name, part in place.items() if name != "number"}


def _percent(before: Any, after: object) -> Change:
    """By how many percent a number has grown; empty for other values and for growth from 0."""
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (before, after))
    return {"percent": round(100 * (after - before) / abs(before), 2)} if numbers and before else {}


def _same(first: object, second: object) -> bool:
    """Whether two values are the same JSON; in Python 1, 1.0 and True would be equal."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
