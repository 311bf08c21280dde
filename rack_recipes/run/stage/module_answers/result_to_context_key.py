# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of an Ansible module's result that a context key takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.references import shown as shown_value, walk
from rack_recipes.recipe.recipe_model import ResultPart

RESULT = "the result"


def part_of(result: Mapping[str, Any], part: ResultPart) -> Any:
    """The value at the path of a part. Raises ValueError, with the nearest key, where the result has none there.

    With `parse: json` each text on the path and at its end is read as JSON. What is no text is parsed already.
    """
    value, name = _parsed(result, part, RESULT), RESULT
    for word in part.at.split(".") if part.at else ():
        value = walk(name, value, [word])
        name = word if name == RESULT else f"{name}.{word}"
        value = _parsed(value, part, name)
    return value


def _parsed(value: Any, part: ResultPart, name: str) -> Any:
    if not isinstance(value, str) or part.parse != "json":
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(f"{name} is no JSON: it is {shown_value(value)}") from None
