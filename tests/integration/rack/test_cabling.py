# SPDX-License-Identifier: GPL-3.0-or-later

"""Cabling plans on a virtual rack: imported, checked against what its ports see, learned from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from virtual_racks import NEEDS_ROOT, virtual_rack

from call_rack_recipes import rack_recipes
from rack_recipes.lab.faults import break_rack, heal_rack
from rack_recipes.lab.rack_state import RackState

pytestmark = NEEDS_ROOT

PATIENCE = 60.0  # seconds until a port sees the neighbour that it has now


def wait_for_neighbours(rack: RackState, leaves: dict[str, str]) -> None:
    """Wait until each server sees its leaf's port and no other: the neighbour before is told until its time is over."""
    until = time.monotonic() + PATIENCE
    for server, port in leaves.items():
        while seen(rack, server) != {port}:
            assert time.monotonic() < until, f"{server} does not see {port}"
            time.sleep(0.2)


def seen(rack: RackState, server: str) -> set[str]:
    told = rack.run(server, "lldpcli -f keyvalue show neighbors ports eth1", check=False)
    fields = [line.partition("=") for line in told.splitlines()]
    names = [value for key, _sign, value in fields if key.endswith(".chassis.name")]
    ports = [value for key, _sign, value in fields if key.endswith((".port.ifname", ".port.local"))]
    return {f"{name}:{port}" for name, port in zip(names, ports, strict=True)}


HEALTHY = {"server3": "leaf2:swp2", "server4": "leaf2:swp3"}
SWAPPED = {"server3": "leaf2:swp3", "server4": "leaf2:swp2"}


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RackState]:
    """A small rack whose ports have neighbours."""
    with virtual_rack(tmp_path_factory.mktemp("virtual") / "rack", 1, 2, 4) as state:
        wait_for_neighbours(state, {"server1": "leaf1:swp2", "server2": "leaf1:swp3", **HEALTHY})
        yield state


@pytest.fixture
def inventory(rack: RackState, project: Path) -> tuple[str, str]:
    """A project with the plan of the rack, imported; the option that names the inventory."""
    done = rack_recipes("cabling", "import", rack.folder / "cabling.yml")
    assert done.code == 0, done.stderr
    assert "6 cables" in done.stdout
    return "-i", str(rack.folder / "inventory.yml")


def test_what_is_learned_from_a_healthy_rack_is_its_plan(inventory: tuple[str, str]) -> None:
    checked = rack_recipes("cabling", "check", *inventory, "--json")
    assert (checked.code, checked.answer["good"], checked.answer["findings"]) == (0, 6, []), checked.stderr
    learned = rack_recipes("cabling", "learn", *inventory, "-o", "learned.yml", "--json")
    assert (learned.code, learned.answer["cables"], learned.answer["to_review"]) == (0, 6, []), learned.stderr
    assert "review:" not in Path("learned.yml").read_text()


def test_two_swapped_cables_are_named_as_a_pair(rack: RackState, inventory: tuple[str, str]) -> None:
    state = break_rack(rack, "swapped-cables", "leaf2:swp2")[0]
    try:
        wait_for_neighbours(rack, SWAPPED)
        done = rack_recipes("cabling", "check", *inventory, "--json")
        assert done.code == 1
        [finding] = done.answer["findings"]
        assert finding["kind"] == "swapped"
        assert sorted(finding["ends"]) == ["leaf2:swp2", "leaf2:swp3", "server3:eth1", "server4:eth1"]
        assert finding["advice"] == "At leaf2, swap the plugs in ports swp2 and swp3."
        assert done.answer["good"] == 4
        differs = rack_recipes("cabling", "learn", *inventory)
        assert differs.code == 1
        assert "\n- a: leaf2:swp2\n+  b: server4:eth1\n" in differs.stderr.replace("\n ", "\n")
        assert "--overwrite" in differs.stdout
    finally:
        heal_rack(state)
        wait_for_neighbours(rack, HEALTHY)


def test_a_host_that_does_not_answer_is_not_passed_over(inventory: tuple[str, str]) -> None:
    Path("dead.yml").write_text("all: {hosts: {server9: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    hosts = (*inventory, "-i", "dead.yml", "--limit", "leaf2,server3,server9")
    done = rack_recipes("cabling", "check", *hosts, "--json")
    assert done.code == 3, done.stdout
    assert {host: told["verdict"] for host, told in done.answer["silent"].items()} == {"server9": "unreachable"}
    assert (done.answer["good"], len(done.answer["unchecked"])) == (3, 3)


def test_what_only_one_end_tells_is_marked_for_review(inventory: tuple[str, str]) -> None:
    done = rack_recipes("cabling", "learn", *inventory, "-o", "part.yml", "--limit", "leaf2,server3", "--json")
    assert (done.code, done.answer["cables"]) == (0, 3)
    assert done.answer["to_review"] == ["leaf2:swp1 - spine1:swp2", "leaf2:swp3 - server4:eth1"]
    assert "review: 'only leaf2:swp3 says so: server4 has not answered'" in Path("part.yml").read_text()
