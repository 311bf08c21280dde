# SPDX-License-Identifier: GPL-3.0-or-later

"""Which steps of a run have set keys that their scriptlets do not declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rack_recipes.recipe.catalog.undeclared_keys import in_words, undeclared
from rack_recipes.recipe.steps_to_and_from_data import parts_written
from rack_recipes.run.stage.host_request import scriptlet_of

Declared = Mapping[str, tuple[str, tuple[str, ...]]]
"""By step its scriptlet, and the keys that it may set."""


def declared_keys(steps: Iterable[Mapping[str, Any]], folders: tuple[Path, ...]) -> Declared:
    """By step its scriptlet and the keys that this and the recipe declare, where these are any. Raises CatalogError."""
    found = {}
    for step in steps:
        if keys := scriptlet_of(step, folders).writes:
            own = (part.key for part in parts_written(step.get("writes")))
            found[str(step["name"])] = (str(step["module"]), (*keys, *own))
    return found


def undeclared_keys(declared: Declared, written: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A warning for each step that set a key beside those that are declared; `written` has steps and keys."""
    found: dict[str, set[str]] = {}
    for name, key in written:
        step = name if name in declared else name.partition("[")[0]  # an instance of a looped step
        if step in declared:
            found.setdefault(step, set()).add(key)
    for step, keys in sorted(found.items()):
        module, known = declared[step]
        if more := undeclared(keys, known):
            yield in_words(f"step {step}", more, module, known)
