# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that is killed in a storm of writes loses nothing that it has acknowledged, and applies nothing twice."""

from __future__ import annotations

import random
import time

import pytest

import reliability_sweeps
from ansible_collections.rack.recipes.tests.integration.faults.server.write_storm import Storm, faults, writes
from ansible_collections.rack.recipes.tests.integration.server.server_process import served

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
