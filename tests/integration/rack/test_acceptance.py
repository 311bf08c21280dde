# SPDX-License-Identifier: GPL-3.0-or-later

"""recipes/acceptance.yml, nightly.yml, snapshot.yml and soak.yml on a virtual rack, healthy and broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from virtual_racks import NEEDS_ROOT, virtual_rack

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from call_rack_recipes import Done, Results, rack_recipes, results
from rack_recipes.lab.faults import break_rack, heal_rack
from rack_recipes.lab.rack_state import RackState

pytestmark = NEEDS_ROOT

SERVERS = ("server1", "server2", "server3", "server4")
QUICK = {
    "disk": "/srv/disk",
    "disk_seconds": 0.2,
    "disk_mib": 4,
    "burn_in_sec": 1,
    "memory_mib": 4,
    "kernel_log": "/var/log/kern.log",
    "max_outage_ms": 20000,  # on a busy machine, routers take their time
    "min_share": 0.01,
}
SAME_MACHINE = {"drives.smart", "drives.nvme"}  # they see the machine's own drives


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RackState]:
    """A rack of four servers on two leaves, with BMCs, whose leaves know all ways."""
    with virtual_rack(tmp_path_factory.mktemp("acceptance") / "rack", 2, 2, 4, with_bmcs=True) as state:
        yield state


@pytest.fixture(autouse=True)
def values(own_recipes: Path) -> None:
    """The values for a short test."""
    Path("quick.yml").write_text(json.dumps(QUICK))


def run(name: str, rack: RackState, *words: object) -> tuple[Done, Results]:
    done = rack_recipes("run", f"recipes/{name}.yml", "-i", rack.folder / "inventory.yml", *words)
    return done, results(done.answer["run_id"])


def bad(found: Results) -> dict[tuple[str, str], str]:
    """The reasons of the results that did not pass, without those of the machine's own drives."""
    return {
        place: row["reason"]
        for place, row in found.steps.items()
        if row["verdict"] not in HARMLESS and place[0] not in SAME_MACHINE
    }


def parts(found: Results, verdict: str) -> set[str]:
    """The parts of the recipe that have a result with this verdict."""
    return {step.partition(".")[0] for (step, _host), row in found.steps.items() if row["verdict"] == verdict}


def test_a_healthy_rack_is_accepted_and_its_servers_lose_their_power_after_the_canary(rack: RackState) -> None:
    done, found = run("acceptance", rack, "--param-file", "quick.yml")
    assert not bad(found), done.stderr
    assert {
        "complete", "inventory", "identity", "drives", "bmc", "log_mark", "pdu", "canary", "power", "event_log",
        "cabling", "links", "fabric", "alike", "throughput", "storage", "burn_in", "health", "login", "identities",
    } == parts(found, "passed")  # fmt: skip
    canary = found.span("canary.power_cycle", "server1")
    others = sorted(found.span("power.power_cycle", server) for server in SERVERS[1:])
    assert canary[1] <= others[0][0], "the others did not wait for the canary"
    pdus = {host: each["pdu"] for host, each in inventory(rack)["servers"]["hosts"].items()}
    for one in SERVERS[1:]:
        for other in SERVERS[1:]:
            if one < other and pdus[one] == pdus[other]:
                first, second = sorted(found.span("power.power_cycle", each) for each in (one, other))
                assert first[1] <= second[0], "two of one PDU were without power at once"


def inventory(rack: RackState) -> dict[str, Any]:
    groups: dict[str, Any] = yaml.safe_load((rack.folder / "inventory.yml").read_text())["all"]["children"]
    return groups


def test_each_fault_is_named_where_it_is_and_a_repair_is_tested_alone(rack: RackState) -> None:
    state = break_rack(rack, "swapped-cables", "leaf2:swp3")[0]
    state = break_rack(state, "failing-disk", "server1")[0]
    state = break_rack(state, "outlet-off", "server2")[0]
    # The way to a node hides why it does not answer, so it would be tried again and again.
    leave_out = "leave_out=[power, throughput, burn_in]"
    wanted = ("--param-file", "quick.yml", "--param", leave_out, "-e", "ansible_ssh_retries=0")
    try:
        done, found = run("acceptance", state, *wanted)
    finally:
        heal_rack(state)
    assert done.code == 1, done.stderr
    said = bad(found)
    assert "swp3 and swp4 are swapped: exchange the plugs in these two ports" in said["cabling.cabling", "leaf2"]
    # leaf1 does not see the server without power.
    assert {host for step, host in said if step == "cabling.cabling"} == {
        "leaf1", "leaf2", "server2", "server3", "server4",
    }  # fmt: skip
    assert "cannot be read beyond" in said["health.disk_readable", "server1"]
    assert (
        said["pdu.outlet", "server2"] == "outlet 2 (server2) of 192.168.255.201 is off: switch it on (through spine1)"
    )
    assert found.steps["bmc.inventory", "server2"]["verdict"] == "error"
    assert found.steps["inventory.hardware", "server2"]["verdict"] == "unreachable"
    assert found.steps["burn_in.stress", "server1"]["reason"].endswith('left out by leave_out" is not "tested"')


