# SPDX-License-Identifier: GPL-3.0-or-later

"""What ipmi_sim is told of each server: its sensors as records, its network and user, and what switches its power."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rack_recipes.lab.bmc import ipmi_bmcs
from rack_recipes.lab.topology import build

PROGRAM = """\
import sys
open("switched", "a").write(" ".join(sys.argv[1:]) + "\\n")
"""


def lines(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]


class TestSensors:
    COMMANDS = tuple(ipmi_bmcs.sensor_commands("bmc/server1"))

    def test_each_sensor_reads_a_file_of_the_hardware(self):
        files = [
            re.search(r'file "bmc/server1/(\w+)" ?(.*)', line) for line in lines("\n".join(self.COMMANDS), "sensor_add")
        ]
        assert [match.groups() for match in files if match] == [
            ("inlet_temperature", ""),
            ("cpu1_temperature", ""),
            ("fan1_speed", "div=100"),
            ("fan2_speed", "div=100"),
            ("psu1_ok", "sub=2 mult=-4 div=3"),
            ("psu2_ok", "sub=2 mult=-4 div=3"),
        ]

    def test_a_power_supply_is_present_or_present_and_failed(self):
        """ipmi_sim subtracts, multiplies, divides and rounds, as sensor_poll in its ipmi_sim.c does."""
        states = [int((value - 2) * -4 / 3 + 0.5) for value in (1, 0)]
        assert states == [0b01, 0b11]

    def test_limits_are_those_of_the_hardware(self):
        found = lines("\n".join(self.COMMANDS), "sensor_set_threshold")
        assert found[0] == "sensor_set_threshold 0x20 0 1 settable 011000 0 42 38 0 0 0"
        assert found[2] == "sensor_set_threshold 0x20 0 3 settable 000011 0 0 0 0 6 12"

    def test_events_are_those_of_the_limits(self):
        found = lines("\n".join(self.COMMANDS), "sensor_set_event_support")
        assert found[0].split()[-1] == "000001010000000"  # upper non-critical and critical, going high
        assert found[2].split()[-1] == "000000000000101"  # lower non-critical and critical, going low
        assert found[4].split()[-1] == "000000000001111"

    @pytest.mark.parametrize(("number", "kind", "name"), [(0, 0x01, b"Inlet Temp"), (4, 0x02, b"PSU1 Status")])
    def test_a_record_has_the_length_that_it_says_and_ends_in_its_name(self, number, kind, name):
        record = bytes(int(each, 16) for each in lines("\n".join(self.COMMANDS), "main_sdr_add")[number].split()[2:])
        assert (record[2], record[3], record[4]) == (0x51, kind, len(record) - 5)
        assert record.endswith(bytes([0xC0 | len(name)]) + name)
        start = 47 if kind == 0x01 else 31  # tables 43-1 and 43-2: where the name's length stands
        assert record[start] == 0xC0 | len(name)


def test_the_files_of_a_server(tmp_path: Path):
    ipmi_bmcs.write_files(build(1, 2, 2), tmp_path, "secret-of-bmcs")
    own = tmp_path / "ipmi" / "server2"
    text = (own / "lan.conf").read_text()
    assert "addr 192.168.255.130 623" in text
    assert 'user 2 true "admin" "secret-of-bmcs" admin' in text
    assert max(map(len, text.splitlines())) < 100  # ipmi_sim ends without a word at long lines
    assert (own / "bmc.emu").read_text().endswith("mc_enable 0x20\n")
    assert own.stat().st_mode & 0o077 == 0
    assert ipmi_bmcs.services(build(1, 2, 2))["ipmi of server2"][4:] == [
        "ipmi_sim", "-n", "-c", "ipmi/server2/lan.conf", "-f", "ipmi/server2/bmc.emu", "-s", "ipmi/server2/state",
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "said"), [("", "apt-get install openipmi"), ("{folder}", "")])
def test_what_is_missing(path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "ipmi_sim"
    program.touch()
    program.chmod(0o755)
    monkeypatch.setenv("PATH", path.format(folder=tmp_path))
    assert ipmi_bmcs.missing() == said


class TestChassis:
    """The script that ipmi_sim calls for the power of a server."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "pids").mkdir()
        (tmp_path / "pids" / "server1").write_text("1")
        (tmp_path / "switch.py").write_text(PROGRAM)
        return tmp_path

    def call(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        script = folder / "python"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" switch.py "$@"\n')
        script.chmod(0o755)
        line = ("sh", str(ipmi_bmcs.CHASSIS), str(script), "power.module", str(folder), "server1", *words)
        return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)

    @pytest.mark.parametrize(("pid", "said"), [("1", "power:1\n"), ("", "power:0\n"), ("999999999", "power:0\n")])
    def test_whether_it_is_on(self, folder: Path, pid: str, said: str):
        (folder / "pids" / "server1").write_text(pid)
        assert self.call(folder, "get", "power").stdout == said

    @pytest.mark.parametrize(
        ("words", "action"),
        [(("power", "0"), "off"), (("power", "1"), "on"), (("reset", "1"), "cycle"), (("shutdown", "1"), "off")],
    )
    def test_what_switches_it(self, folder: Path, words: tuple[str, ...], action: str):
        assert self.call(folder, "set", *words).returncode == 0
        until = time.monotonic() + 30
        while not (folder / "switched").exists() or not (folder / "switched").read_text():
            assert time.monotonic() < until
            time.sleep(0.02)
        assert (folder / "switched").read_text() == f"-I -m power.module {folder}/spec.json server1 {action}\n"

    def test_what_has_no_meaning_here(self, folder: Path):
        assert self.call(folder, "get", "boot").stdout == "boot:default\n"
        assert self.call(folder, "set", "boot", "pxe").returncode == 0
        assert [self.call(folder, *words).returncode for words in (("get", "fan"), ("set", "fan", "1"), ("do",))] == [
            1
        ] * 3
        assert not (folder / "switched").exists()
