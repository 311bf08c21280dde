# SPDX-License-Identifier: GPL-3.0-or-later

"""The hardware of a virtual server as files, and what a BMC tells of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.lab import inventory_and_cabling, node_files, start_rack
from rack_recipes.lab.bmc import hardware_and_event_log, power, redfish_bmcs
from rack_recipes.lab.rack_first_process import PIDS
from rack_recipes.lab.topology import build


@pytest.fixture
def bmc(tmp_path: Path) -> redfish_bmcs.Bmc:
    """A BMC of a healthy server."""
    folder = tmp_path / "server1"
    hardware_and_event_log.make_hardware(folder)
    return redfish_bmcs.Bmc("server1", folder, "sys", "cha")


def resource(bmc: redfish_bmcs.Bmc, path: str) -> dict[str, Any]:
    return redfish_bmcs.resources_by_path(bmc)[f"/redfish/v1/{path}"]()


@pytest.mark.parametrize(
    ("reading", "health"), [(24, "OK"), (37, "OK"), (38, "Warning"), (41, "Warning"), (42, "Critical")]
)
def test_a_reading_at_a_limit_is_beyond_it(reading: int, health: str) -> None:
    assert hardware_and_event_log.TEMPERATURES[0].health(reading) == health


@pytest.mark.parametrize(("reading", "health"), [(5400, "OK"), (1200, "Warning"), (600, "Critical"), (0, "Critical")])
def test_a_fan_must_be_fast_enough(reading: int, health: str) -> None:
    assert hardware_and_event_log.FANS[0].health(reading) == health


def test_every_value_is_told(bmc: redfish_bmcs.Bmc) -> None:
    thermal = resource(bmc, "Chassis/cha/Thermal")
    assert [(each["Name"], each["ReadingCelsius"]) for each in thermal["Temperatures"]] == [
        ("Inlet Temp", 24), ("CPU1 Temp", 47),
    ]  # fmt: skip
    assert {each["Reading"] for each in thermal["Fans"]} == {5400}
    listed = resource(bmc, "UpdateService/FirmwareInventory")["Members"]
    versions = {
        path["@odata.id"]: redfish_bmcs.resources_by_path(bmc)[path["@odata.id"]]()["Version"] for path in listed
    }
    assert [*versions.values()] == ["2.4.1", "1.20.3", "22.41.10"]


def test_what_is_broken_is_told(bmc: redfish_bmcs.Bmc) -> None:
    (bmc.folder / "inlet_temperature").write_text("51\n")
    (bmc.folder / "psu2_ok").write_text("0\n")
    (bmc.folder / "firmware_bios").write_text("2.3.9\n")
    inlet = resource(bmc, "Chassis/cha/Thermal")["Temperatures"][0]
    assert (inlet["ReadingCelsius"], inlet["UpperThresholdCritical"], inlet["Status"]["Health"]) == (51, 42, "Critical")
    supplies = resource(bmc, "Chassis/cha/Power")["PowerSupplies"]
    assert [(each["LineInputVoltage"], each["Status"]["Health"]) for each in supplies] == [(230, "OK"), (0, "Critical")]
    added = redfish_bmcs.additions_by_path(bmc)["/redfish/v1/Systems/sys"]
    assert (added["BiosVersion"], added["Status"]["HealthRollup"]) == ("2.3.9", "Critical")


def test_a_file_that_is_just_being_written_counts_as_healthy(bmc: redfish_bmcs.Bmc) -> None:
    (bmc.folder / "inlet_temperature").write_text("")
    assert hardware_and_event_log.read_value(bmc.folder, "inlet_temperature") == "24"


def test_what_becomes_worse_and_better_is_an_event(bmc: redfish_bmcs.Bmc) -> None:
    seen = hardware_and_event_log.read_conditions(bmc.folder)
    for reading in (24, 51, 52, 24):
        (bmc.folder / "inlet_temperature").write_text(f"{reading}\n")
        seen = hardware_and_event_log.note_changes(bmc.folder, seen)
    entries = resource(bmc, "Systems/sys/LogServices/SEL/Entries")
    assert [each["Message"] for each in entries["Members"]] == [
        "Inlet Temp reads 51 Cel (Critical)", "Inlet Temp reads 24 Cel (OK)",
    ]  # fmt: skip


def test_the_watch_ends_with_its_folder(bmc: redfish_bmcs.Bmc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        hardware_and_event_log.time, "sleep", lambda _seconds: bmc.folder.rename(bmc.folder.with_name("gone"))
    )
    hardware_and_event_log.watch_hardware(bmc.folder)


class TestDriver:
    """The emulator's driver, with a base and errors that stand for the emulator's own."""

    @pytest.fixture
    def ordered(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
        """What the power is told; the node is on."""
        found: list[tuple[str, str]] = []
        actions = {name: lambda _file, node, own=name: found.append((own, node)) for name in power.ACTIONS}
        monkeypatch.setattr(power, "ACTIONS", actions)
        monkeypatch.setattr(power, "state", lambda _file, _node: "on")
        return found

    def driver(self, bmc: redfish_bmcs.Bmc) -> Any:
        base = type("Base", (), {"_get": lambda _self, _identity: {}})
        errors = {"NotSupportedError": NotImplementedError, "Conflict": LookupError}
        return redfish_bmcs.driver_class(base, SimpleNamespace(**errors), Path("spec.json"), bmc)()

    @pytest.mark.parametrize(("kind", "action"), redfish_bmcs.RESETS.items())
    def test_every_reset_switches_the_power(self, bmc, ordered, kind, action):
        driver = self.driver(bmc)
        driver.set_power_state("sys", kind)
        until = time.monotonic() + 60
        while not ordered:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert ordered == [(action, "server1")]
        assert driver.get_power_state("sys") == "On"
        assert f"{kind} was ordered by Redfish" in (bmc.folder / "events.jsonl").read_text()

    def test_what_cannot_be_ordered(self, bmc, ordered, monkeypatch):
        with pytest.raises(NotImplementedError, match="reset type Nmi is not supported"):
            self.driver(bmc).set_power_state("sys", "Nmi")
        monkeypatch.setattr(power, "state", lambda _file, _node: "off")
        with pytest.raises(LookupError, match="the system is off"):
            self.driver(bmc).set_power_state("sys", "ForceRestart")
        assert not ordered


class TestWhatIsMissing:
    def test_packages_are_named(self, monkeypatch):
        monkeypatch.setattr(redfish_bmcs.importlib.util, "find_spec", lambda _name: None)
        assert redfish_bmcs.missing() == "pip install 'rack-recipes[rack]'"
        monkeypatch.setattr(redfish_bmcs.importlib.util, "find_spec", lambda _name: object())
        monkeypatch.setattr(redfish_bmcs.shutil, "which", lambda _name: None)
        assert redfish_bmcs.missing() == "apt-get install openssl"

    @pytest.mark.parametrize(("wanted", "has"), [(None, False), (False, False)])
    def test_a_rack_starts_without_bmcs(self, monkeypatch, wanted, has):
        monkeypatch.setattr(redfish_bmcs, "missing", lambda: "pip install x")
        assert start_rack.decide_bmcs(wanted) is has

    def test_bmcs_that_are_wanted_need_their_packages(self, monkeypatch):
        monkeypatch.setattr(redfish_bmcs, "missing", lambda: "pip install x")
        with pytest.raises(UsageError, match="BMCs need what is not installed: pip install x"):
            start_rack.decide_bmcs(True)


def test_the_inventory_tells_how_a_bmc_is_reached(tmp_path: Path) -> None:
    topology = build(1, 1, 2)
    for each in topology.of_role("server"):
        hardware_and_event_log.make_hardware(tmp_path / "bmc" / each.name)
    (tmp_path / "bmc" / "password").write_text("word\n")
    (tmp_path / "bmc" / "bmc.crt").write_text("-----BEGIN")
    held = inventory_and_cabling.make_inventory(topology, tmp_path, 7)
    inventory_and_cabling.add_bmcs(held, topology, tmp_path / "bmc")
    servers = held["all"]["children"]["servers"]
    assert servers["hosts"]["server2"]["bmc_address"] == "192.168.255.130"
    assert servers["hosts"]["server2"]["pdu"] == "pdu1"
    assert servers["vars"] == {
        "bmc_port": 443, "bmc_user": "admin", "bmc_password": "word", "bmc_ca": "-----BEGIN", "bmc_through": "spine1",
        "firmware_golden": {"BIOS": "2.4.1", "BMC": "1.20.3", "NIC1": "22.41.10"},
        "ipmi_port": 623, "parts_golden": node_files.golden_parts(), "dmi_root": node_files.PLACE,
    }  # fmt: skip


ASK = """\
import base64, json, sys, threading, uuid
from pathlib import Path
from sushy_tools.emulator import main as emulator
from rack_recipes.lab.bmc.redfish_bmcs import Bmc, make_app

