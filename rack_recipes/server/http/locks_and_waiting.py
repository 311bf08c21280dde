# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where programs meet: locks with leases, and waiting for several hosts."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import json_text
from rack_recipes.server.http import abort_waiting
from rack_recipes.server.http.answers import answer
from rack_recipes.server.http.long_answers import listed, long_answer
from rack_recipes.server.http.route_model import Call
from rack_recipes.server.live.live_context import Written
from rack_recipes.server.problems import Problem
from rack_recipes.server.writes import leases
from rack_recipes.server.writes.key_operations import LOCK, UNLOCK, WriteRequest, checked

if TYPE_CHECKING:
    from starlette.responses import Response


async def get_lock(call: Call) -> Response:
    """Get a lock, or a new lease of one that the owner holds."""
    request = checked(WriteRequest(leases.key_of(call.params["name"]), "", LOCK, call.body, who=call.who))
    until = asyncio.get_running_loop().time() + call.get("wait", 0.0)
    while True:
        abort_waiting.check(call.service)
        seen = call.service.listeners.told
        try:
            return _lock_answer(call.params["name"], await call.write(request))
        except Problem as problem:
            waits = until - asyncio.get_running_loop().time()
            if problem.kind != "locked" or waits <= 0 or call.service.listeners.is_closed:
                raise
            await call.service.listeners.wait_beyond(seen, min(waits, problem.more["left"] + 0.001))


async def give_lock_back(call: Call) -> Response:
    """Give a lock back before its lease is up."""
    name = call.params["name"]
    request = WriteRequest(leases.key_of(name), "", UNLOCK, call.params["owner"], who=call.who)
    return _lock_answer(name, await call.write(checked(request)))


def _lock_answer(name: str, written: Written) -> Response:
    value: dict[str, Any] = json.loads(written.text)
    return answer({"name": name, "owner": value["owner"], "left": leases.left(value), "fence": written.version})


async def wait_for_hosts(call: Call) -> Response:
    """The value of a key on each of these hosts, once all of them have set it."""
    key, seconds = call.params["key"], call.get("wait", 0.0)
    hosts = [*dict.fromkeys(filter(None, call.params["hosts"].split(",")))]

    live, waited_for = call.service.live, hosts[::-1]

    def set_by_all() -> int | None:
        """The number of the last change, once all have set it: who has need not be looked at again."""
        abort_waiting.check(call.service)
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
