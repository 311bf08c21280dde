# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON Patch (RFC 6902) and JSON Pointer (RFC 6901).

A patch is a list of operations that all apply or none of them. A pointer is the place of a part in a JSON value.

Few bytes could make a large value: each `copy` may double it. So what copies make together has a limit, and a copy is
weighed before it is made. All else that an operation sets or compares came with the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LARGEST_VALUE, copy_json
from rack_recipes.errors import counted, nearest

INDEX = re.compile("0|[1-9][0-9]{0,8}")  # section 4: no leading zeros
END = "-"  # the place behind the last item of a list


PatchOperation = TypedDict("PatchOperation", {"op": str, "path": str, "from": str, "value": object}, total=False)
"""A checked operation; which fields it has beside `path` stands in OPERATIONS."""


class PointerError(ValueError):
    """A pointer that is no pointer, or that leads nowhere; the text says which part of it."""


def parse_pointer(pointer: str) -> tuple[str, ...]:
    """The parts of a pointer; none for the whole value. Raises PointerError."""
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise PointerError(f"expected a JSON pointer such as /ports/0, or an empty one, got {pointer[:200]!r}")
    if re.search("~(?![01])", pointer):
        raise PointerError(f"{pointer[:200]!r}: after ~ there must be 0 or 1 (~0 is ~, ~1 is /)")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))


