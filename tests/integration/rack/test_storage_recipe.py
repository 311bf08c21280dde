# SPDX-License-Identifier: GPL-3.0-or-later

"""recipes/storage.yml on a server of a virtual rack: a healthy disk, and one that is full."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from virtual_racks import NEEDS_ROOT, virtual_rack

from call_rack_recipes import Done, Results, rack_recipes, results
from rack_recipes.lab.faults import break_rack, heal_rack
from rack_recipes.lab.rack_state import RackState

pytestmark = [NEEDS_ROOT, pytest.mark.usefixtures("own_recipes")]

PARAMS = ("folder=/srv/disk", "expected={/srv/disk: ext4}", "size_mib=2", "seconds=0.2")
OUTSIDE = ("smart", "nvme")  # they see the drives of the machine that runs the tests, if any; unit tests hold them


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RackState]:
    """A rack with one server, without BMCs."""
    with virtual_rack(tmp_path_factory.mktemp("storage") / "rack", 1, 1, 1, with_bmcs=False) as state:
        yield state


def run(rack: RackState) -> tuple[Results, Done]:
    """The results of a run on the server."""
    words = [word for param in PARAMS for word in ("--param", param)]
    inventory = rack.folder / "inventory.yml"
    done = rack_recipes("run", "recipes/storage.yml", "-i", inventory, "-l", "server1", *words)
    return results(done.answer["run_id"]), done


def verdicts(found: Results) -> dict[str, str]:
    return {step: verdict for (step, _host), verdict in found.verdicts().items() if step not in OUTSIDE}


def test_a_healthy_disk_and_one_that_is_full(rack: RackState) -> None:
    found, done = run(rack)
    assert verdicts(found) == {"filesystems": "passed", "fio": "passed"}, done.stderr
    measured = found.context["disk.fio_v1", "server1"]
    assert measured["read_back_bytes"] == 2 << 20
    assert measured["read"]["iops"] > 0
    left = rack.run("server1", "ls -A /srv/disk")
    state, _broken = break_rack(rack, "full-disk", "server1")
    try:
        found, done = run(state)
    finally:
        heal_rack(state)
    assert verdicts(found) == {"filesystems": "failed", "fio": "error"}, done.stderr
    assert "server1  filesystems  failed: /srv/disk has 0 % of its room left, expected 3 %" in done.stderr
    assert rack.run("server1", "ls -A /srv/disk") == left
