# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instances of a step with a loop or a matrix: the name of each, and the values of `${item}` and the like in it."""

from __future__ import annotations

import json
import re
from itertools import product

from ansible_collections.rack.recipes.plugins.module_utils.language.references import resolve, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope

    Instance = tuple[str, dict[str, Any]]

MOST = 10_000
SHORT = re.compile(r"[A-Za-z0-9_.:/-]{1,40}")


def instances(name: str, loop: Any, matrix: Any, scope: Scope) -> list[Instance]:
    """The name of each instance of the step `name`, such as `measure[eth0]`, and its words.

    The words are `index` and `item`, or `index` and `matrix`. `loop` is a list or a reference to one. Where it is None,
    `matrix` maps names to such lists, and the last name varies fastest. Raises ValueError for what is no list, and for
    more than 10,000 instances.
    """
    words = _of_matrix(matrix, scope) if loop is None else _of_loop(loop, scope)
    taken: dict[str, int] = {}
    found = []
    for label, word in words:
        taken[label] = taken.get(label, 0) + 1
        double = f"#{taken[label]}" if taken[label] > 1 else ""
        found.append((f"{name}[{label}{double}]", word))
    return found


def _of_loop(loop: Any, scope: Scope) -> list[Instance]:
    items = _list("loop", loop, scope)
    _check_count(len(items))
    return [(_label(item, index), {"item": item, "index": index}) for index, item in enumerate(items)]


def _of_matrix(matrix: dict[str, Any], scope: Scope) -> list[Instance]:
    axes = [list(enumerate(_list(f"matrix.{name}", given, scope))) for name, given in matrix.items()]
    count = 1
    for axis in axes:
        count *= len(axis)
    _check_count(count)
    found = []
    for index, chosen in enumerate(product(*axes)):
        label = ",".join(_label(value, place) for place, value in chosen)
        values = {name: value for name, (_place, value) in zip(matrix, chosen)}
        found.append((label, {"matrix": values, "index": index}))
    return found


def _list(name: str, given: Any, scope: Scope) -> list[Any]:
    value = resolve(given, scope)
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected a list, got {shown(value)}")
    return value


def _check_count(count: int) -> None:
    if count > MOST:
        raise ValueError(f"{count} instances, a step can have {MOST}")


def _label(value: Any, index: int) -> str:
    """The value, or the `name` of a mapping, where that is short and plain; else its index in its list."""
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return value if isinstance(value, str) and SHORT.fullmatch(value) else str(index)
