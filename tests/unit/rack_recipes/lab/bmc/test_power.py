# SPDX-License-Identifier: GPL-3.0-or-later

"""The power of a node, as far as it goes without a rack; tests/integration/rack/test_virtual_rack.py has the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rack_recipes.errors import RackError
from rack_recipes.lab import faults
from rack_recipes.lab.bmc import power
from rack_recipes.lab.rack_first_process import StartError
from rack_recipes.lab.rack_state import RackState


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spec of a rack whose node `on` is this process, and whose node `off` has none; nothing is really switched."""
    (tmp_path / "pids").mkdir()
    (tmp_path / "pids/on").write_text(str(os.getpid()))
    (tmp_path / "pids/off").write_text("")
    (tmp_path / "pids/ended").write_text(str(2**22 + 1))
    monkeypatch.setattr(power, "run", lambda *_words: None)
    file = tmp_path / "spec.json"
    file.write_text(json.dumps({"folder": str(tmp_path), "init": "init"}))
    return file


@pytest.mark.parametrize(("node", "state"), [("on", "on"), ("off", "off"), ("ended", "off")])
def test_a_node_without_a_process_is_off(spec: Path, node: str, state: str) -> None:
    assert power.state(spec, node) == state


def test_what_is_so_already_stays_so(spec: Path) -> None:
    assert power.turn_on(spec, "on") == "on"
    assert power.turn_off(spec, "off") == "off"
    assert power.turn_off(spec, "ended") == "off"
    assert (spec.parent / "pids/ended").read_text() == ""


@pytest.mark.parametrize("action", power.ACTIONS)
def test_a_node_that_there_is_not(spec: Path, action: str) -> None:
    with pytest.raises(power.PowerError, match="the rack has no node 'server9'"):
        power.ACTIONS[action](spec, "server9")


def test_a_node_that_does_not_start(spec: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def refuse(*_words: object) -> None:
        raise StartError("no room")

    (spec.parent / "files/off/etc/rack").mkdir(parents=True)
    monkeypatch.setattr(power, "start_node", refuse)
    power.main(str(spec), "off", "on")
    assert json.loads(capsys.readouterr().out) == {"error": "off: no room"}
    assert power.state(spec, "off") == "off"


def test_it_is_a_program_that_tells_one_line(spec: Path) -> None:
    done = subprocess.run(
        faults.power_command(spec.parent, "ended", "state"),
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert json.loads(done.stdout) == {"power": "off"}
    assert faults.power_command(spec.parent, "on", "state")[0] == sys.executable


@pytest.mark.parametrize(
    ("answer", "says"),
    [('{"error": "server1: no room"}', "server1: no room"), ("", "no reason is known")],
)
def test_what_goes_wrong_inside_is_said_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, says: str
) -> None:
    monkeypatch.setattr(RackState, "run", lambda *_words: answer)
    with pytest.raises(RackError, match=f"the power of server1 is not switched: {says}"):
        faults.switch_power(RackState(tmp_path, 1, 1, {}), "server1", "on")
