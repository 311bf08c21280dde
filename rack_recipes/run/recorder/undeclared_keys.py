# SPDX-License-Identifier: GPL-3.0-or-later

"""Which steps of a run have set keys that their scriptlets do not declare, or none of those that they do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rack_recipes.recipe.catalog.undeclared_keys import in_words, names_none, none_set, undeclared
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.steps_to_and_from_data import parts_written
from rack_recipes.run.host.host_request import scriptlet_of

Declared = Mapping[str, tuple[ScriptletEntry, tuple[str, ...]]]
"""By step its scriptlet, and the keys that it may set."""


def declared_keys(steps: Iterable[Mapping[str, Any]], folders: tuple[Path, ...]) -> Declared:
    """By step its scriptlet and the keys that this and the recipe declare, where these are any. Raises CatalogError."""
    found = {}
    for step in steps:
        entry = scriptlet_of(step, folders)  # which the stage has looked up already
        if entry.writes:
            own = (part.key for part in parts_written(step.get("writes")))
            found[str(step["name"])] = (entry, (*entry.writes, *own))
    return found


def undeclared_keys(
    declared: Declared, written: Iterable[tuple[str, str]], passed: Collection[str] = ()
) -> Iterator[str]:
    """A warning for each step that set a key beside those that are declared, or passed and set none of them.

    `written` has steps and keys. A key may be set only sometimes: so a step is named where its scriptlet's file names
    no key either.
    """
    found: dict[str, set[str]] = {}
    for name, key in written:
        step = name if name in declared else name.partition("[")[0]  # an instance of a looped step
        if step in declared:
            found.setdefault(step, set()).add(key)
    for step, (entry, known) in sorted(declared.items(), key=lambda one: one[0]):
        keys = found.get(step, set())
        if more := undeclared(keys, known):
            yield in_words(f"step {step}", more, entry.name, known)
        elif not keys and step in passed and names_none(entry):
            yield none_set(step, entry)
