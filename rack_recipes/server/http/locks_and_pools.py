# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks with leases, waiting for keys of several hosts, and reservations.

One resource of a pool that has the tags asked for.

The pool is a key of the run, such as `ports_v1: {"tester_1": {"tags": ["100g"], "address": "10.0.0.1"}}`. A resource
that somebody has is locked as `POOL.RESOURCE`, so `leases` says who has it, and giving it back is giving back the lock.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import json_text
from rack_recipes.server.http import messages_and_barriers
from rack_recipes.server.http.answers import answer, listed, long_answer
from rack_recipes.server.http.route_model import Call
from rack_recipes.server.live import key_operations
from rack_recipes.server.live.key_operations import LOCK, UNLOCK
from rack_recipes.server.live.live_context import Written
from rack_recipes.server.problems import Problem

if TYPE_CHECKING:
    from starlette.responses import Response


async def get_lock(call: Call) -> Response:
    """Get a lock, or a new lease of one that the owner holds."""
    name = call.params["name"]
    request = call.asked(key_operations.lock_key(name), "", LOCK, call.body)

    async def take() -> Response:
        return _lock_answer(name, await call.write(request))

    return await _when_free(call, take)


async def _when_free(call: Call, take: Callable[[], Awaitable[Response]]) -> Response:
    """What `take` answers, as soon as it raises no Problem that others hold what it wants; at most for `wait`."""
    until = asyncio.get_running_loop().time() + call.get("wait", 0.0)
    while True:
        messages_and_barriers.check_not_aborted(call.service)
        seen = call.service.listeners.told
        try:
            return await take()
        except Problem as problem:
            waits = until - asyncio.get_running_loop().time()
            if problem.kind != "locked" or waits <= 0 or call.service.listeners.is_closed:
                raise
            await call.service.listeners.wait_beyond(seen, min(waits, problem.more["left"] + 0.001))


async def give_lock_back(call: Call) -> Response:
    """Give a lock back before its lease is up."""
    name = call.params["name"]
    request = call.asked(key_operations.lock_key(name), "", UNLOCK, call.params["owner"])
    return _lock_answer(name, await call.write(request))


def _lock_answer(name: str, written: Written) -> Response:
    value: dict[str, Any] = json.loads(written.text)
    return answer(
        {"name": name, "owner": value["owner"], "left": key_operations.seconds_left(value), "fence": written.version}
    )


async def wait_for_hosts(call: Call) -> Response:
    """The value of a key on each of these hosts, once all of them have set it."""
    key, seconds = call.params["key"], call.get("wait", 0.0)
    hosts = [*dict.fromkeys(filter(None, call.params["hosts"].split(",")))]

    live, waited_for = call.service.live, hosts[::-1]

    def set_by_all() -> int | None:
        """The number of the last change, once all have set it: who has need not be looked at again."""
        messages_and_barriers.check_not_aborted(call.service)
        while waited_for and live.context.entry(key, waited_for[-1]):
            waited_for.pop()
        return None if waited_for else live.index.last

    at = await call.service.listeners.wait_for(set_by_all, seconds)
    if at is None:
        missing = [host for host in hosts if not live.context.entry(key, host)]
        detail = f"{key} was not set within {seconds:g} s by {first_few(missing, 5)}"
        raise Problem("timeout", detail, "look why these hosts are late, or wait longer", {"missing": missing})
    states = (live.index.value_at((host, key), at) for host in hosts)
    rows = (f"{json_text(state.host)}:{state.text}" for state in states if state)
    return await long_answer(call, listed({"key": key}, "hosts", rows, "{}"))


RESOURCE = re.compile("[a-z0-9_]{1,80}")
MOST_TAGS = 20
POOL_ADVICE = 'set it to an object such as {"tester_1": {"tags": ["100g"]}}, with names of a-z, 0-9 and _'
BODY_ADVICE = 'send {"tags": ["100g"], "owner": NAME, "lease": SECONDS}'
Resources = Mapping[str, Mapping[str, Any]]


