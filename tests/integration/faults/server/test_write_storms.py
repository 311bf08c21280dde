# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers in a storm of writes: killed, with a full disk, sharing a Valkey, and with many writers of one key."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

import faulty_disks
import reliability_sweeps
from ansible_collections.rack.recipes.plugins.module_utils import live_client
from ansible_collections.rack.recipes.plugins.module_utils.live_client import Live, Refused
from ansible_collections.rack.recipes.tests.integration.faults.server.write_storm import Storm, faults, refusals, writes
from ansible_collections.rack.recipes.tests.integration.server.server_process import (
    Answer,
    Server,
    UnixConnection,
    served,
)
from faulty_disks import Disk
from rack_recipes.run import server_address_and_pass
from rack_recipes.run.server_address_and_pass import pass_of
from valkey_server import ValkeyServer

HOLDS = "no acknowledged write is lost or applied twice, and the history of each key is linearizable"


@pytest.mark.parametrize(("durability", "few", "many"), [("journal", 4, 200), ("fsync", 1, 50)])
@pytest.mark.usefixtures("project")
def test_kills_in_a_storm_of_writes(durability: str, few: int, many: int):
    chance, kills = random.Random(reliability_sweeps.seed()), reliability_sweeps.count(few, many)
    name = f"context server, {durability}: SIGKILL in a storm of writes"
    with reliability_sweeps.sweep(name, HOLDS) as made, served("--durability", durability) as server:
        storm = Storm(server.connection, reliability_sweeps.seed())
        with storm.raging():
            for _kill in range(kills):
                storm.wait_for_more(writes, 20)
                time.sleep(chance.uniform(0, 0.2))  # a random moment
                server.kill()
                server.start()
                made.done += 1
            storm.wait_for_more(writes, 20)
        made.found = storm.counts()
        found = faults(storm, server)
        made.found["wrong"] = len(found)
        assert found == []
    assert storm.refusals == []


OBJECTION = faulty_disks.objection()
NAME = "context server: disk full in a storm of writes"
FULL_HOLDS = (
    "what is refused is not written, what is acknowledged is not lost, also by a SIGKILL while the disk is full"
)


@pytest.mark.skipif(bool(OBJECTION), reason=OBJECTION)
def test_full_disks_in_a_storm_of_writes(project: Path):
    with (
        reliability_sweeps.sweep(NAME, FULL_HOLDS) as made,
        faulty_disks.apart(),
    ):
        disk = Disk(project / ".rack-recipes", "32m")
        with served() as server:
            storm = Storm(server.connection, reliability_sweeps.seed())
            with storm.raging():
                for turn in range(reliability_sweeps.count(2, 30)):
                    storm.wait_for_more(writes, 20)
                    disk.fill()
                    storm.wait_for_more(refusals, 5)
                    if turn % 2:
                        server.kill()
                    disk.free()
                    if turn % 2:
                        server.start()
                    made.done += 1
                storm.wait_for_more(writes, 20)
            found = faults(storm, server)
        made.found = {**storm.counts(), "wrong": len(found)}
        assert found == []
    assert {one["status"] for one in storm.refusals} == {507}
    assert {one["detail"] for one in storm.refusals} == {"nothing was written: No space left on device"}
    assert {one["advice"] for one in storm.refusals} == {"free some space on the server, then send it again"}


SERVERS = 3
SHARED_HOLDS = (
    "no acknowledged write is lost or applied twice by servers or Valkey that are killed; each key is linearizable"
)


class PatientConnection(UnixConnection):
    """A connection on which the answer that the log cannot be reached counts as none."""

    def ask(self, method: str, target: str, data: Any = ..., **headers: str) -> Answer:
        answer = super().ask(method, target, data, **headers)
        if answer.status == 503:
            raise ConnectionError(answer.data["detail"])
        return answer


class Servers:
    """Several servers for one storm: a client has any of them; each second time Valkey is killed, else a server."""

    def __init__(self, servers: Sequence[Server], shared: ValkeyServer, seed: int) -> None:
        self._servers = servers
        self._shared = shared
        self._chance = random.Random(seed)
        self._killed: list[Server] = []
        self._kills = 0

    def connection(self) -> UnixConnection:
        """A connection with one of the servers."""
        return PatientConnection(self._chance.choice(self._servers).socket)

    def kill(self) -> None:
        """Kill one of them, or Valkey."""
        self._kills += 1
        if self._kills % 2:
            self._killed = [self._chance.choice(self._servers)]
            self._killed[0].kill()
        else:
            self._shared.kill()

    def start(self) -> None:
        """Start again what was killed."""
        if self._killed:
            self._killed.pop().start()
        else:
            self._shared.restart()


