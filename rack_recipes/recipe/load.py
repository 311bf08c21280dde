# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads recipes: `load` a file, `parse` its bytes.

Whatever the bytes are, the result is a Recipe, or RecipeErrors is raised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rack_recipes.errors import RecipeError, RecipeErrors
from rack_recipes.recipe import check_and_build
from rack_recipes.recipe.check_and_build import Whole, check_top
from rack_recipes.recipe.recipe_model import Canary, Derived, Recipe, TestMeta
from rack_recipes.recipe.recipe_names import WORDS, resolve
from rack_recipes.recipe.steps_to_and_from_data import from_data
from rack_recipes.recipe.yaml.decode import read_bytes
from rack_recipes.recipe.yaml.reader import Document, read
from rack_recipes.settings import load as load_settings


def load(path: str) -> Recipe:
    """The recipe in a file, or of a name (`recipe_names`). Raises RecipeErrors with all mistakes and their places."""
    name = resolve(path)
    try:
        content = read_bytes(name)
    except RecipeErrors as refused:
        if told := scriptlet_named(name):
            raise RecipeErrors(
                [RecipeError(one.place, one.expected, f"{one.got}; {told}") for one in refused.errors]
            ) from None
        raise
    return parse(content, name)


def scriptlet_named(word: str) -> str:
    """What to say of a word that names no recipe, but a scriptlet; empty for any other."""
    from rack_recipes.recipe.catalog.scriptlet_files import MODULES, drop_in_folders, find_candidates, is_published

    if not WORDS.fullmatch(word) or Path(word).exists():
        return ""
    parts = word.split(".")
    folders = [MODULES] if is_published(word) else drop_in_folders([*map(Path, load_settings().scriptlets)])
    names = parts[-1:] if is_published(word) else parts
    is_one = any(find_candidates(folder, names) for folder in folders)
    return f"{word} is a scriptlet, which `rack-recipes debug {word}` tries" if is_one else ""


def parse(text: bytes, name: str) -> Recipe:
    """The recipe in a file's bytes. Errors and paths of includes use the file's `name`. Raises RecipeErrors."""
    document = read(text, name)
    check_top(document)
    data, whole = document.data, _whole(document)
    limits, contents = _limits(document, name)
    contents = {**whole.contents, **contents}
    return Recipe(
        path=name,
        digest=digest(text, [*contents.values()]),
        test_meta=from_data(TestMeta, data["test_meta"]),
        steps=whole.steps,
        hosts=data.get("hosts", "all"),
        params={
            name: replace(param, also=whole.also.get(name, {}))
            for name, param in check_and_build.build_params(document).items()
        },
        pre_step=check_and_build.build_hooks(document, "pre_step"),
        post_step=check_and_build.build_hooks(document, "post_step"),
        locks=whole.locks,
        canary=from_data(Canary, data["canary"]) if "canary" in data else None,
        serial=check_and_build.batch_sizes(data),
        time_box=float(data["time_box"]) if "time_box" in data else None,
        fail_fast=data.get("fail_fast", False),
        merge=dict(data.get("context", {}).get("merge", {})),
        persist=(*data.get("context", {}).get("persist", ()),),
        derived={name: from_data(Derived, found) for name, found in data.get("derived", {}).items()},
        limits=limits,
        places=whole.places,
        files={file: hashlib.sha256(content).hexdigest() for file, content in {name: text, **contents}.items()},
    )


def _whole(document: Document) -> Whole:
    """The contents of a file and of all that it includes."""
    if any("include" in step for step in document.data["steps"]):
        # a recipe without includes does not pay for this import
        from rack_recipes.recipe.includes.expand import expand

        return expand(document)
    return Whole(check_and_build.build_steps(document), check_and_build.build_locks(document.data), document.places)


def _limits(document: Document, name: str) -> tuple[tuple[dict[str, Any], ...], dict[str, bytes]]:
    """The entries of the recipe's file of limits, and the file's content by its name."""
    if "limits" not in document.data:
        return (), {}
    # a recipe without such a file does not pay for these imports
    from rack_recipes.recipe.includes.included_files import NoFileError, content_of, find_included, project_of
    from rack_recipes.recipe.limits_file import entries_of

    path = document.data["limits"]
    try:
        file = find_included(path, name, project_of(name))
        content = content_of(file, path)
    except NoFileError as error:
        expected = "the path of a file with limits in the project, relative to this file"
        raise RecipeErrors([RecipeError(document.places["limits",], expected, error.got, error.near)]) from None
    return entries_of(read(content, file.name, "a mapping with limits")), {file.name: content}


def digest(text: bytes, contents: Sequence[bytes]) -> str:
    """The digest of a recipe, made of its bytes and of the files that it includes."""
    made = hashlib.sha256(text)
    for content in contents:
        made.update(hashlib.sha256(content).digest())
    return f"sha256:{made.hexdigest()}"