def pool_key(pool: str) -> str:
    """The context key of a pool."""
    return f"{pool}_v1"


async def reserve(call: Call) -> Response:
    """Reserve a resource, as soon as one with all tags is free."""
    pool, tags = call.params["pool"], _tags(call.body)
    call.caller.check_read(pool_key(pool))
    lease = {name: call.body.get(name) for name in ("owner", "lease")}

    async def take() -> Response:
        held: list[Problem] = []
        for name, about in _own_first(call, pool, _fitting(call, pool, tags), lease["owner"]):
            key = key_operations.lock_key(f"{pool}.{name}")
            try:
                written = await call.write(call.asked(key, "", LOCK, lease))
            except Problem as problem:
                if problem.kind != "locked":
                    raise
                held.append(problem)
            else:
                lock = json.loads(written.text)
                got = {"owner": lock["owner"], "left": key_operations.seconds_left(lock), "fence": written.version}
                return answer({"pool": pool, "name": name, "about": about, **got})
        raise _all_held(pool, tags, held)

    return await _when_free(call, take)


def _tags(body: object) -> list[str]:
    """The tags that a request asks for. Raises Problem."""
    tags = body.get("tags", []) if isinstance(body, dict) and body.keys() <= {"tags", "owner", "lease"} else None
    if not isinstance(tags, list) or len(tags) > MOST_TAGS or not all(isinstance(tag, str) for tag in tags):
        raise Problem("bad-request", "expected an object with 'tags', 'owner' and 'lease'", BODY_ADVICE)
    return tags


def _fitting(call: Call, pool: str, tags: Sequence[str]) -> Resources:
    """The resources of a pool that have all tags. Raises Problem where there are none."""
    entry = call.service.live.context.entry(pool_key(pool), "")
    if entry is None:
        raise Problem("not-found", f"there is no pool {pool}: {pool_key(pool)} of the run is not set", POOL_ADVICE)
    there = _checked_pool(pool, json.loads(entry.text))
    found = {name: about for name, about in there.items() if {*tags} <= {*about.get("tags", ())}}
    if not found:
        known = sorted({tag for about in there.values() for tag in about.get("tags", ())})
        detail = f"nothing in {pool} has {', '.join(tags) or 'a name'}"
        raise Problem("not-found", detail, f"there are the tags {first_few(known, 20)}" if known else POOL_ADVICE)
    return found


def _own_first(call: Call, pool: str, resources: Resources, owner: object) -> list[tuple[str, Mapping[str, Any]]]:
    """The resources, behind the one that this owner has already: it gets a new lease of that."""

    def is_other(name: str) -> bool:
        entry = call.service.live.context.entry(key_operations.lock_key(f"{pool}.{name}"), "")
        lock = json.loads(entry.text) if entry else key_operations.FREE_LOCK
        return not (key_operations.seconds_left(lock) and lock["owner"] == owner)

    return sorted(resources.items(), key=lambda item: is_other(item[0]))


def _checked_pool(pool: str, value: Any) -> Resources:
    is_sound = isinstance(value, dict) and all(
        RESOURCE.fullmatch(name) and isinstance(about, dict) and _is_list_of_texts(about.get("tags", []))
        for name, about in value.items()
    )
    if not is_sound:
        raise Problem("not-applicable", f"{pool_key(pool)} is no pool", POOL_ADVICE)
    found: Resources = value
    return found


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _all_held(pool: str, tags: Sequence[str], held: Sequence[Problem]) -> Problem:
    """The problem that all are taken, which names the one that is free soonest."""
    soonest = min(held, key=lambda problem: problem.more["left"])
    wanted = f" with {', '.join(tags)}" if tags else ""
    return Problem(
        "locked",
        f"all {len(held)} of {pool}{wanted} are taken; the first is free in {soonest.more['left']:.1f} s",
        "wait for one (wait=SECONDS)",
        soonest.more,
    )