def format_pointer(parts: Sequence[str]) -> str:
    """The parts as a pointer."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


def find_part(value: object, parts: Sequence[str]) -> Any:
    """The part of `value` that the parts of a pointer lead to. Raises PointerError where there is none."""
    for depth, part in enumerate(parts):
        if isinstance(value, dict):
            if part not in value:
                raise PointerError(f"there is no {format_pointer(parts[: depth + 1])}")
            value = value[part]
        elif isinstance(value, list):
            value = value[index_of(value, parts[: depth + 1])]
        else:
            where = f"{format_pointer(parts[:depth]) or 'the value'} has no parts"
            raise PointerError(f"there is no {format_pointer(parts[: depth + 1])}: {where}")
    return value


def index_of(items: Sequence[object], parts: Sequence[str]) -> int:
    """The index of an item that is there: the last of the parts that lead to it. Raises PointerError."""
    part = parts[-1]
    if not INDEX.fullmatch(part):
        raise PointerError(f"{format_pointer(parts)}: expected the number of an item of a list, got {part[:200]!r}")
    if int(part) >= len(items):
        raise PointerError(f"there is no {format_pointer(parts)}: the list has {counted(len(items), 'item')}")
    return int(part)


MOST_OPERATIONS = 1000


class PatchError(ValueError):
    """A patch that is not one; the text names the operation, counted from 0."""


class PatchDoesNotApplyError(ValueError):
    """A patch that does not fit the value: a path that is not there, a failed `test`, or too much to copy."""


class Room:
    """How much the copies of one patch may still make beside the value itself."""

    def __init__(self, value: object) -> None:
        self.left = LARGEST_VALUE - weight(value, LARGEST_VALUE)

    def copied(self, value: object) -> Any:
        """A copy of a value. Raises PointerError where there is no room for it."""
        self.left -= weight(value, self.left)
        if self.left < 0:
            raise PointerError(f"the value and what a patch copies may have {LARGEST_VALUE} bytes of JSON altogether")
        return copy_json(value)


def weight(value: object, enough: int) -> int:
    """The bytes that the JSON of a value has at least; counted up to `enough`."""
    found, parts = -1, [value]
    while parts and found <= enough:
        part = parts.pop()
        found += 2  # a sign, and what separates it from the next part
        if isinstance(part, str):
            found += len(part)
        elif isinstance(part, dict):
            found += sum(map(len, part))
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)
    return found


def check_patch(patch: object) -> None:
    """Raise PatchError if it is no JSON Patch."""
    if not isinstance(patch, list) or len(patch) > MOST_OPERATIONS:
        raise PatchError(f"expected a list of at most {MOST_OPERATIONS} operations, got {_short(patch)}")
    for number, operation in enumerate(patch):
        _check_operation(f"operation {number}", operation)


def known_fields(operation: Mapping[str, object]) -> dict[str, object]:
    """The fields of an operation that count; all others are passed over (section 4)."""
    return {name: operation[name] for name in ("path", *OPERATIONS[str(operation["op"])][1])}


def _check_operation(where: str, operation: object) -> None:
    name = operation.get("op") if isinstance(operation, dict) else None
    if not isinstance(operation, dict) or not isinstance(name, str) or name not in OPERATIONS:
        near = nearest(name, [*OPERATIONS]) if isinstance(name, str) else ""
        hint = f" (did you mean {near!r}?)" if near else ""
        raise PatchError(f"{where}: expected an object with 'op', one of {', '.join(OPERATIONS)}{hint}")
    for field in ("path", *OPERATIONS[name][1]):
        if field not in operation:
            raise PatchError(f"{where} ({name}): {field!r} is missing")
    for field in ("path", "from"):
        if field in operation:
            _check_pointer(f"{where} ({name}): {field}", operation[field])


def _check_pointer(where: str, pointer: object) -> None:
    if not isinstance(pointer, str):
        raise PatchError(f"{where}: expected a JSON pointer, got {_short(pointer)}")
    try:
        parse_pointer(pointer)
    except PointerError as error:
        raise PatchError(f"{where}: {error}") from None


def apply_patch(patch: Sequence[PatchOperation], value: object) -> Any:
    """The value after a checked patch; the given one is not changed. Raises PatchDoesNotApplyError."""
    copies = any(operation["op"] == "copy" for operation in patch)
    made, room = copy_json(value), Room(value if copies else None)
    for number, operation in enumerate(patch):
        try:
            made = OPERATIONS[operation["op"]][0](made, operation, room)
        except PointerError as error:
            raise PatchDoesNotApplyError(f"operation {number} ({operation['op']}): {error}") from None
        except RecursionError:  # copies and moves into each other's depths
            raise PatchDoesNotApplyError(f"operation {number} ({operation['op']}): is nested too deeply") from None
    return made


def _add(value: object, operation: PatchOperation, _room: Room) -> Any:
    return _added(value, parse_pointer(operation["path"]), copy_json(operation["value"]))


def _added(value: object, parts: Sequence[str], item: object) -> Any:
    if not parts:
        return item
    inside, last = find_part(value, parts[:-1]), parts[-1]
    if isinstance(inside, dict):
        inside[last] = item
    elif isinstance(inside, list):
        at_end = last in (END, str(len(inside)))
        inside.insert(len(inside) if at_end else index_of(inside, parts), item)
    else:
        raise PointerError(f"{format_pointer(parts[:-1]) or 'the value'} has no parts")
    return value


def _remove(value: object, operation: PatchOperation, _room: Room) -> Any:
    return _removed(value, parse_pointer(operation["path"]))


def _removed(value: object, parts: Sequence[str]) -> Any:
    find_part(value, parts)
    if not parts:
        return None
    inside = find_part(value, parts[:-1])
    del inside[int(parts[-1]) if isinstance(inside, list) else parts[-1]]
    return value


def _replace(value: object, operation: PatchOperation, _room: Room) -> Any:
    parts = parse_pointer(operation["path"])
    find_part(value, parts)
    if not parts:
        return copy_json(operation["value"])
    inside = find_part(value, parts[:-1])
    inside[int(parts[-1]) if isinstance(inside, list) else parts[-1]] = copy_json(operation["value"])
    return value


def _move(value: object, operation: PatchOperation, _room: Room) -> Any:
    source, target = parse_pointer(operation["from"]), parse_pointer(operation["path"])
    item = find_part(value, source)
    if source == target:
        return value
    if target[: len(source)] == source:
        raise PointerError(f"{operation['from']} cannot be moved into itself")
    return _added(_removed(value, source), target, item)


def _copy(value: object, operation: PatchOperation, room: Room) -> Any:
    return _added(
        value, parse_pointer(operation["path"]), room.copied(find_part(value, parse_pointer(operation["from"])))
    )


def _test(value: object, operation: PatchOperation, _room: Room) -> Any:
    found = find_part(value, parse_pointer(operation["path"]))
    if not _same(found, operation["value"]):
        where = operation["path"] or "the value"
        raise PointerError(f"{where} is {_short(found)}, expected {_short(operation['value'])}")
    return value


def _same(first: object, second: object) -> bool:
    """Whether both are the same JSON (section 4.6): 1 and 1.0 are one number, and no number is true."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_same(item, second[name]) for name, item in first.items())
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_same, first, second))
    return bool(first == second)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."  # characters


Operation = Callable[[object, PatchOperation, Room], Any]
OPERATIONS: Mapping[str, tuple[Operation, tuple[str, ...]]] = {  # with the fields that each needs beside `path`
    "add": (_add, ("value",)),
    "remove": (_remove, ()),
    "replace": (_replace, ("value",)),
    "move": (_move, ("from",)),
    "copy": (_copy, ("from",)),
    "test": (_test, ("value",)),
}
