# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merge two values that came of the same one, field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ABSENT: Any = object()  # no field of this name
NOTHING: Mapping[str, Any] = {}


def deep_merge(base: Any, theirs: Any, ours: Any) -> tuple[Any, tuple[str, ...]]:
    """The value with the changes of both against `base`, and the paths of the fields that both have changed.

    Objects are merged key by key. Of a list, a number or a text that only one side has changed, that side's is taken;
    of one that both have changed, `ours`, which came later. An empty path is the whole value. `base` is `ABSENT` where
    nobody knows it: then each side has added all that it holds.
    """
    both: list[str] = []
    merged = _merged(base, theirs, ours, "", both)
    return merged, tuple(both)


def _merged(base: Any, theirs: Any, ours: Any, path: str, both: list[str]) -> Any:
    if _same(ours, base) or _same(ours, theirs):
        return theirs
    if _same(theirs, base):
        return ours
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return _merged_fields(base if isinstance(base, dict) else NOTHING, theirs, ours, path, both)
    both.append(path)
    return ours


def _merged_fields(base: Mapping[str, Any], theirs: Any, ours: Any, path: str, both: list[str]) -> dict[str, Any]:
    fields = {
        name: _merged(
            base.get(name, ABSENT),
            theirs.get(name, ABSENT),
            ours.get(name, ABSENT),
            f"{path}.{name}" if path else name,
            both,
        )
        for name in {**theirs, **ours}
    }
    return {name: value for name, value in fields.items() if value is not ABSENT}


def _same(first: Any, second: Any) -> bool:
    """Whether both are the same JSON: to Python 1, 1.0 and true are equal."""
    if first is ABSENT or second is ABSENT:
        return first is second
    return first is second or json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
