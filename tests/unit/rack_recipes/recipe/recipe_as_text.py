# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe as text, for golden files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from rack_recipes.errors import Place
from rack_recipes.recipe.recipe_model import Recipe

KEPT = ("type", "scope")
EMPTY = ("params", "pre_step", "post_step", "locks", "canary", "serial", "time_box", "fail_fast", "merge")


def shown(recipe: Recipe) -> str:
    """A recipe as JSON, without its places and the digests of its files, those of steps and hooks as text.

    The model's defaults are left out, too.
    """
    names = [field.name for field in fields(recipe) if field.name not in ("places", "files")]
    data = {name: as_data(getattr(recipe, name)) for name in names}
    data = {name: value for name, value in data.items() if name not in EMPTY or value}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def as_data(value: Any) -> Any:
    """A part of the model as JSON data, without what is as in a new one."""
    if isinstance(value, Place):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [as_data(item) for item in value]
    if isinstance(value, Mapping):
        return {name: as_data(item) for name, item in value.items()}
    if not is_dataclass(value):
        return value
    both = ((field, getattr(value, field.name)) for field in fields(value))
    return {field.name: as_data(item) for field, item in both if field.name in KEPT or item != default_of(field)}


def default_of(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
