# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of a recipe's parameters in a run: from its declarations, as the compiled plays have them, to secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.language.masks import MASKED, Mask
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Param

GIVEN = "rack_recipes_params"
WORDS = {field.name for field in fields(Param)} - {"limits"}

Declared = Mapping[str, Mapping[str, Any]]


def param_values(declared: Declared, extra_vars: Mapping[str, Any], fill: Callable[[Any], Any]) -> dict[str, Any]:
    """The value of each parameter: of `rack_recipes_params`, else of an extra var of its name, else its default.

    `fill` fills in Ansible's templates. Raises UsageError with all that is wrong.
    """
    given = extra_vars.get(GIVEN) or {}
    if not isinstance(given, Mapping):
        raise UsageError(f"{GIVEN} (values of the recipe's parameters): expected a mapping, got {given!r:.200}")
    if not declared and not given:
        return {}
    from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.params import values  # 20 ms

    named = {name: extra_vars[name] for name in declared if name in extra_vars}
    filled = transform_to_native_types(fill({**named, **given})) if named or given else {}
    return values({name: _param(name, said) for name, said in declared.items()}, filled, texts=True)


def _param(name: str, said: Mapping[str, Any]) -> Param:
    words = {word: value for word, value in said.items() if word in WORDS}
    limits = {word: value for word, value in said.items() if word not in WORDS}
    return Param(name, **{"required": "default" not in said, **words}, limits=limits)


def masked(declared: Declared, values: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    """The values as they may be shown and kept: one may hold another, that is secret."""
    return {name: MASKED if declared[name].get("secret") else mask.mask_value(value) for name, value in values.items()}


def secrets_of(declared: Declared, values: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts that nobody may see."""
    secret = (value for name, value in values.items() if declared[name].get("secret"))
    return tuple(sorted({text for value in secret for text in _texts(value)}))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (text for item in value.values() for text in _texts(item))
    elif isinstance(value, list):
        yield from (text for item in value for text in _texts(item))
    elif value not in ("", None) and not isinstance(value, bool):
        yield str(value)
