# SPDX-License-Identifier: GPL-3.0-or-later

"""What a PDU of the rack answers where something changes: outlets, load, counters; and what a command does."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.lab.variation import rack_pdu

READ = {"nextFlag": False, "exactMatch": True, "setFlag": False, "errorStatus": "wrong", "origOid": "asked"}


@pytest.fixture
def outlets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PDU with three outlets, the second off."""
    folder = tmp_path / "outlets/pdu1"
    folder.mkdir(parents=True)
    for number, state in {"1": "on", "2": "off", "3": "on"}.items():
        (folder / number).write_text(state)
    (tmp_path / "spec.json").write_text('{"outlets": {"pdu1": {"1": "server1", "2": "server2", "3": "server3"}}}')
    (tmp_path / "pids").mkdir()
    for number, pid in {1: "12", 2: "", 3: "14"}.items():
        (tmp_path / "pids" / f"server{number}").write_text(pid)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rack_pdu, "_seconds", lambda: 3600.0)
    return folder


def answer(value: str, **context: Any) -> tuple[Any, str, Any]:
    return rack_pdu.variate("1.2.3", "2", value, **{**READ, **context})


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("outlet,pdu1,1", "2"),
        ("outlet,pdu1,2", "1"),
        ("current,pdu1,1,2,3", "28"),  # 1.3 A and 1.5 A
        ("power,pdu1,1,2,3", "64"),
        ("load,pdu1,1", "299"),
        ("load,pdu1,2", "0"),
        ("load,pdu1,8", "0"),  # nobody hangs on it
        ("energy,pdu1,1,2,3", "12351"),
        ("uptime", "360000"),
        ("counter,100,2.5", "9100"),
    ],
)
def test_what_changes(outlets, value, told):
    assert answer(value) == ("1.2.3", "2", told)


def test_a_server_that_its_bmc_has_switched_off_takes_next_to_nothing(outlets):
    (outlets.parents[1] / "pids/server1").write_text("")
    assert answer("load,pdu1,1") == ("1.2.3", "2", "7")


def test_an_identifier_that_is_not_there(outlets):
    assert answer("outlet,pdu1,1", exactMatch=False) == ("asked", "2", "wrong")


@pytest.mark.parametrize(("command", "action"), [(1, "on"), (2, "off"), (3, "cycle")])
def test_a_command_switches_the_outlet(outlets, monkeypatch, command, action):
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda words, **_more: started.append(words))
    assert answer("command,pdu1,3", setFlag=True, origValue=command) == ("1.2.3", "2", command)
    assert [words[-4:] for words in started] == [("spec.json", "pdu1", "3", action)]


@pytest.mark.parametrize(("value", "command"), [("command,pdu1,3", 9), ("outlet,pdu1,3", 1)])
def test_what_cannot_be_written(outlets, value, command):
    assert answer(value, setFlag=True, origValue=command) == ("asked", "2", "wrong")


def test_snmpsim_calls_it_at_start_and_end():
    rack_pdu.init(options="")
    rack_pdu.shutdown()
