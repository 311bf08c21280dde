# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON Pointer (RFC 6901): the place of a part in a JSON value, such as `/ports/0/speed`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

INDEX = re.compile("0|[1-9][0-9]{0,8}")  # section 4: no leading zeros
END = "-"  # the place behind the last item of a list


class PointerError(ValueError):
    """A pointer that is no pointer, or that leads nowhere; the text says which part of it."""


def parse(pointer: str) -> tuple[str, ...]:
    """The parts of a pointer; none for the whole value. Raises PointerError."""
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise PointerError(f"expected a JSON pointer such as /ports/0, or an empty one, got {pointer[:200]!r}")
    if re.search("~(?![01])", pointer):
        raise PointerError(f"{pointer[:200]!r}: after ~ there must be 0 or 1 (~0 is ~, ~1 is /)")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))


def written(parts: Sequence[str]) -> str:
    """The parts as a pointer."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


def find(value: Any, parts: Sequence[str]) -> Any:
    """The part of `value` that the parts of a pointer lead to. Raises PointerError where there is none."""
    for depth, part in enumerate(parts):
        if isinstance(value, dict):
            if part not in value:
                raise PointerError(f"there is no {written(parts[: depth + 1])}")
            value = value[part]
        elif isinstance(value, list):
            value = value[index_of(value, parts[: depth + 1])]
        else:
            where = f"{written(parts[:depth]) or 'the value'} has no parts"
            raise PointerError(f"there is no {written(parts[: depth + 1])}: {where}")
    return value


def index_of(items: Sequence[Any], parts: Sequence[str]) -> int:
    """The index of an item that is there: the last of the parts that lead to it. Raises PointerError."""
    part = parts[-1]
    if not INDEX.fullmatch(part):
        raise PointerError(f"{written(parts)}: expected the number of an item of a list, got {part[:200]!r}")
    if int(part) >= len(items):
        raise PointerError(f"there is no {written(parts)}: the list has {len(items)} items")
    return int(part)
