# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles for cables, fabric and burn-in on a virtual rack, in plays that take their hosts in turns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from virtual_racks import NEEDS_ROOT, virtual_rack

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from call_rack_recipes import Results, call, results
from rack_recipes.lab.faults import break_rack, heal_rack
from rack_recipes.lab.rack_state import RackState
from rack_recipes.lab.start_rack import wait_for_routes

pytestmark = NEEDS_ROOT

SERVERS = {"server1", "server2", "server3", "server4"}
NODES = {"spine1", "leaf1", "leaf2", *SERVERS}
PLAN = {"cabling_expected": "{{ lookup('rack.recipes.cables', cabling_plan) }}"}
BURN_IN = {
    "server_burn_in_seconds": 1,
    "server_burn_in_memory_mib": 4,
    "server_burn_in_array_mib": 4,
    "server_burn_in_folder": "/srv/disk",
    "server_burn_in_disk_mib": 4,
    "server_burn_in_disk_seconds": 0.2,
    "server_burn_in_kernel_log": "",
}
TURNS = {
    "one after the other": {"serial": 1},
    "in growing batches": {"serial": [1, "50%", "100%"]},
    "free": {"strategy": "ansible.builtin.free"},
    "host_pinned": {"strategy": "ansible.builtin.host_pinned"},
}


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RackState]:
    """A small rack whose leaves know each other's servers."""
    with virtual_rack(tmp_path_factory.mktemp("virtual") / "rack", 1, 2, 4) as state:
        yield state


def played(rack: RackState, role: str, hosts: str, turns: Mapping[str, Any], **variables: Any) -> tuple[int, Results]:
    """Run a play with one role; its exit code, and what was recorded."""
    roles = [{"role": f"rack.recipes.{role}", "vars": variables}]
    play = {"name": "Turns", "hosts": hosts, "gather_facts": False, "roles": roles, **turns}
    Path("play.yml").write_text(json.dumps([play]))
    inventory = str(rack.folder / "inventory.yml")
    done = call("ansible-playbook", "-i", inventory, "play.yml", ANSIBLE_CALLBACKS_ENABLED="rack.recipes.recorder")
    assert done.code in (0, 2), done.stdout + done.stderr
    return done.code, results()


def not_passed(found: Results) -> set[tuple[str, str]]:
    return {place for place, verdict in found.verdicts().items() if verdict not in HARMLESS}


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("turns", [TURNS["one after the other"], TURNS["free"]], ids=["one after the other", "free"])
def test_cables_of_each_host_are_compared(rack: RackState, project: Path, turns: Mapping[str, Any]) -> None:
    code, found = played(rack, "cabling", "all", turns, **PLAN)
    assert (code, not_passed(found), {host for _step, host in found.steps}) == (0, set(), NODES)


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("name", ["in growing batches", "host_pinned"])
def test_a_burn_in_takes_servers_in_turns(rack: RackState, project: Path, name: str) -> None:
    code, found = played(rack, "server_burn_in", "servers", TURNS[name], **BURN_IN)
    assert (code, not_passed(found)) == (0, set())
    passed = {host for (step, host), verdict in found.verdicts().items() if verdict == "passed"}
    assert passed == SERVERS


def test_the_broken_link_is_found_and_every_other_host_is_tested(rack: RackState, project: Path) -> None:
    """Also hosts whose turn comes after that of a host that failed."""
    state = break_rack(rack, "link-down", "leaf2:swp1")[0]
    try:
        code, found = played(rack, "fabric_health", "all", TURNS["free"])
        assert code == 2
        assert {("fabric_ports", "leaf2"), ("fabric_ports", "spine1")} <= not_passed(found)
        assert {host for _step, host in found.steps} == NODES
        assert ("fabric_ports", "leaf1") not in not_passed(found)
    finally:
        heal_rack(state)
        wait_for_routes(state)


def test_a_healthy_fabric_is_healthy_in_batches(rack: RackState, project: Path) -> None:
    code, found = played(rack, "fabric_health", "all", {"serial": 3})
    assert (code, not_passed(found), {host for _step, host in found.steps}) == (0, set(), NODES)


def test_an_argument_that_a_role_refuses_is_the_reason(rack: RackState, project: Path) -> None:
    code, found = played(rack, "server_burn_in", "server1", {}, **{**BURN_IN, "server_burn_in_seconds": 0.5})
    assert code == 2
    reasons = {row["reason"] for row in found.steps.values()}
    assert all("server_burn_in_seconds" in reason for reason in reasons), reasons
