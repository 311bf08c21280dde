# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References to parts of parameters that are not there, such as `${params.site.vlan}` where `site` has no `vlan`.

The values of parameters are known before anything runs, so nobody has to wait for the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.references import parse, walk
from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask
from rack_recipes.recipe.recipe_model import Param, Step
from rack_recipes.recipe.rules.unchecked_mapping import REFERENCE_FIELDS
from rack_recipes.recipe.steps_to_and_from_data import to_data
from rack_recipes.recipe.substitution import REFERENCE


def missing_param_parts(
    steps: Iterable[Step], declared: Mapping[str, Param], values: Mapping[str, Any], mask: Mask
) -> Iterator[str]:
    """A message for each reference of `steps` to a part that these values of parameters do not have.

    The messages show of values what `mask` lets through. A step with `when` is left out: its condition may be what
    keeps it from running without that part.
    """
    nested = {name: value for name, value in values.items() if isinstance(value, dict | list)}
    for step in steps if nested else ():
        if step.when is True:
            data = to_data(step)
            fields = {name: data[name] for name in REFERENCE_FIELDS if name in data}
            told = (one for text in _texts(fields) for one in _missing(text, declared, nested, mask))
            yield from (f"{step.place}: step {step.name!r}: {one}" for one in told)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _missing(text: str, declared: Mapping[str, Param], values: Mapping[str, Any], mask: Mask) -> Iterator[str]:
    for match in REFERENCE.finditer(text):
        word, path, _host = parse(match) or ("", [], "")
        if word != "params" or not path or path[0] not in values:
            continue
        name, *rest = path
        if _why_not(name, values[name], rest):
            shown = "" if declared[name].secret else _why_not(name, mask.mask_value(values[name]), rest)
            yield f"{match[0]}: {shown or 'it has no such part'}"


def _why_not(name: str, value: Any, path: list[str]) -> str:
    """Why a parameter has no such part, empty where it has."""
    try:
        walk(f"params.{name}", value, path)
    except ValueError as error:
        return str(error)
    return ""
