# SPDX-License-Identifier: GPL-3.0-or-later

"""An outlet that is switched: its state, and what becomes of its server and of that server's BMC."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from rack_recipes.lab import rack_pdus
from rack_recipes.lab.bmc import power


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
