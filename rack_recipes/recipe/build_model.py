# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the parts of a Recipe from data that the schema has checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rack_recipes.errors import Place
from rack_recipes.recipe.param_values import is_open, typed
from rack_recipes.recipe.recipe_model import Canary, Condition, Derived, Hook, Lock, Param, Path, Step, TestMeta
from rack_recipes.recipe.steps_to_and_from_data import from_data, param_from_data
from rack_recipes.recipe.yaml.reader import Document

type Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """What a file and the files that it includes hold together.

    `steps` are in order. `contents` has the bytes of the included files. `also` has the limits that these set for the
    file's parameters.
    """

    steps: tuple[Step, ...]
    locks: Mapping[str, Lock]
    places: Mapping[Path, Place]
    contents: Mapping[str, bytes] = field(default_factory=dict)
    also: Mapping[str, Mapping[str, Condition]] = field(default_factory=dict)


def numbered(document: Document) -> Iterator[tuple[int, int, Data]]:
    """Each step of the file with its index there and its `idx`. Without an `idx` it follows the step above it."""
    idx = 0
    for index, step in enumerate(document.data["steps"]):
        idx = int(step.get("idx", idx + 1))
        yield index, idx, step


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Steps ordered by their `idx`; those with the same `idx` stay in the order of the file."""
    return tuple(sorted(steps, key=lambda step: step.idx))


def steps(document: Document) -> tuple[Step, ...]:
    """The steps of a file without includes."""
    places = document.places
    return in_order(step_of(step, idx, places["steps", index]) for index, idx, step in numbered(document))


def step_of(data: Data, idx: int, place: Place) -> Step:
    """One checked step; what it does not say is the model's default."""
    return from_data(Step, {**data, "idx": idx}, place=place)


def test_meta(data: Data) -> TestMeta:
    """The data that names the test."""
    return from_data(TestMeta, data)


def params(document: Document) -> dict[str, Param]:
    """The declared parameters by name."""
    return {name: param(name, data) for name, data in document.data.get("params", {}).items()}


def param(name: str, data: Data) -> Param:
    """One parameter, with its default converted to its type."""
    found = param_from_data(name, data)
    if found.default is None or is_open(found.default):
        return found
    return replace(found, default=typed(found.type, found.default))


def hooks(document: Document, when: str) -> tuple[Hook, ...]:
    """The hooks before each try (`pre_step`), or those after it (`post_step`)."""
    listed = document.data.get("hooks", {}).get(when, ())
    return tuple(from_data(Hook, data, place=document.places["hooks", when, n]) for n, data in enumerate(listed))


def locks(data: Data) -> dict[str, Lock]:
    """The locks by name."""
    return {name: from_data(Lock, lock, name=name) for name, lock in data.get("locks", {}).items()}


def canary(data: Data) -> Canary | None:
    """The hosts that go first, if there are any."""
    return from_data(Canary, data["canary"]) if "canary" in data else None


def derived(data: Data) -> dict[str, Derived]:
    """The derived numbers, by their names."""
    return {name: from_data(Derived, found) for name, found in data.get("derived", {}).items()}


def serial(data: Data) -> tuple[int | str, ...]:
    """The sizes of the batches."""
    sizes = data.get("serial", [])
    listed = sizes if isinstance(sizes, list) else [sizes]
    return tuple(size if isinstance(size, str) else int(size) for size in listed)
