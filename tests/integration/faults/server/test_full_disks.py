# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks that become full in a storm of writes: what the server could not write, it says; all else is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

import faulty_disks
import reliability_sweeps
from ansible_collections.rack.recipes.tests.integration.faults.server.write_storm import Storm, faults, refusals, writes
from ansible_collections.rack.recipes.tests.integration.server.server_process import served
from faulty_disks import Disk

OBJECTION = faulty_disks.objection()
NAME = "context server: disk full in a storm of writes"
HOLDS = "what is refused is not written, what is acknowledged is not lost, also by a SIGKILL while the disk is full"


@pytest.mark.skipif(bool(OBJECTION), reason=OBJECTION)
def test_full_disks_in_a_storm_of_writes(project: Path):
    with (
        reliability_sweeps.sweep(NAME, HOLDS) as made,
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
    assert {one["detail"] for one in storm.refusals} == {"nothing was written: No space left on device"}
    assert {one["advice"] for one in storm.refusals} == {"free some space on the server, then send it again"}
