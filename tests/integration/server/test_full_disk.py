# SPDX-License-Identifier: GPL-3.0-or-later

"""On a full disk a server refuses writes and says so, goes on reading, and writes again once there is room."""

from __future__ import annotations

from pathlib import Path

import pytest

import faulty_disks
from ansible_collections.rack.recipes.tests.integration.server.server_process import served
from faulty_disks import Disk

OBJECTION = faulty_disks.objection()
TEXT = "x" * 3000


@pytest.mark.skipif(bool(OBJECTION), reason=OBJECTION)
def test_a_full_disk(project: Path):
    with faulty_disks.apart():
        disk = Disk(project / ".rack-recipes", "1m")
        with served() as server:
            first = [server.ask("PUT", "/ctx/full_v1", f"{number} {TEXT}") for number in range(3)]
            disk.fill()
            answers = [server.ask("PUT", "/ctx/full_v1", f"{number} {TEXT}") for number in range(3, 8)]
            acknowledged = [one.data["version"] for one in (*first, *answers) if one.status == 200]  # a page had room
            refused = answers[-1]
            assert (refused.status, refused.data["detail"]) == (507, "nothing was written: No space left on device")
            assert refused.data["advice"] == "free some space on the server, then send it again"
            assert server.ask("GET", "/ctx/full_v1").data["version"] == acknowledged[-1]
            disk.free()
            assert server.ask("PUT", "/ctx/full_v1", "room").data["version"] == len(acknowledged) + 1
            server.kill()
            server.start()
            changes = server.ask("GET", "/ctx/full_v1/history").data["changes"]
            assert [one["version"] for one in changes] == [*acknowledged, len(acknowledged) + 1]
            assert changes[-1]["after"] == "room"
