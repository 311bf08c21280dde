# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that is killed in a storm of writes loses nothing that it has acknowledged, and applies nothing twice."""

from __future__ import annotations

import http.client
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.journal.reader import JournalReader
from ansible_collections.rack.recipes.tests.integration.server.histories import Seen, problems
from ansible_collections.rack.recipes.tests.integration.server.server_process import Server, UnixConnection, served

KILLS = 100 if "RACK_SOAK" in os.environ else 2
WRITERS = 6
KEYS = ("storm.a_v1", "storm.b_v1")
COUNT = "storm.count_v1"
BROKEN = (OSError, http.client.HTTPException)


class Storm:
    """Clients that write and read, and note what they were told, while the server is killed and started."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.seen: list[Seen] = []
        self.counted: dict[str, int] = {}  # the value that each acknowledged increment made, by its request
        self.tries: dict[str, int] = {}  # how often each increment was sent
        self._is_over = threading.Event()
        self._seed = seed
        self._faults: list[BaseException] = []

    def rage(self, kills: int) -> None:
        """Kill the server so many times, at random moments."""
        tasks: list[Callable[[UnixConnection, random.Random, str], None]] = [self._write, self._add]
        threads = [threading.Thread(target=self._client, args=(tasks[n % 3 == 2], n)) for n in range(WRITERS)]
        for thread in threads:
            thread.start()
        chance = random.Random(self._seed)
        for _kill in range(kills):
            self._wait_for_more(20)
            time.sleep(chance.uniform(0, 0.2))
            self.server.kill()
            self.server.start()
        self._wait_for_more(20)
        self._is_over.set()
        for thread in threads:
            thread.join()
        assert self._faults == []

    def _wait_for_more(self, writes: int) -> None:
        wanted, until = len(self.seen) + writes, time.monotonic() + 120
        while len(self.seen) < wanted and not self._faults:
            assert time.monotonic() < until, "no writes for two minutes"
            time.sleep(0.005)

    def _client(self, act: Callable[[UnixConnection, random.Random, str], None], number: int) -> None:
        chance, turn = random.Random(f"{self._seed} {number}"), 0
        connection = self.server.connection()
        try:
            while not self._is_over.is_set():
                turn += 1
                try:
                    act(connection, chance, f"{number}.{turn}")
                except BROKEN:
                    connection.close()
                    time.sleep(0.01)
        except BaseException as fault:
            self._faults.append(fault)
        finally:
            connection.close()

    def _write(self, connection: UnixConnection, chance: random.Random, name: str) -> None:
        """Read a key, and write it based on what was read; another one may have been faster."""
        key = chance.choice(KEYS)
        read = self._timed(key, lambda: connection.ask("GET", f"/ctx/{key}").data, is_write=False)
        self._timed(
            key,
            lambda: connection.ask("PUT", f"/ctx/{key}?version={read}", name).data,
            is_write=True,
            based_on=read,
        )

    def _timed(self, key: str, ask: Callable[[], Any], *, is_write: bool, based_on: int | None = None) -> int:
        """Note one operation; returns the version that it was told. A refused write is a read of the current value."""
        began = time.monotonic()
        data = ask()
        ended = time.monotonic()
        refused = data.get("status") == 409
        told = data["current"] if refused else {"version": 0, "value": None} if data.get("status") == 404 else data
        done = is_write and not refused
        seen = Seen(key, began, ended, told["version"], told["value"], done, based_on if done else None)
        self.seen.append(seen)
        return seen.version

    def _add(self, connection: UnixConnection, _chance: random.Random, name: str) -> None:
        """Add 1, and send the same request again until it is acknowledged."""
        while not self._is_over.is_set() and name not in self.counted:
            self.tries[name] = self.tries.get(name, 0) + 1
            try:
                answer = connection.ask("POST", f"/ctx/{COUNT}/increment", {}, Idempotency_Key=name)
                self.counted[name] = answer.data["value"]
            except BROKEN:
                connection.close()
                time.sleep(0.01)


def kept(server: Server, key: str) -> list[Any]:
    """All values of a key in the order of their versions."""
    values: list[Any] = []
    before = 10**14
    while True:
        answer = server.ask("GET", f"/ctx/{key}/history?limit=1000&before={before}").data
        values[:0] = [one["after"] for one in answer["changes"]]
        if not answer["more"]:
            return values
        before = answer["changes"][0]["seq"]


@pytest.mark.parametrize("durability", ["journal", "fsync"])
def test_kills_in_a_storm_of_writes(project, durability):
    with served("--durability", durability) as server:
        storm = Storm(server, seed=int(os.environ.get("RACK_SOAK") or 1))
        storm.rage(KILLS)
        values = {key: kept(server, key) for key in KEYS}
        counts = kept(server, COUNT)
        run = server.ready["run_id"]
    assert problems(storm.seen, values) == []
    assert counts == [*range(1, len(counts) + 1)], "each increment counted once"
    assert len(storm.counted) <= len(counts) <= len(storm.tries)
    assert len(set(storm.counted.values())) == len(storm.counted), "no two requests made the same increment"
    journal = project / ".rack-recipes" / "runs" / run / "journal.jsonl"
    requests = [line.record.get("request") for line in JournalReader(journal).read() if line.record]
    repeated = [name for name in storm.tries if requests.count(name) > 1]
    assert repeated == [], "sent again, not applied again"
    assert sum(one.is_write for one in storm.seen) > KILLS
