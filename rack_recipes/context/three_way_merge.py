# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merge two values, field by field, that were made from the same one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ABSENT: Any = object()  # no field of this name
NO_FIELDS: Mapping[str, Any] = {}


def deep_merge(base: Any, theirs: Any, ours: Any) -> tuple[Any, tuple[str, ...]]:
    """The value with the changes of both sides, and the paths of the fields that both sides have changed.

    Objects are merged key by key. Lists, numbers and texts are not merged: where one side has changed such a value,
    the changed one is taken, and where both have, `ours`, which came later. An empty path stands for the whole value.
    `base` is `ABSENT` where it is unknown; then all that a side holds counts as added by it.
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
        return _merged_fields(base if isinstance(base, dict) else NO_FIELDS, theirs, ours, path, both)
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
    """Whether both are the same JSON. In Python 1, 1.0 and True are equal, in JSON they are not."""
    if first is ABSENT or second is ABSENT:
        return first is second
    return first is second or json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
