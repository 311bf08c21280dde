# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that share a Valkey are killed in a storm of writes, and so is Valkey: nothing acknowledged is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import reliability_sweeps
from ansible_collections.rack.recipes.tests.integration.faults.server.write_storm import Storm, faults, writes
from ansible_collections.rack.recipes.tests.integration.server.server_process import (
    Answer,
    Server,
    UnixConnection,
    served,
)
from valkey_server import ValkeyServer

SERVERS = 3
HOLDS = "no acknowledged write is lost or applied twice by servers or Valkey that are killed; each key is linearizable"


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


def test_kills_in_a_storm_of_writes(project: Path) -> None:
    seed, kills = reliability_sweeps.seed(), reliability_sweeps.count(4, 100)
    with ExitStack() as stack:
        made = stack.enter_context(reliability_sweeps.sweep("context servers that share a Valkey: SIGKILL", HOLDS))
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
