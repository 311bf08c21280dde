# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client asks to be written to a key, and the value that comes of it; locks with a lease are such values.

A holder that dies keeps nothing for ever: once its lease is up, the next one gets the lock. The version of the key is
higher each time somebody gets the lock, so it can be handed on as a fencing token: what a lock protects can refuse an
older one. https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html

The server applies these operations to the value that a key has at that moment. So writers of one key need not read it
before, and need not try again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    check_key,
    check_size,
    check_value,
    shortened,
)
from rack_recipes.server.live import json_patch
from rack_recipes.server.live.json_patch import PointerError, find_part, format_pointer, parse_pointer
from rack_recipes.server.problems import Problem

LONGEST_LEASE = 86400.0  # seconds
OWNER = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
FREE_LOCK: dict[str, Any] = {"owner": "", "until": 0.0}
LEASE_ADVICE = 'send {"owner": NAME, "lease": SECONDS}, with a name that nobody else uses and at most a day'


def lock_key(name: str) -> str:
    """The context key of a lock."""
    return f"lock.{name}_v1"


def seconds_left(value: object) -> float:
    """The seconds that the lease of a lock has left; 0 if it is free."""
    until = value.get("until") if isinstance(value, dict) and value.get("owner") else 0
    return max(0.0, until - time.time()) if isinstance(until, int | float) else 0.0


def check_lease(request: WriteRequest) -> None:
    """Raise Problem if the operand is not an owner with a lease."""
    operand = request.operand
    is_object = isinstance(operand, dict) and operand.keys() == {"owner", "lease"}
    owner, lease = (operand["owner"], operand["lease"]) if is_object else ("", 0)
    is_number = isinstance(lease, int | float) and not isinstance(lease, bool)
    if not isinstance(owner, str) or not OWNER.fullmatch(owner) or not is_number or not 0 < lease <= LONGEST_LEASE:
        raise Problem("bad-request", "expected an object with 'owner' and 'lease'", LEASE_ADVICE)


def acquire_lock(request: WriteRequest, _is_set: bool, value: Any) -> Any:
    """The lock as its new owner holds it; who holds it already gets a new lease. Raises Problem if it is not free."""
    owner = request.operand["owner"]
    if seconds_left(value) and value["owner"] != owner:
        raise _held(request.key, value)
    return {"owner": owner, "until": time.time() + request.operand["lease"]}


def check_lock_owner(_request: WriteRequest) -> None:
    """The owner who gives a lock back is a parameter, and checked as such."""


def release_lock(request: WriteRequest, _is_set: bool, value: Any) -> Any:
    """The lock, free again. Raises Problem where somebody else holds it, or its lease was up."""
    if seconds_left(value) and value["owner"] == request.operand:
        return FREE_LOCK
    raise _held(request.key, value if seconds_left(value) else FREE_LOCK)


def _held(key: str, value: Any) -> Problem:
    name = key.removeprefix("lock.").removesuffix("_v1")
    holder = f"is held by {value['owner']}, for {seconds_left(value):.1f} s more" if value["owner"] else "is free"
    advice = "wait for it (wait=SECONDS)" if value["owner"] else "its lease was up: get it again, with a longer one"
    return Problem("locked", f"lock {name} {holder}", advice, {"owner": value["owner"], "left": seconds_left(value)})


