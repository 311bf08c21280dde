# SPDX-License-Identifier: GPL-3.0-or-later

"""The PDUs of a rack: which outlet is whose, and what snmpsim is told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from rack_recipes.lab import rack_pdus
from rack_recipes.lab.bmc import power
from rack_recipes.lab.topology import MANAGER, build

STATE = "1.3.6.1.4.1.318.1.1.26.9.2.3.1.5"


def test_a_rack_with_servers_has_a_pdu_and_each_server_an_outlet():
    topology = build()
    assert [(pdu.name, pdu.address, pdu.size) for pdu in rack_pdus.pdus_of(topology)] == [
        ("pdu1", "192.168.255.201", 8), ("pdu2", "192.168.255.202", 8),
    ]  # fmt: skip
    assert rack_pdus.variables_of("server5", topology) == {
        "pdu": "pdu2", "pdu_address": "192.168.255.202", "pdu_outlet": 1,
    }  # fmt: skip
    assert rack_pdus.variables_of("leaf1", topology) == {}
    assert rack_pdus.spec_of(topology)["pdu1"] == {"1": "server1", "2": "server2", "3": "server3", "4": "server4"}


@pytest.mark.parametrize(("servers", "size"), [(8, 8), (9, 24), (25, 48), (40, 48)])
def test_a_pdu_has_an_outlet_for_each_height_unit(servers: int, size: int):
    assert [pdu.size for pdu in rack_pdus.pdus_of(build(1, 2, servers))] == [size]


def test_the_addresses_of_the_largest_rack_are_all_different():
    topology = build(8, 32, 64)
    used = [address for node in topology.nodes.values() for address in (node.management, node.bmc) if address]
    used += [MANAGER, *(pdu.address for pdu in rack_pdus.pdus_of(topology))]
    assert len(used) == len(set(used))


def test_a_record_is_in_the_order_that_snmpsim_needs():
    text = rack_pdus.record(rack_pdus.pdus_of(build(1, 2, 40))[0])
    numbers = [[int(part) for part in line.split("|")[0].split(".")] for line in text.splitlines()]
    assert numbers == sorted(numbers)
    assert f"{STATE}.10|2:rack_pdu|outlet,pdu1,10\n" in text
    assert "1.3.6.1.4.1.318.1.1.26.9.2.3.1.3.41|4|Outlet 41\n" in text


def test_the_files_of_the_pdus(tmp_path: Path):
    rack_pdus.write_files(build(), tmp_path)
    assert (tmp_path / "outlets/pdu2/8").read_text() == "on"
    assert (tmp_path / "pdus/pdu1/snmp-of-pdus.snmprec").read_text().startswith("1.3.6.1.2.1.1.1.0|4|APC")
    (words,) = rack_pdus.services(build()).values()
    assert "--agent-udpv4-endpoint=192.168.255.202:161" in words
    assert words.count("--v3-engine-id=auto") == 2


def test_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    assert rack_pdus.missing() == ""
    monkeypatch.setattr(rack_pdus.importlib.util, "find_spec", lambda _name: None)
    assert rack_pdus.missing() == "pip install 'rack-recipes[rack]'"


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to servers and addresses, in a folder with one PDU of two outlets."""
    (tmp_path / "outlets/pdu1").mkdir(parents=True)
    for number in ("1", "2"):
        (tmp_path / "outlets/pdu1" / number).write_text("on")
    spec = {"folder": str(tmp_path), "outlets": {"pdu1": {"1": "server1"}}, "bmcs": {"server1": "192.0.2.1"}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    told: list[str] = []
    monkeypatch.setattr(rack_pdus, "PAUSE", 0)
    monkeypatch.setattr(subprocess, "run", lambda words, **_more: told.append(" ".join(words)))
    switches = {name: lambda _spec, node, name=name: told.append(f"{node} {name}") for name in ("on", "off")}
    monkeypatch.setattr(power, "ACTIONS", switches)
    return told


OFF = ["ip address del 192.0.2.1/24 dev br-mgmt", "server1 off"]
ON = ["ip address add 192.0.2.1/24 dev br-mgmt", "server1 on"]


@pytest.mark.parametrize(
    ("actions", "told", "state"),
    [
        (["off"], OFF, "off"),
        (["on"], [], "on"),
        (["off", "off", "on"], [*OFF, *ON], "on"),
        (["cycle"], [*OFF, *ON], "on"),
    ],
)
def test_server_and_bmc_follow_their_outlet(tmp_path, done, actions, told, state):
    for action in actions:
        assert rack_pdus.main(str(tmp_path / "spec.json"), "pdu1", "1", action) == 0
    assert done == told
    assert rack_pdus.state(tmp_path, "pdu1", "1") == state


def test_an_outlet_without_a_server(tmp_path, done):
    assert rack_pdus.main(str(tmp_path / "spec.json"), "pdu1", "2", "off") == 0
    assert done == []
    assert rack_pdus.state(tmp_path, "pdu1", "2") == "off"


def test_a_server_without_a_bmc(tmp_path, done):
    spec = json.loads((tmp_path / "spec.json").read_text())
    (tmp_path / "spec.json").write_text(json.dumps({**spec, "bmcs": {}}))
    assert rack_pdus.main(str(tmp_path / "spec.json"), "pdu1", "1", "off") == 0
    assert done == ["server1 off"]


def test_a_server_that_does_not_start(tmp_path, done, monkeypatch, capsys):
    def refuse(_spec: Path, node: str) -> str:
        raise power.PowerError(f"{node}: no room")

    monkeypatch.setattr(power, "ACTIONS", {"off": refuse})
    assert rack_pdus.main(str(tmp_path / "spec.json"), "pdu1", "1", "off") == 1
    assert capsys.readouterr().err == "server1: no room\n"
