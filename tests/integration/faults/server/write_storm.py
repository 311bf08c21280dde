# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients that write and read a few keys of a context server as fast as they can, and what they were told.

Clients of four kinds go on until the storm is over, whatever happens to the server. They write a value based on the
version that they have read; write without a version; add 1, and send the same request again until it is answered; or
only read. Each value is written by one request, so it tells who wrote it.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.integration.server.server_process import Answer, Server, UnixConnection
from linearizable import ADD, READ, WRITE, Operation, problems
from rack_recipes.journal.reader import JournalReader

VALUES = ("storm.a_v1", "storm.b_v1")
COUNT = "storm.count_v1"
KEYS = (*VALUES, COUNT)
BROKEN = (OSError, http.client.HTTPException)
DONE, NOT_SET, CONFLICT = 200, 404, 409
NOT_WRITTEN = (503, 507)  # the server says that it has not written
PATIENCE = 300.0  # seconds in which something has to be answered
PAUSE = 0.01  # seconds between two tries to reach the server, or to write what it could not


class Client(threading.Thread):
    """One client, and what it did and was told.

    `written` counts its acknowledged writes, `refusals` are the problems of those that could not be written.
    """

    def __init__(self, storm: Storm, number: int, act: Callable[[Client, str], None]) -> None:
        super().__init__(daemon=True)
        self.storm = storm
        self.number = number
        self.chance = random.Random(f"{storm.seed} {number}")
        self.history: list[Operation] = []
        self.refusals: list[Any] = []
        self.written = 0
        self.fault: BaseException | None = None
        self._act = act
        self._link = storm.connection()

    def run(self) -> None:
        """Act until the storm is over."""
        turn = 0
        try:
            while not self.storm.is_over.is_set():
                turn += 1
                self._act(self, f"{self.number}.{turn}")
        except BaseException as fault:
            self.fault = fault
        finally:
            self._link.close()

    def ask(self, method: str, target: str, data: Any = ..., **headers: str) -> Answer | None:
        """The answer of the server; None where the connection broke."""
        try:
            return self._link.ask(method, target, data, **headers)
        except BROKEN:
            self._link.close()
            return None

    def wait_for_server(self) -> bool:
        """Connect, unless there is a connection; False where the storm is over before."""
        while not self._link.sock:
            try:
                self._link.connect()
            except OSError:
                self._link.close()
                if self.storm.is_over.wait(PAUSE):
                    return False
        return True

    def note(self, operation: Operation, answer: Answer | None) -> None:
        """Note what became of an operation that has begun, by its answer."""
        ended = time.monotonic()
        if answer is None:
            self.history.append(operation)
        elif answer.status in NOT_WRITTEN:
            self.refusals.append(answer.data)
            self.storm.is_over.wait(PAUSE)
        else:
            self.history.append(_answered(operation, ended, answer))
            self.written += operation.action != READ and answer.status == DONE


def _answered(operation: Operation, ended: float, answer: Answer) -> Operation:
    """The operation with its answer. A write that is refused for another version is told the current value."""
    assert answer.status in (DONE, NOT_SET, CONFLICT), answer.data
    is_conflict = answer.status == CONFLICT
    told = answer.data["current"] if is_conflict else answer.data if answer.status == DONE else {}
    version, value = told.get("version", 0), told.get("value")
    return replace(operation, ended=ended, version=version, value=value, was_refused=is_conflict)


def writes(client: Client) -> int:
    """How many writes of this client were acknowledged."""
    return client.written


def refusals(client: Client) -> int:
    """How many writes of this client the server could not write."""
    return len(client.refusals)


