# SPDX-License-Identifier: GPL-3.0-or-later

"""recipes/power.yml on servers of a virtual rack, their BMCs (IPMI) and their PDU (SNMP), healthy and broken."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from virtual_racks import NEEDS_ROOT, PATIENCE, virtual_rack, wait_until

from call_rack_recipes import CHECKOUT, Done, rack_recipes, results
from rack_recipes.errors import UsageError
from rack_recipes.lab import rack_pdus
from rack_recipes.lab.bmc import ipmi_bmcs, redfish_bmcs
from rack_recipes.lab.faults import break_rack, heal_rack
from rack_recipes.lab.rack_state import RackState

pytestmark = [NEEDS_ROOT, pytest.mark.usefixtures("own_recipes")]

SERVERS = ("server1", "server2")
STEPS = ("identity", "returned", "outlet", "pdu_ports", "bmc_sensors", "bmc_mark", "power_cycle", "bmc_events")
BOOT = "cat /proc/sys/kernel/random/boot_id"
OUTLET, COMMAND = (f"{rack_pdus.APC}.9.2.{column}.2" for column in ("3.1.5", "4.1.5"))
ASK = f"SNMP_PERSISTENT_DIR=/run snmp{{}} -v2c -c {rack_pdus.COMMUNITY} -m '' -Oqvn 192.168.255.201 {{}}"
VERSION_3 = {
    "address": "192.168.255.201", "port": 161, "version": "3", "timeout": 5, "retries": 3,
    "user": rack_pdus.USER, "auth_protocol": "SHA", "auth_password": rack_pdus.PASSWORD,
    "privacy_protocol": "AES", "privacy_password": rack_pdus.PASSWORD, "context": rack_pdus.COMMUNITY,
}  # fmt: skip
ASK_3 = (
    "import sys, json; from scriptlets.tools.snmp import tables; print(json.dumps(tables(*json.loads(sys.argv[1]))))"
)


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RackState]:
    """A rack of two servers with BMCs, on one PDU."""
    with virtual_rack(tmp_path_factory.mktemp("power") / "rack", 1, 1, 2, with_bmcs=True) as state:
        yield state


def run(rack: RackState, *variables: str) -> Done:
    words = [word for variable in ("interval=1", *variables) for word in ("-e", variable)]
    return rack_recipes("run", "recipes/power.yml", "-i", rack.folder / "inventory.yml", *words)


def is_on(rack: RackState, server: str) -> bool:
    return bool((rack.folder / "pids" / server).read_text())


def test_healthy_servers_pass_and_two_of_one_pdu_are_never_off_at_once(rack: RackState) -> None:
    before = [rack.run(server, BOOT) for server in SERVERS]
    done = run(rack)
    assert done.code == 0, done.stdout + done.stderr
    found = results(done.answer["run_id"])
    assert found.verdicts() == {(step, server): "passed" for step in STEPS for server in SERVERS}
    assert not {*before} & {rack.run(server, BOOT) for server in SERVERS}
    spans = sorted(found.span("power_cycle", server) for server in SERVERS)
    assert spans[0][1] <= spans[1][0], "both were without power at once"
    for server in SERVERS:
        cycle = found.context["ipmi.power_cycle_v1", server]
        assert 0 < cycle["off_s"] < cycle["return_s"] < PATIENCE
    pdu = found.context["pdu.outlets_v1", "server1"]
    assert {number for number, each in pdu["outlets"].items() if each["name"].startswith("server")} == {"1", "2"}
    assert (pdu["current_a"], pdu["power_w"], pdu["load"]) == (2.7, 620, "normal")
    secrets = ((rack.folder / "bmc/password").read_text().strip(), rack_pdus.COMMUNITY)
    files = [path for path in Path(".rack-recipes").rglob("*") if path.is_file()]
    assert not [path for path in files for secret in secrets if secret.encode() in path.read_bytes()]


def test_each_fault_is_found_where_it_is(rack: RackState) -> None:
    state = break_rack(rack, "outlet-off", "server1")[0]
    state = break_rack(state, "failed-power-supply", "server2")[0]
    wait_until(lambda: not is_on(rack, "server1"))
    time.sleep(1)  # a BMC looks at its sensors twice a second
    try:
        done = run(rack, "power_cycle=false")
    finally:
        heal_rack(state)
    assert done.code == 1, done.stdout + done.stderr
    found = results(done.answer["run_id"])
    bad = {place: row["reason"] for place, row in found.steps.items() if row["verdict"] in ("failed", "error")}
    silent = (
        "the BMC at 192.168.255.129 does not answer IPMI within 4 s, or refuses admin: look at its power and network, "
        "then at user, password and privilege (through spine1)"
    )
    assert bad == {
        ("outlet", "server1"): "outlet 1 (server1) of 192.168.255.201 is off: switch it on (through spine1)",
        ("bmc_sensors", "server1"): silent,
        ("bmc_mark", "server1"): silent,
        ("bmc_sensors", "server2"): (
            "PSU2 Status says Failure detected: look at its cord and its outlet, then replace the part (through spine1)"
        ),
    }
    wait_until(lambda: is_on(rack, "server1"))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("swapped-bmcs", "this is the BMC of another server: of a server (UUID "),
        (
            "swapped-outlets",
            "the load of outlet 1 of 192.168.255.201 did not fall while the server was off, that of outlet 2 fell",
        ),
    ],
)
def test_another_machine_than_the_inventory_says(rack: RackState, fault: str, reason: str) -> None:
    """Whose BMC it is, is known before anything is switched; where the cord of a server leads, while it is off."""
    before = [rack.run(server, BOOT) for server in SERVERS]
    state = break_rack(rack, fault, "server1")[0]
    try:
        done = run(rack)
    finally:
        heal_rack(state)
    assert done.code == 1, done.stdout + done.stderr
    found = results(done.answer["run_id"])
    assert found.verdicts()["power_cycle", "server1"] == "failed"
    assert found.steps["power_cycle", "server1"]["reason"].startswith(reason)
    is_switched = [rack.run(server, BOOT) for server in SERVERS] != before
    assert is_switched == (fault == "swapped-outlets")


def test_an_outlet_that_is_switched_by_snmp_takes_its_server_and_gives_it_back(rack: RackState) -> None:
    column = f".{OUTLET.removesuffix('.2')}"
    words = (sys.executable, "-c", ASK_3, json.dumps([VERSION_3, [column]]))
    told = json.loads(rack.run("", f"cd {shlex.quote(str(CHECKOUT))} && {shlex.join(words)}"))
    assert told[column]["2"] == 2
    energy = ASK.format("get", f"{rack_pdus.APC}.4.3.1.9.1")
    assert int(rack.run("", energy)) >= 12345
    rack.run("", ASK.format("set", f"{COMMAND} i 2"))
    wait_until(lambda: not is_on(rack, "server2"))
    assert rack.run("", ASK.format("get", OUTLET)).strip() == "1"
    assert "100% packet loss" in rack.run("", "ping -c 1 -W 1 192.168.255.130", check=False)
    rack.run("", ASK.format("set", f"{COMMAND} i 1"))
    wait_until(lambda: is_on(rack, "server2"))
    assert "server2" in rack.run("server2", "hostname")


def test_a_rack_starts_without_what_it_does_not_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redfish_bmcs, "missing", lambda: "pip install sushy-tools")
    monkeypatch.setattr(ipmi_bmcs, "missing", lambda: "apt-get install openipmi")
    monkeypatch.setattr(rack_pdus, "missing", lambda: "pip install snmpsim pysmi")
    with virtual_rack(tmp_path / "rack", 1, 1, 1) as state:
        assert (state.has_bmcs, state.has_ipmi, state.has_pdus) == (False, False, False)
        text = (state.folder / "inventory.yml").read_text()
        assert "bmc_address" not in text
        assert "pdu" not in text
        with pytest.raises(UsageError, match="outlet-off needs PDUs: pip install snmpsim pysmi"):
            break_rack(state, "outlet-off")