folder = Path(sys.argv[1])
bmc = Bmc("server1", folder / "bmc/server1", str(uuid.uuid4()), str(uuid.uuid4()))
app = make_app(emulator, folder / "spec.json", bmc)
paths = [f"/redfish/v1/Systems/{bmc.system}", "/redfish/v1/Systems", bmc.chassis_path, f"{bmc.chassis_path}/Power"]
user = {"Authorization": "Basic " + base64.b64encode(b"admin:secret").decode()}
together, found = threading.Barrier(16), []

def ask(path):
    together.wait()
    answer = app.test_client().get(path, headers=user)
    found.append(answer.status_code if answer.status_code == 200 else (path, answer.text))

threads = [threading.Thread(target=ask, args=(path,)) for path in paths * 4]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(found))
"""


def test_a_new_bmc_answers_many_clients_at_once_and_keeps_no_files(tmp_path: Path) -> None:
    """It kept its state in an SQLite file, which was locked where several clients were its first."""
    pytest.importorskip("sushy_tools")
    import bcrypt

    hardware_and_event_log.make_hardware(tmp_path / "bmc/server1")
    (tmp_path / PIDS).mkdir()
    (tmp_path / PIDS / "server1").touch()
    (tmp_path / "spec.json").write_text(json.dumps({"folder": str(tmp_path)}))
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "bmc/users").write_text(f"admin:{hashed}\n")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-c", ASK, tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [200] * 16
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
