# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that share a Valkey are killed in a storm of writes, and so is Valkey: nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.integration.server.histories import problems
from ansible_collections.rack.recipes.tests.integration.server.server_process import (
    Answer,
    Server,
    UnixConnection,
    served,
)
from ansible_collections.rack.recipes.tests.integration.server.test_killed_server import COUNT, KEYS, Storm, kept
from valkey_server import ValkeyServer

KILLS = 100 if "RACK_SOAK" in os.environ else 4
SERVERS = 3


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
    seed = int(os.environ.get("RACK_SOAK") or 1)
    with ValkeyServer() as shared, ExitStack() as stack:
        started = [
            stack.enter_context(
                served("--durability", "fsync", RACK_RECIPES_VALKEY=shared.url, RACK_RECIPES_RUNS=f"runs{number}")
            )
            for number in range(SERVERS)
        ]
        storm = Storm(Servers(started, shared, seed), seed)
        storm.rage(KILLS)
        for server in started:
            values = {key: kept(server, key) for key in KEYS}
            assert problems(storm.seen, values) == []
            counts = kept(server, COUNT)
            assert counts == [*range(1, len(counts) + 1)], "each increment counted once"
            assert len(storm.counted) <= len(counts) <= len(storm.tries)
        assert len(set(storm.counted.values())) == len(storm.counted), "no two requests made the same increment"
        assert sum(one.is_write for one in storm.seen) > KILLS
