# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how soon a change reaches many listeners, beside a bare ASGI program and Valkey, in one run.

`server_speed.py` runs this. One client makes a change, and waits until each listener has it. The clock runs from the
moment before the change is sent. Listeners of ours and of the bare program follow server-sent events, those of Valkey a
channel. All of them are in one process, which needs some of the time. Figures are medians of rounds.
"""

from __future__ import annotations

import resource
import selectors
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.rack.recipes.tests.bench.server_writes import (
    CONTESTANTS,
    NEEDED,
    Contestant,
    connect,
    http_request,
    started,
    valkey_command,
)

PATIENCE = 60.0  # seconds
FOLLOW = b"GET /events?key=bench.told_v1 HTTP/1.1\r\nHost: ctx\r\n\r\n"


@dataclass(frozen=True)
class Audience:
    """How a contestant is listened to: what a listener sends, what shows that it listens, how a text is made known."""

    contestant: Contestant
    listen: bytes
    sign: bytes
    tell: Callable[[str], bytes]


def put(text: str) -> bytes:
    """A write of ours."""
    return http_request("PUT", "/ctx/bench.told_v1", f'"{text}"')


def publish(text: str) -> bytes:
    """The same by Valkey."""
    return valkey_command("PUBLISH", "told", text)


BY_NAME = {one.name: one for one in CONTESTANTS}
AUDIENCES = (
    Audience(BY_NAME["bare ASGI"], FOLLOW, b"retry:", put),
    Audience(BY_NAME["ours"], FOLLOW, b"retry:", put),
    Audience(BY_NAME["Valkey, everysec"], valkey_command("SUBSCRIBE", "told"), b"subscribe", publish),
)


def reached(audience: Audience, listeners: int, changes: int) -> list[list[float]]:
    """For each change the seconds after which each listener had it, the soonest first."""
    with started(audience.contestant) as address, selectors.DefaultSelector() as selector:
        teller = connect(address)
        for _number in range(listeners):
            link = connect(address)
            link.sendall(audience.listen)
            selector.register(link, selectors.EVENT_READ, bytearray())
            _wait_for(selector, audience.sign, 1)
        found = []
        for change in range(changes + 1):
            text = f"told-{change}."
            began = time.monotonic()
            teller.sendall(audience.tell(text))
            found.append([each - began for each in _wait_for(selector, text.encode(), listeners)])
            teller.recv(65536)
        for key in [*selector.get_map().values()]:
            key.fileobj.close()  # type: ignore[union-attr]
        teller.close()
    return found[1:]  # the first one sets the key


def _wait_for(selector: selectors.BaseSelector, sign: bytes, number: int) -> list[float]:
    """The times at which so many connections had a text."""
    times: list[float] = []
    while len(times) < number:
        ready = selector.select(PATIENCE)
        if not ready:
            raise TimeoutError(f"{number - len(times)} of {number} listeners have not got {sign.decode()}")
        for key, _events in ready:
            key.data.extend(key.fileobj.recv(65536))  # type: ignore[union-attr]
            if sign in key.data:
                times.append(time.monotonic())
                key.data.clear()
    return times


def measured(audience: Audience, listeners: int, changes: int) -> tuple[float, float, float]:
    """The milliseconds after which a change has reached half of the listeners, 99 in 100, and the last one: medians."""
    found = reached(audience, listeners, changes)
    places = (listeners // 2, listeners * 99 // 100, listeners - 1)
    p50, p99, last = (1000 * statistics.median(times[place] for times in found) for place in places)
    return p50, p99, last


def medians(listeners: int, changes: int, rounds: int) -> dict[str, tuple[float, ...]]:
    """What `measured` finds for each contestant that is installed: medians of rounds, in which they take turns."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    there = [one for one in AUDIENCES if one.contestant.name not in NEEDED or shutil.which(NEEDED[one.contestant.name])]
    found: dict[str, list[tuple[float, ...]]] = {one.contestant.name: [] for one in there}
    for _round in range(rounds):
        for one in there:
            found[one.contestant.name].append(measured(one, listeners, changes))
    return {
        name: tuple(statistics.median(column) for column in zip(*each, strict=True)) for name, each in found.items()
    }
