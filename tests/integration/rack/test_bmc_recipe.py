# SPDX-License-Identifier: GPL-3.0-or-later

"""recipes/bmc.yml on servers of a virtual rack and their BMCs, healthy and broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from virtual_racks import NEEDS_ROOT, virtual_rack

from call_rack_recipes import Done, rack_recipes, results
from rack_recipes.lab.faults import break_rack, heal_rack, switch_power
from rack_recipes.lab.rack_state import RackState

pytestmark = [NEEDS_ROOT, pytest.mark.usefixtures("own_recipes")]

RECIPE = "recipes/bmc.yml"
STEPS = (
    "identity",
    "same_server",
    "returned",
    "log_mark",
    "inventory",
    "firmware",
    "sensors",
    "power_supplies",
    "power_cycle",
    "event_log",
)
BOOT = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RackState]:
    """A rack of two servers with BMCs."""
    with virtual_rack(tmp_path_factory.mktemp("bmcs") / "rack", 1, 1, 2, with_bmcs=True) as state:
        yield state


def run(rack: RackState, *variables: str) -> Done:
    words = [word for variable in variables for word in ("-e", variable)]
    return rack_recipes("run", RECIPE, "-i", rack.folder / "inventory.yml", *words)


def test_healthy_servers_pass_and_lose_their_power_one_after_the_other(rack: RackState) -> None:
    before = [rack.run(server, BOOT) for server in ("server1", "server2")]
    done = run(rack)
    assert done.code == 0, done.stdout + done.stderr
    found = results(done.answer["run_id"])
    assert found.verdicts() == {(step, server): "passed" for step in STEPS for server in ("server1", "server2")}
    assert not {*before} & {rack.run(server, BOOT) for server in ("server1", "server2")}
    spans = sorted(found.span("power_cycle", server) for server in ("server1", "server2"))
    assert spans[0][1] <= spans[1][0], "both were without power at once"
    for server in ("server1", "server2"):
        cycle = found.context["redfish.power_cycle_v1", server]
        assert 0 < cycle["away_after_seconds"] < cycle["back_after_seconds"] < 60
        assert [each["message"] for each in found.context["redfish.event_log_v1", server]] == [
            "ForceOff was ordered by Redfish", "On was ordered by Redfish",
        ]  # fmt: skip
    secret = (rack.folder / "bmc/password").read_text().strip()
    written = [path for path in Path().rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert not written
    assert secret not in done.stdout + done.stderr


def test_each_fault_is_found_where_it_is(rack: RackState) -> None:
    state = break_rack(rack, "bmc-sensor", "server1")[0]
    state = break_rack(state, "wrong-firmware", "server2")[0]
    (rack.folder / "bmc/server2/psu2_ok").write_text("0\n")
    try:
        done = run(rack, "power_cycle=false")
    finally:
        heal_rack(state)
        (rack.folder / "bmc/server2/psu2_ok").write_text("1\n")
    assert done.code == 1, done.stdout + done.stderr
    found = results(done.answer["run_id"])
    failed = {place: found.steps[place]["reason"] for place, verdict in found.verdicts().items() if verdict == "failed"}
    assert failed == {
        ("sensors", "server1"): (
            "Inlet Temp reads 51 Cel (Critical), its upper limit is 42: check the cooling of the rack and this "
            "server's fans (through spine1)"
        ),
        ("firmware", "server2"): "BIOS firmware has 2.3.9, expected 2.4.1: update it (through spine1)",
        ("power_supplies", "server2"): (
            "PSU2 has no input voltage: check its cable and the outlet of the PDU, then replace it (through spine1)"
        ),
    }
    assert {found.verdicts()["power_cycle", server] for server in ("server1", "server2")} == {"skipped"}


def test_the_server_of_another_bmc_is_not_switched(rack: RackState) -> None:
    before = [rack.run(server, BOOT) for server in ("server1", "server2")]
    state = break_rack(rack, "swapped-bmcs", "server1")[0]
    try:
        done = run(rack)
    finally:
        heal_rack(state)
    assert done.code == 1, done.stdout + done.stderr
    assert [rack.run(server, BOOT) for server in ("server1", "server2")] == before
    found = results(done.answer["run_id"])
    for server, other in (("server1", "server2"), ("server2", "server1")):
        for step in ("same_server", "power_cycle"):
            assert found.verdicts()[step, server] == "failed"
            words = f"this is the BMC of another server: of {other} (serial VR-{other}, UUID "
            assert found.steps[step, server]["reason"].startswith(words)
        assert found.verdicts()["returned", server] == "blocked"


def test_a_bmc_tells_that_its_server_is_off_and_one_that_is_away_is_said(rack: RackState) -> None:
    inventory = yaml.safe_load((rack.folder / "inventory.yml").read_text())
    inventory["all"]["children"]["servers"]["hosts"]["server1"]["bmc_port"] = 444
    Path("inventory.yml").write_text(yaml.safe_dump(inventory))
    switch_power(rack, "server2", "off")
    try:
        done = rack_recipes("run", RECIPE, "-i", "inventory.yml", "--", "--tags", "inventory")
    finally:
        switch_power(rack, "server2", "on")
    assert done.code == 1, done.stdout + done.stderr
    found = results(done.answer["run_id"])
    ends = {server: found.steps["inventory", server] for server in ("server1", "server2")}
    assert {server: row["verdict"] for server, row in ends.items()} == {"server1": "error", "server2": "failed"}
    assert "192.168.255.129:444 refuses the connection: is the BMC's web service on" in ends["server1"]["reason"]
    assert ends["server2"]["reason"] == "the system is Off, expected On: switch it on (through spine1)"
