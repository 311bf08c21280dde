# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages: hosts tell each other where they are, wait for each other, and end each other's waiting.

Whoever takes part can end the waiting of all, now and from then on.

An abort is the key `abort.NAME_v1` of the run, for all names `abort.all_v1`. While it holds a reason, whoever waits
gets a problem. Set to null it counts no more.

A message is the key `message.NAME_v1` of the host that sends it, so that it is kept, has a history, and comes as an
event. Each one that a host sends under a name is its next version. At a barrier the version is the round: a host waits
until all others have sent as often as itself. The words are those of LAVA's multinode jobs.
https://docs.lavasoftware.org/lava/multinodeapi.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LONGEST_REASON, first_few
from rack_recipes.errors import nearest
from rack_recipes.server.http.answers import answer, listed, long_answer, with_texts
from rack_recipes.server.http.route_model import Call
from rack_recipes.server.live.key_operations import VALUE
from rack_recipes.server.problems import Problem
from rack_recipes.server.served_context import Service

if TYPE_CHECKING:
    from starlette.responses import Response
EVERYTHING = "all"


def abort_key(name: str) -> str:
    """The context key of the abort of a name."""
    return f"abort.{name}_v1"


def check_not_aborted(service: Service, *names: str) -> None:
    """Raise Problem if the waiting for one of these names, or all waiting, was aborted."""
    for name in (EVERYTHING, *names):
        entry = service.live.context.entry(abort_key(name), "")
        value = json.loads(entry.text) if entry else None
        if isinstance(value, dict) and value.get("reason"):
            by, reason = str(value.get("by", "")), str(value["reason"])
            what = "all waiting" if name == EVERYTHING else name
            advice = f"see to the reason; {abort_key(name)} set to null lets others wait again"
            raise Problem("aborted", f"{what} was aborted by {by}: {reason}", advice, {"by": by, "reason": reason})


REASON = re.compile(rf"[^\x00-\x1f\x7f]{{1,{LONGEST_REASON}}}")
ALL, GROUP = "*", "@"  # in a list of hosts: all hosts of the run, and what a group begins with


def message_key(name: str) -> str:
    """The context key of the messages of this name."""
    return f"message.{name}_v1"


async def send(call: Call) -> Response:
    """Send a message. With `wait` this is a barrier: wait until all others have sent it as often."""
    name, host = call.params["name"], call.get("host", "")
    others = named_hosts(call.service, call.get("hosts", ALL)) if "wait" in call.params else []
    check_not_aborted(call.service, name)
    written = await call.write(call.asked(message_key(name), host, VALUE, call.body))
    if not others:
        return await _answer(call, name, written.version, [host])
    return await _all(call, name, others, written.version - 1)


async def wait(call: Call) -> Response:
    """Wait for a message: of anyone, or of all of some hosts."""
    call.caller.check_read(message_key(call.params["name"]))
    name, known = call.params["name"], call.get("newer_than", 0)
    if "hosts" in call.params:
        return await _all(call, name, named_hosts(call.service, call.params["hosts"]), known)
    found = await _waited(call, name, lambda: _senders(call.service, name, known))
    if not found:
        seconds = call.get("wait", 0.0)
        raise Problem("timeout", f"nobody sent {name} within {seconds:g} s", "look why it is late, or wait longer")
    return await _answer(call, name, max(_version(call.service, name, host) for host in found), found)


async def abort(call: Call) -> Response:
    """End the waiting of all for a name, or for all names. Who begins to wait later is told, too."""
    body, by = call.body, call.get("host") or call.who
    reason = body.get("reason") if isinstance(body, dict) and body.keys() == {"reason"} else None
    if not isinstance(reason, str) or not REASON.fullmatch(reason):
        raise Problem("bad-request", "expected an object with the text 'reason'", 'send {"reason": "link is down"}')
    value = {"reason": reason, "by": by}
    await call.write(call.asked(abort_key(call.params["name"]), "", VALUE, value))
    return answer({"name": call.params["name"], **value})


async def _all(call: Call, name: str, hosts: Sequence[str], known: int) -> Response:
    """The messages of these hosts, once each has sent one with a version above `known`. Raises Problem."""
    open_hosts = [*reversed(hosts)]  # versions never go back: a host that has sent need not be looked at again

    def all_of_them() -> Sequence[str]:
        while open_hosts and _version(call.service, name, open_hosts[-1]) > known:
            open_hosts.pop()
        return [] if open_hosts else hosts

    if await _waited(call, name, all_of_them):
        return await _answer(call, name, known + 1, hosts)
    missing = [host for host in hosts if _version(call.service, name, host) <= known]
    detail = f"{name} was not sent within {call.get('wait', 0.0):g} s by {first_few(missing, 5)}"
    raise Problem("timeout", detail, "look why these hosts are late, or wait longer", {"missing": missing})


async def _waited(call: Call, name: str, find: Callable[[], Sequence[str]]) -> Sequence[str]:
    """The hosts that `find` finds, as soon as there are some. Raises Problem where the waiting is aborted."""

    def found() -> Sequence[str] | None:
        check_not_aborted(call.service, name)
        return find() or None

    return await call.service.listeners.wait_for(found, call.get("wait", 0.0)) or []


def _senders(service: Service, name: str, known: int) -> Sequence[str]:
    """Who has sent a message with a version above `known`: hosts of the run in its order, then others by name."""
    hosts = service.live.index.hosts_of(message_key(name))
    found = [host for host in hosts if _version(service, name, host) > known]
    place = {host: number for number, host in enumerate(service.live.run.hosts if len(found) > 1 else ())}
    return sorted(found, key=lambda host: place.get(host, len(place)) if host else -1)


def _version(service: Service, name: str, host: str) -> int:
    """The version of the message of a host; 0 where it has sent none."""
    entry = service.live.context.entry(message_key(name), host)
    return entry.version if entry else 0


def named_hosts(service: Service, text: str) -> list[str]:
    """The hosts of a list: names, `@` and a group of the inventory, or `*` for all hosts of the run. Raises Problem."""
    found: dict[str, None] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        found.update(dict.fromkeys(_hosts_of(service, word)))
    if not found:
        raise Problem("not-found", "hosts: there is no host to wait for", "name hosts, @GROUP or *, with commas")
    return [*found]


def _hosts_of(service: Service, word: str) -> Sequence[str]:
    run = service.live.run
    if word == ALL:
        return run.hosts
    if not word.startswith(GROUP):
        return (word,)
    if word[1:] not in run.groups:
        near = nearest(word[1:], [*run.groups])
        hint = f"did you mean @{near}?" if near else f"there are {first_few(sorted(run.groups), 10) or 'none'}"
        raise Problem("not-found", f"hosts: no host of this run is in the group {word[1:][:80]!r}", hint)
    return run.groups[word[1:]]


async def _answer(call: Call, name: str, version: int, hosts: Sequence[str]) -> Response:
    """The messages that these hosts have sent last, as of now."""
    index = call.service.live.index
    at = index.last
    states = (index.value_at((host, message_key(name)), at) for host in hosts)
    rows = (
        with_texts({"host": state.host, "version": state.version}, value=state.text) if state else ""
        for state in states
    )
    return await long_answer(call, listed({"name": name, "round": version}, "messages", rows))