class Storm:
    """The clients of a server, and what they have seen together. `connection` makes the connection of a client."""

    def __init__(self, connection: Callable[[], UnixConnection], seed: int) -> None:
        self.connection = connection
        self.seed = seed
        self.is_over = threading.Event()
        self.clients = [Client(self, number, act) for number, act in enumerate(CLIENTS)]

    @contextmanager
    def raging(self) -> Iterator[None]:
        """The clients are at work during the block. Raises what went wrong in one of them."""
        for client in self.clients:
            client.start()
        try:
            yield
        finally:
            self.is_over.set()
            for client in self.clients:
                client.join()
        faults = [client.fault for client in self.clients if client.fault]
        if faults:
            raise faults[0]

    def wait_for_more(self, count: Callable[[Client], int], number: int) -> None:
        """Wait until what is counted at each client is so much more for all together."""
        wanted, until = sum(map(count, self.clients)) + number, time.monotonic() + PATIENCE
        while sum(map(count, self.clients)) < wanted and not any(client.fault for client in self.clients):
            assert time.monotonic() < until, f"not within {PATIENCE:g} s"
            time.sleep(PAUSE)

    @property
    def history(self) -> list[Operation]:
        """All that was done."""
        return [one for client in self.clients for one in client.history]

    @property
    def refusals(self) -> list[Any]:
        """The problems of all that was not written."""
        return [problem for client in self.clients for problem in client.refusals]

    def counts(self) -> dict[str, int]:
        """How many operations there were, by what became of them."""
        history = self.history
        return {
            "operations": len(history),
            "acknowledged writes": sum(one.is_known and one.action != READ and not one.was_refused for one in history),
            "conflicts": sum(one.was_refused for one in history),
            "of unknown outcome": sum(not one.is_known for one in history),
            "not written": len(self.refusals),
        }


def write_based(client: Client, name: str) -> None:
    """Read a key, and write it based on what was read; another one may have been faster."""
    key = client.chance.choice(VALUES)
    read(client, name, key)
    last = client.history[-1] if client.history else None
    if last and last.key == key and last.is_known and client.wait_for_server():
        one = Operation(key, WRITE, time.monotonic(), operand=name, based_on=last.version)
        client.note(one, client.ask("PUT", f"/ctx/{key}?version={last.version}", name))


def write_blindly(client: Client, name: str) -> None:
    """Write a key, whatever it holds."""
    if client.wait_for_server():
        one = Operation(client.chance.choice(VALUES), WRITE, time.monotonic(), operand=name)
        client.note(one, client.ask("PUT", f"/ctx/{one.key}", name))


def add(client: Client, name: str) -> None:
    """Add 1 by one operation: the same request is sent again until it is answered."""
    one, answer = Operation(COUNT, ADD, time.monotonic(), operand=1), None
    while answer is None and client.wait_for_server():
        answer = client.ask("POST", f"/ctx/{COUNT}/increment", {}, Idempotency_Key=name)
    client.note(one, answer)


def read(client: Client, _name: str, key: str = "") -> None:
    """Read a key."""
    if client.wait_for_server():
        one = Operation(key or client.chance.choice(KEYS), READ, time.monotonic())
        client.note(one, client.ask("GET", f"/ctx/{one.key}"))


CLIENTS = (write_based, write_based, write_based, write_blindly, add, add, read, read)


def faults(storm: Storm, server: Server) -> list[str]:
    """What is wrong with all that clients were told, and with what a server, which is alive, has kept."""
    history = storm.history
    found = [f"request {name} was applied {n} times" for name, n in Counter(_requests(server.journal)).items() if n > 1]
    for key in KEYS:
        values = kept(server, key)
        last = values[-1] if values else None
        history.append(Operation(key, READ, time.monotonic(), time.monotonic(), version=len(values), value=last))
        found += [f"{key}: {value!r} was written {n} times" for value, n in Counter(values).items() if n > 1]
        found += [
            f"{key}: version {one.version} was {one.value!r} and is {values[one.version - 1 : one.version]}"
            for one in history
            if one.key == key and one.is_known and one.version and values[one.version - 1 : one.version] != [one.value]
        ]
    return [*found, *problems(history)]


def kept(server: Server, key: str) -> list[Any]:
    """All values of a key in the order of their versions."""
    values: list[Any] = []
    before = 10**14
    while True:
        answer = server.ask("GET", f"/ctx/{key}/history?limit=1000&before={before}").data
        values[:0] = [one["after"] for one in answer.get("changes", ())]
        if not answer.get("more"):  # or the key is not set
            return values
        before = answer["changes"][0]["seq"]


def _requests(journal: Path) -> Iterator[str]:
    """The ids of the requests that a journal has."""
    found = (line.record.get("request") for line in JournalReader(journal).read() if line.record)
    return filter(None, found)