def test_kills_of_servers_that_share_a_valkey(project: Path) -> None:
    seed, kills = reliability_sweeps.seed(), reliability_sweeps.count(4, 100)
    with ExitStack() as stack:
        made = stack.enter_context(
            reliability_sweeps.sweep("context servers that share a Valkey: SIGKILL", SHARED_HOLDS)
        )
        shared = stack.enter_context(ValkeyServer())
        started = [
            stack.enter_context(
                served("--durability", "fsync", RACK_RECIPES_VALKEY=shared.url, RACK_RECIPES_RUNS=f"runs{number}")
            )
            for number in range(SERVERS)
        ]
        servers = Servers(started, shared, seed)
        storm = Storm(servers.connection, seed)
        chance = random.Random(seed)
        with storm.raging():
            for _kill in range(kills):
                storm.wait_for_more(writes, 20)
                time.sleep(chance.uniform(0, 0.2))  # a random moment
                servers.kill()
                servers.start()
                made.done += 1
            storm.wait_for_more(writes, 20)
        found = [fault for server in started for fault in faults(storm, server)]
        made.found = {**storm.counts(), "wrong": len(found)}
        assert found == []


WRITERS = 50
MOST_TRIES = WRITERS // 2  # of one change by `update`
KEY = "contended_v1"
PATIENCE = 600.0  # seconds
CHANGES_HOLD = (
    f"each change of each writer is done: an increment at once, one by `update` in {MOST_TRIES} tries at most"
)


def increment(live: Live) -> int:
    live.increment(KEY, timeout=PATIENCE)
    return 1


def update(live: Live) -> int:
    """Change the key by the library's own way; returns how many tries that took."""
    seen: list[Any] = []
    live.update(KEY, lambda value: seen.append(value) or (value or 0) + 1, timeout=PATIENCE)
    return len(seen)


def write_again(live: Live) -> int:
    """The same by a loop that writes again at once."""
    held, tries = {"version": 0, "value": 0}, 0
    while True:
        tries += 1
        try:
            live.set(KEY, held["value"] + 1, version=held["version"], timeout=PATIENCE)
        except Refused as refused:
            held = refused.current
        else:
            return tries


class Writers:
    """Fifty steps of one run, which all begin at once. `tries` are those of each change, writer by writer."""

    def __init__(self, server: Server, change: Callable[[Live], int], changes: int) -> None:
        place = server_address_and_pass.read_server_address(Path(server.journal).parent)
        assert place
        self._given = {"socket": place.path, "pass": pass_of(place.key_bytes, ""), "step": "storm", "scope": "run"}
        self._change, self._changes = change, changes
        self._begin = threading.Barrier(WRITERS, timeout=PATIENCE)
        with ThreadPoolExecutor(WRITERS) as pool:
            self.tries = [*pool.map(self._write, range(WRITERS))]

    def _write(self, _number: int) -> list[int]:
        with closing(Live(self._given)) as live:
            self._begin.wait()
            return [self._change(live) for _change in range(self._changes)]

    def most(self) -> int:
        """The most tries that one change took."""
        return max(map(max, self.tries))

    def mean(self) -> float:
        """The tries of a change."""
        return round(sum(map(sum, self.tries)) / WRITERS / self._changes, 1)


@pytest.mark.usefixtures("project")
def test_fifty_writers_of_one_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live_client, "ANSWER", PATIENCE)  # the machine may be busy
    changes = reliability_sweeps.count(1, 20)
    with reliability_sweeps.sweep("context server: 50 writers on one key", CHANGES_HOLD) as made:
        ways = (increment, update, write_again) if reliability_sweeps.is_whole() else (increment, update)
        for way in ways:
            with served("--new") as server:
                writers = Writers(server, way, changes)
                assert server.ask("GET", f"/ctx/{KEY}").data["value"] == WRITERS * changes
            assert [len(tries) for tries in writers.tries] == [changes] * WRITERS
            made.done += WRITERS * changes
            made.found |= {f"{way.__name__}, mean tries": writers.mean(), f"{way.__name__}, most tries": writers.most()}
        assert made.found["increment, most tries"] == 1
        assert made.found["update, most tries"] <= MOST_TRIES
