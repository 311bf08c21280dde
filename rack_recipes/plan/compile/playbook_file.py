# SPDX-License-Identifier: GPL-3.0-or-later

"""Compiles a recipe to a playbook file."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from rack_recipes import settings as project
from rack_recipes.errors import UsageError
from rack_recipes.plan.compile.playbook import to_playbook
from rack_recipes.plan.make_plan import NO_OPTIONS, make_plan
from rack_recipes.plan.plan_model import Plan, PlanOptions
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.recipe.load import load
from rack_recipes.recipe.recipe_model import Recipe
from rack_recipes.recipe.recipe_names import stem_of
from rack_recipes.settings import Settings


def plan_of(recipe: str, settings: Settings | None = None, options: PlanOptions = NO_OPTIONS) -> Plan:
    """The plan of a recipe file, with the scriptlets that the project's settings trust. Raises RackError."""
    with _without_garbage_collection():
        return plan_recipe(load(recipe), settings or project.load(), options)


def plan_recipe(recipe: Recipe, settings: Settings, options: PlanOptions) -> Plan:
    """The plan of a recipe that is read already. Raises RackError."""
    return make_plan(recipe, tuple(map(Path, settings.scriptlets)), options)


def playbook_of(recipe: str, options: PlanOptions = NO_OPTIONS) -> str:
    """The text of the playbook that a recipe file becomes. Raises RackError."""
    with _without_garbage_collection():
        return to_playbook(plan_of(recipe, options=options))


def compile_to_file(recipe: str, settings: Settings | None = None, options: PlanOptions = NO_OPTIONS) -> Path:
    """Compile `recipe`; returns the playbook's absolute path. Raises RackError."""
    settings = settings or project.load()
    return write_playbook(plan_of(recipe, settings, options), settings)


def write_playbook(plan: Plan, settings: Settings) -> Path:
    """Write a plan's playbook; returns its absolute path. Raises UsageError.

    The file's name has a digest of its content. So a changed recipe, another recipe of the same name, or other options
    do not replace it.
    """
    with _without_garbage_collection():
        text = to_playbook(plan).encode()
    folder = Path(settings.runs).parent / "compiled"
    target = folder / f"{stem_of(plan.recipe.path)}-{sha256(text).hexdigest()[:12]}.yml"
    try:
        make_private(folder)
        partial = folder / f".{target.name}.{os.getpid()}"
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "wb") as file:  # noqa: PTH123
            file.write(text)
        partial.replace(target)
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror}") from error
    return target.absolute()


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Switch Python's search for garbage off: a recipe has many objects and no garbage, and each search visits all."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