VALUE, PATCH, MERGE, INCREMENT = "value", "patch", "merge", "increment"
LOCK, UNLOCK = "lock", "unlock"
FOR_CLIENTS = (VALUE, PATCH, MERGE, INCREMENT)  # what a client can ask for by name; locks have paths of their own
OPERATION_ADVICE = {
    PATCH: 'send a JSON Patch (RFC 6902), such as [{"op": "replace", "path": "/mean", "value": 3}]',
    INCREMENT: 'send {"by": NUMBER}, and with "path" the JSON pointer of a number inside of the value',
}


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A write of one key of a host, or of the run (`host` is empty).

    `operation` is one of OPERATIONS, `operand` what it needs. `based_on` is the version that the writer knows (0: there
    is none), None if it does not matter. `who` is the client, `step` the name of what it does, `request` its id of this
    request, by which a repeated one is known.
    """

    key: str
    host: str
    operation: str
    operand: Any
    based_on: int | None = None
    who: str = ""
    step: str = ""
    request: str = ""


def check_request(request: WriteRequest) -> WriteRequest:
    """The request, if its key and its operand are sound. Raises Problem."""
    try:
        check_key(request.key)
    except ValueError as error:
        raise Problem("bad-request", shortened(str(error)), "keys are lower-case dotted names with a version") from None
    OPERATIONS[request.operation].check(request)
    return request


def new_value(request: WriteRequest, is_set: bool, value: object) -> Any:
    """The value after a request, where the key `is_set` to `value` before. Raises Problem where it does not fit."""
    made = OPERATIONS[request.operation].apply(request, is_set, value)
    if request.operation == VALUE:
        return made
    try:
        return _checked(made, request.key)
    except ValueError as error:
        raise Problem(
            "not-applicable", shortened(str(error)), "send an operation whose result the context can hold"
        ) from None


def _checked(value: object, name: str) -> Any:
    checked = check_value(value, name)
    check_size(checked, name)
    return checked


def _check_value(request: WriteRequest) -> None:
    try:
        _checked(request.operand, request.key)
    except ValueError as error:
        raise Problem("bad-request", shortened(str(error)), "send JSON that the context can hold") from None


def _check_patch(request: WriteRequest) -> None:
    try:
        json_patch.check_patch(request.operand)
        check_value([json_patch.known_fields(operation) for operation in request.operand], PATCH)
    except (ValueError, RecursionError) as error:
        raise Problem("bad-request", shortened(str(error)), OPERATION_ADVICE[PATCH]) from None


def _check_increment(request: WriteRequest) -> None:
    operand = request.operand
    is_sound = isinstance(operand, dict) and operand.keys() <= {"by", "path"}
    by, path = (operand.get("by", 1), operand.get("path", "")) if is_sound else (None, None)
    if isinstance(by, bool) or not isinstance(by, int | float) or not isinstance(path, str):
        raise Problem("bad-request", "expected an object with the number 'by'", OPERATION_ADVICE[INCREMENT])
    try:
        check_value(by, "by")
        parse_pointer(path)
    except ValueError as error:
        raise Problem("bad-request", shortened(str(error)), OPERATION_ADVICE[INCREMENT]) from None


def _set(request: WriteRequest, _is_set: bool, _value: object) -> Any:
    return request.operand


def _patched(request: WriteRequest, is_set: bool, value: object) -> Any:
    if not is_set:
        raise Problem("not-found", f"{request.key} is not set, so there is nothing to patch", "set the key first")
    try:
        return json_patch.apply_patch(request.operand, value)
    except json_patch.PatchDoesNotApplyError as error:
        raise Problem("not-applicable", str(error), "read the key, and patch what it holds") from None


def _merged(request: WriteRequest, _is_set: bool, value: object) -> Any:
    return merge_patch(value, request.operand)


def merge_patch(value: object, patch: object) -> Any:
    """The value with a JSON Merge Patch (RFC 7396): fields are set, those with null are removed, lists are replaced."""
    if not isinstance(patch, dict):
        return patch
    made = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            made.pop(name, None)
        else:
            made[name] = merge_patch(made.get(name), item)
    return made


def _incremented(request: WriteRequest, is_set: bool, value: object) -> Any:
    """The value with a larger number; a number that is not there begins at 0."""
    by, parts = request.operand.get("by", 1), parse_pointer(request.operand.get("path", ""))
    if not parts:
        return _sum(request.key, value if is_set else 0, by)
    try:
        inside = find_part(value if is_set else {}, parts[:-1])
    except PointerError as error:
        raise Problem("not-applicable", f"{request.key}: {error}", "set what holds the number first") from None
    before = inside.get(parts[-1], 0) if isinstance(inside, dict) else _item(request.key, inside, parts)
    path, op = format_pointer(parts), "add" if isinstance(inside, dict) else "replace"
    made = _sum(f"{request.key}{path}", before, by)
    return json_patch.apply_patch([{"op": op, "path": path, "value": made}], value if is_set else {})


def _item(key: str, inside: object, parts: tuple[str, ...]) -> Any:
    try:
        return find_part(inside, parts[-1:])
    except PointerError as error:
        raise Problem("not-applicable", f"{key}: {error}", "increment a number that is there") from None


def _sum(name: str, number: object, by: float) -> Any:
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise Problem("not-applicable", f"{name} is no number", "increment a key that holds a number, or give its path")
    try:
        return number + by
    except OverflowError:
        raise Problem("not-applicable", f"{name}: the sum fits no number", "increment by less") from None


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of write: what its operand must be, and how it makes a value of the one before."""

    check: Callable[[WriteRequest], None]
    apply: Callable[[WriteRequest, bool, Any], Any]


OPERATIONS: Mapping[str, Operation] = {
    VALUE: Operation(_check_value, _set),
    PATCH: Operation(_check_patch, _patched),
    MERGE: Operation(_check_value, _merged),
    INCREMENT: Operation(_check_increment, _incremented),
    LOCK: Operation(check_lease, acquire_lock),
    UNLOCK: Operation(check_lock_owner, release_lock),
}