def test_an_inventory_of_servers_alone_says_what_is_not_tested(rack: RackState) -> None:
    told = inventory(rack)["servers"]
    known = {"ansible_host": told["hosts"]["server1"]["ansible_host"]}
    whole = yaml.safe_load((rack.folder / "inventory.yml").read_text())["all"]["vars"]
    connection = {name: value for name, value in whole.items() if name.startswith("ansible_")}
    Path("servers.yml").write_text(json.dumps({"servers": {"hosts": {"server1": known}, "vars": connection}}))
    lacking = "bmc, pdu, power, cabling, fabric, throughput"
    words = ("-i", "servers.yml", "--param-file", "quick.yml")
    done = rack_recipes("run", "recipes/acceptance.yml", *words, "--param", "leave_out=[burn_in]")
    found = results(done.answer["run_id"])
    assert done.code == 1, done.stderr
    assert list(bad(found)) == [("complete", "server1")]
    reason = found.steps["complete", "server1"]["reason"]
    assert "bmc: no bmc_address, no bmc_user in the inventory" in reason
    assert "cabling: no cables in the inventory" in reason
    assert found.steps["bmc.inventory", "server1"]["verdict"] == "skipped"
    assert "no bmc_address" in found.steps["bmc.inventory", "server1"]["reason"]
    assert "no cables in the inventory" in found.steps["cabling.cabling", "server1"]["reason"]
    words = (*words, "--param", f"leave_out=[{lacking}, burn_in, storage]")
    done = rack_recipes("run", "recipes/acceptance.yml", *words)
    assert done.code == 0, done.stderr


def test_a_limited_run_waits_for_no_host_that_is_not_in_it(rack: RackState) -> None:
    words = ("--param-file", "quick.yml", "--param", "leave_out=[power, burn_in, storage]")
    done, found = run("acceptance", rack, *words, "-l", "server1:server3:leaf2:spines")
    assert not bad(found), done.stderr
    verdicts = found.verdicts()
    assert {place: verdicts[place] for place in verdicts if place[0] == "throughput.throughput"} == {
        ("throughput.throughput", "server1"): "passed",
        ("throughput.throughput", "server3"): "passed",
    }
    assert found.context["throughput.summary_v1", ""]["pairs"] == 2
    skipped = found.steps["throughput.convergence", "server1"]
    assert skipped["verdict"] == "skipped"
    assert "hosts of this test that --limit leaves out" in skipped["reason"]


@pytest.mark.repeats  # a limited run, and an inventory of servers alone
def test_a_run_of_two_servers_says_what_it_cannot_test_without_the_others(rack: RackState) -> None:
    words = ("--param-file", "quick.yml", "--param", "leave_out=[cabling, fabric, burn_in, storage]")
    done, found = run("acceptance", rack, *words, "-l", "server3:server4")
    assert set(bad(found)) == {("complete", "server3"), ("complete", "server4")}, done.stderr
    for server in ("server3", "server4"):
        reason = found.steps["complete", server]["reason"]
        assert "power: no first server in the inventory" in reason, "no server loses its power before the canary"
        assert "throughput: no leaf in the inventory" in reason
        for step in ("power.power_cycle", "throughput.throughput"):
            assert found.steps[step, server]["verdict"] == "skipped"


def test_a_night_and_a_change_with_what_was_expected_of_it(rack: RackState) -> None:
    words = ("--param", "disk=/srv/disk", "--param", "kernel_log=/var/log/kern.log")
    done, found = run("nightly", rack, *words, "-l", "server1:server3:leaf2:spines")
    assert not bad(found), done.stderr
    assert {"hosts", "cabling", "links", "fabric", "hardware", "bmc", "pdu"} <= parts(found, "passed")
    few = ("-l", "server1:server2:leaf2")
    done, found = run("snapshot", rack, *few)
    assert done.code == 0, done.stderr
    Path("before.json").write_text(rack_recipes("ctx", "export").stdout)
    state = break_rack(rack, "wrong-firmware", "server1")[0]
    state = break_rack(state, "mtu-mismatch", "leaf2:swp2")[0]
    expected = "expected={redfish.firmware_v1.BIOS.version: 2.3.9, redfish.inventory_v1.bios_version: '*'}"
    try:
        done, found = run("snapshot", state, "--context", "before.json", "--param", expected, *few)
    finally:
        heal_rack(state)
    said = {host: reason for (step, host), reason in bad(found).items() if step == "compare"}
    assert said.pop("leaf2") == "links.ports_v1.swp2.mtu was 9000, is 1500: undo it, or name it in `expected`"
    # The firmware was to change on both servers, and has changed on one.
    assert set(said) == {"server2"}
    assert "is 2.4.1: must be 2.3.9: the change did not happen here" in said["server2"]
    changed = found.context["snapshot.differences_v1", "server1"]
    assert {each["field"]: each["do"] for each in changed}["redfish.firmware_v1.BIOS.version"] == ""


def test_a_soak_of_some_seconds(rack: RackState) -> None:
    words = ("--param", "seconds=2", "--param", "round_seconds=1", "-l", "server1", "--param", "kernel_log=dmesg")
    _done, found = run("soak", rack, *words)
    assert found.steps["load", "server1"]["verdict"] == "passed"
    assert found.context["cpu.soak_v1", "server1"]["rounds"] >= 1
    assert found.steps["links", "server1"]["verdict"] == "passed"
