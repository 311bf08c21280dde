# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks with a lease: a key that says who holds the lock, and until when.

A holder that dies keeps nothing for ever: once its lease is up, the next one gets the lock. The version of the key is
higher each time somebody gets the lock, so it can be handed on as a fencing token: what a lock protects can refuse an
older one. https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from rack_recipes.server.problems import Problem

if TYPE_CHECKING:
    from rack_recipes.server.writes.key_operations import WriteRequest

LONGEST_LEASE = 86400.0  # seconds
OWNER = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
FREE: dict[str, Any] = {"owner": "", "until": 0.0}
ADVICE = 'send {"owner": NAME, "lease": SECONDS}, with a name that nobody else uses and at most a day'


def key_of(name: str) -> str:
    """The context key of a lock."""
    return f"lock.{name}_v1"


def left(value: Any) -> float:
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
        raise Problem("bad-request", "expected an object with 'owner' and 'lease'", ADVICE)


def acquired(request: WriteRequest, _is_set: bool, value: Any) -> Any:
    """The lock as its new owner holds it; who holds it already gets a new lease. Raises Problem if it is not free."""
    owner = request.operand["owner"]
    if left(value) and value["owner"] != owner:
        raise _held(request.key, value)
    return {"owner": owner, "until": time.time() + request.operand["lease"]}


def check_owner(_request: WriteRequest) -> None:
    """The owner who gives a lock back is a parameter, and checked as such."""


def released(request: WriteRequest, _is_set: bool, value: Any) -> Any:
    """The lock, free again. Raises Problem where somebody else holds it, or its lease was up."""
    if left(value) and value["owner"] == request.operand:
        return FREE
    raise _held(request.key, value if left(value) else FREE)


def _held(key: str, value: Any) -> Problem:
    name = key.removeprefix("lock.").removesuffix("_v1")
    holder = f"is held by {value['owner']}, for {left(value):.1f} s more" if value["owner"] else "is free"
    advice = "wait for it (wait=SECONDS)" if value["owner"] else "its lease was up: get it again, with a longer one"
    return Problem("locked", f"lock {name} {holder}", advice, {"owner": value["owner"], "left": left(value)})
