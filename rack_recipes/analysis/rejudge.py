# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a file of new limits, with every problem at its place, and judges the measurements of a stored run by them.

The criteria are those of recipes, from the one table of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import (
    FAILED,
    LIMITS,
    PASSED,
    measurement,
    problem,
)
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import matches_wildcard
from rack_recipes.errors import RecipeError
from rack_recipes.recipe.recipe_node import Node, is_number
from rack_recipes.recipe.rules.steps import consistent_warnings
from rack_recipes.recipe.schema.schema_errors import key_for_synonym
from rack_recipes.recipe.values_in_messages import shown
from rack_recipes.recipe.yaml.files_beside_recipes import placed, read_file, refuse, unknown
from rack_recipes.recipe.yaml.reader import Document

WARN = "warn"
PLACE = ("step", "measurement", "unit")
WORDS = (*PLACE, *LIMITS, WARN)
EXPECTED = "a mapping with limits"
EXAMPLE = "{step: fans, measurement: noise, unit: dB, max: 80}"


@dataclass(frozen=True, slots=True)
class NewLimit:
    """The limits of the measurements of a step with a name and, where it is set, a unit; `*` stands for any text."""

    step: str
    measurement: str
    unit: str | None
    condition: Mapping[str, Any]

    def is_for(self, row: Mapping[str, Any]) -> bool:
        """Whether it is for a measurement; the name of a looped step covers its instances."""
        steps = {row["step"], row.get("planned") or row["step"]}
        return (
            matches_wildcard(self.measurement, str(row["name"]))
            and any(matches_wildcard(self.step, step) for step in steps)
            and self.unit in (None, row.get("unit") or "")
        )


@dataclass(frozen=True, slots=True)
class NewLimits:
    """A file of limits; of several that are for a measurement the first counts. `data` is the file's content."""

    path: str
    digest: str
    limits: tuple[NewLimit, ...]
    data: Mapping[str, Any]


def read_limits(path: str) -> NewLimits:
    """The limits in a file. Raises UsageError with all that is wrong with it, each problem with its place."""
    document, digest = read_file(path, EXPECTED)
    refuse(_problems(document))
    limits = tuple(map(_limit, document.data["limits"]))
    return NewLimits(path, digest, limits, document.data)


def _limit(data: Mapping[str, Any]) -> NewLimit:
    condition = {word: data[word] for word in (*LIMITS, WARN) if word in data}
    return NewLimit(data.get("step", "*"), data["measurement"], data.get("unit"), condition)


def _problems(document: Document) -> Iterator[RecipeError]:
    top = Node(document, (), document.data)
    yield from _unknown(top, ("limits",))
    entries = document.data.get("limits")
    if not isinstance(entries, list) or not entries:
        yield top.error(("limits",) if "limits" in top.data else (), "a list of limits", shown(entries))
        return
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            yield from _entry_problems(Node(document, ("limits", number), entry))
        else:
            yield top.error(("limits", number), f"limits of a measurement, such as {EXAMPLE}", shown(entry))


def _entry_problems(entry: Node) -> Iterator[RecipeError]:
    yield from _unknown(entry, WORDS)
    for name in PLACE:
        if name in entry.data and not isinstance(entry.data[name], str):
            yield entry.error((name,), "text", shown(entry.data[name]))
    if "measurement" not in entry.data:
        yield entry.error((), "the name of a measurement", "none")
    if not entry.data.keys() & LIMITS.keys():
        yield entry.error((), f"a limit: {', '.join(LIMITS)}", "none")
    yield from _bounds(entry)
    for warn in entry.children(WARN):
        yield from _unknown(warn, LIMITS)
        yield from _bounds(warn)
    if WARN in entry.data and not isinstance(entry.data[WARN], dict):
        yield entry.error((WARN,), "limits, such as {max: 75}", shown(entry.data[WARN]))
    yield from consistent_warnings(entry)


def _bounds(node: Node) -> Iterator[RecipeError]:
    """Bounds of another kind than their criterion takes."""
    kinds = {"number": is_number, "list": _is(list), "text": _is(str), "mapping": _is(dict)}
    for word, criterion in LIMITS.items():
        takes = kinds.get(criterion.takes)
        if word in node.data and takes is not None and not takes(node.data[word]):
            yield node.error((word,), f"a {criterion.takes}", shown(node.data[word]))


def _is(kind: type) -> Any:
    return lambda value: isinstance(value, kind)


def _unknown(node: Node, known: Collection[str]) -> Iterator[RecipeError]:
    found = unknown(node.data, known, node.path, lambda name: key_for_synonym(name, [*known]))
    return placed(node.document, found)


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


def rejudge(measurements: Iterable[Row], limits: Sequence[NewLimit]) -> list[Judged]:
    """The measurements that the limits are for, in their order; of several limits the first counts."""
    found = ((row, next((limit for limit in limits if limit.is_for(row)), None)) for row in measurements)
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
