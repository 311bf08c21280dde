# SPDX-License-Identifier: GPL-3.0-or-later

"""Small YAML files beside recipes, such as waivers, limits and the policy: read, and refused with all that is wrong.

A check yields problems. Each has the path of the value, what was expected, what was there, and the nearest valid word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from rack_recipes.errors import RackError, RecipeError, RecipeErrors, UsageError
from rack_recipes.recipe.recipe_model import Path as ValuePath
from rack_recipes.recipe.values_in_messages import closest, listed, shown
from rack_recipes.recipe.yaml.reader import Document, read
from rack_recipes.recipe.yaml.values_and_positions import KEY
from rack_recipes.yaml_suffixes import check_single

Problem = tuple[ValuePath, str, str, str]
Check = Callable[[Any, ValuePath], Iterator[Problem]]


def read_file(path: str, expected: str) -> tuple[Document, str]:
    """The mapping in a file, and the digest of the file; `expected` describes the mapping. Raises UsageError."""
    check_single(Path(path))
    try:
        content = Path(path).read_bytes()
        return read(content, path, expected), f"sha256:{hashlib.sha256(content).hexdigest()}"
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except RecipeErrors as error:
        raise UsageError(str(error)) from error


def refuse(errors: Iterable[RecipeError], kind: type[RackError] = UsageError) -> None:
    """Raise an error of a kind that tells all of these, each with its place; return where there is none."""
    found = [*errors]
    if found:
        raise kind(str(RecipeErrors(found)))


def placed(document: Document, problems: Iterable[Problem]) -> Iterator[RecipeError]:
    """The problems with their lines and columns."""
    return (RecipeError(document.places[path], *words) for path, *words in problems)


def entries(document: Document, name: str, what: str, check: Check, *, may_be_empty: bool = False) -> Iterator[Problem]:
    """The problems of a file with one list: other names at the top, no list, and what `check` finds in its entries."""
    yield from unknown(document.data, (name,), ())
    found = document.data.get(name)
    if not isinstance(found, list) and not (may_be_empty and name in document.data and found is None):
        yield ((name,) if name in document.data else ()), f"a list of {what}", shown(found), ""
        return
    for number, entry in enumerate(found or ()):
        yield from check(entry, (name, number))


def unknown(
    data: Iterable[str], known: Collection[str], path: ValuePath, meant: Callable[[str], str] = lambda _name: ""
) -> Iterator[Problem]:
    """Names of a mapping that are none of the known ones; `meant` tells what a word means that is not spelled alike."""
    names = (*known,)
    for name in data:
        if name not in known:
            near = closest(name, names) or meant(name)
            yield (*path, name, KEY), f"one of {listed(names, len(names))}", shown(name), near


def words(value: object, path: ValuePath, known: Collection[str]) -> Iterator[Problem]:
    """What is no list of words out of a table, or no word of it."""
    names = (*known,)
    if not isinstance(value, list) or not value:
        yield path, f"a list of {listed(names)}", shown(value), ""
        return
    for number, item in enumerate(value):
        if item not in names:
            near = closest(item, names) if isinstance(item, str) else ""
            yield (*path, number), f"one of {listed(names)}", shown(item), near
