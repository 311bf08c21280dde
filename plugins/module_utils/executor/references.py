# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`${key.path}` in a step's arguments: a value of the context, resolved on the host."""

from __future__ import annotations

import json
import re

from ansible_collections.rack.recipes.plugins.module_utils.view import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REFERENCE = re.compile(r"\$\{([a-z][a-z0-9_.]*?_v[0-9]+)((?:\.[A-Za-z0-9_-]+)*)\}")


def keys_in(value: Any) -> set[str]:
    """The context keys that `value` refers to, however deep."""
    if isinstance(value, str):
        return {match[0] for match in REFERENCE.findall(value)}
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return {key for item in items for key in keys_in(item)}


def resolve(value: Any, ctx: View) -> Any:
    """`value` with its references filled in; raises ValueError for one that leads nowhere.

    A text that is one reference becomes the value itself, of any type; inside a longer text a value is put as text.
    """
    if isinstance(value, dict):
        return {name: resolve(item, ctx) for name, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, ctx) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    whole = REFERENCE.fullmatch(value)
    if whole:
        return _look_up(whole, ctx)
    return REFERENCE.sub(lambda match: _as_text(_look_up(match, ctx)), value)


def _look_up(match: re.Match[str], ctx: View) -> Any:
    if match[1] not in ctx:
        raise ValueError(f"{match[0]}: the context has no key {match[1]}")
    found = ctx.get(match[1])
    for part in match[2].split(".")[1:]:
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ValueError(f"{match[0]}: {match[1]} has no {part!r}") from None
    return found


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
