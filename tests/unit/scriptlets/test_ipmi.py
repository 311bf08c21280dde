# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for BMCs, on what ipmitool printed.

`captured/ipmitool-1.8.19-*` were captured here, of ipmi_sim 2.0.37. `ipmitool-1.8.18-sdr-shape.csv` has the shape of
what servers of Supermicro and Dell answer, made after the lines in the tests of Checkmk's ipmi plugins (sensors with
states, https://github.com/Checkmk/checkmk) and the fields that ipmi_sdr_print_sensor_fc of ipmitool 1.8.18 prints.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

ROOT = Path(__file__).resolve().parents[3]
CAPTURED = Path(__file__).parent / "captured"
BMC = {"address": "192.0.2.9", "user": "operator", "password": "not-on-a-command-line"}


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A function that puts an ipmitool of shell in front of the real one; returns the file with its command lines."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def install(script: str) -> Path:
        program, log = tmp_path / "ipmitool", tmp_path / "calls"
        program.write_text(f'#!/bin/sh\necho "$@ [$IPMITOOL_PASSWORD]" >>{log}\n{script}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return log

    return install


def prints(name: str) -> str:
    return f"cat {CAPTURED / name}"


def log_of(name: str, folder: Path) -> str:
    """A script that answers as a BMC with a captured event log does."""
    raw = folder / "log.bin"
    raw.write_bytes(bytes.fromhex((CAPTURED / f"{name}.hex").read_text()))
    return f"""\
for last; do :; done
case "$*" in
  *writeraw*) cat {raw} >"$last" ;;
  *elist*) tail -n "$last" {CAPTURED / name}.csv ;;
esac"""


class TestSensors:
    def test_a_healthy_server(self, scriptlet, tool, rack_context):
        calls = tool(prints("ipmitool-1.8.19-sdr-healthy.csv"))
        outcome = rack_context.run(scriptlet("ipmi.sensors").IpmiSensors, BMC)
        assert outcome.verdict == "passed", outcome.reason
        assert rack_context["ipmi.sensors_v1"]["FAN1"] == {
            "kind": "Fan", "status": "ok", "reading": 6200.0, "unit": "RPM",
            "limits": {"lower_fatal": 500.0, "lower_critical": 700.0, "lower_warning": 1000.0},
        }  # fmt: skip
        assert rack_context["ipmi.sensors_v1"]["PSU1 Status"]["states"] == ["Presence detected"]
        line = calls.read_text()
        assert line == (
            "-c -v -I lanplus -H 192.0.2.9 -p 623 -U operator -L USER -N 1 -R 4 -E sdr list [not-on-a-command-line]\n"
        )

    def test_what_is_beyond_its_limits_is_named_with_what_to_do(self, scriptlet, tool, rack_context):
        tool(prints("ipmitool-1.8.19-sdr-broken.csv"))
        outcome = rack_context.run(scriptlet("ipmi.sensors").IpmiSensors, BMC)
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            (
                "FAN1 reads 400 RPM (limits: lower fatal 500, lower critical 700, lower warning 1000): replace the "
                "fan; PSU2 Status says Failure detected: look at its cord and its outlet, then replace the part"
            ),
        )
        assert rack_context["ipmi.sensors_v1"]["CPU Temp"]["status"] == "warning"
        assert rack_context.checked["status.CPU Temp"] == "marginal"

    def test_short_words_sensors_without_reading_and_names_that_come_twice(self, scriptlet, tool, rack_context):
        tool(prints("ipmitool-1.8.18-sdr-shape.csv"))
        outcome = rack_context.run(scriptlet("ipmi.sensors").IpmiSensors, BMC)
        assert outcome.verdict == "failed"
        found = rack_context["ipmi.sensors_v1"]
        assert {name: each["status"] for name, each in found.items()} == {
            "CPU Temp": "ok", "M2NVMeSSD Temp1": "absent", "FAN1": "warning", "FAN2": "critical",
            "MSR Info Log": "absent", "OS Watchdog": "ok", "Power Redundancy": "ok", "PS1 Status": "ok",
            "PS2 Status": "critical", "VCORE PG": "ok", "PS1 Status (2)": "critical",
        }  # fmt: skip
        assert "M2NVMeSSD" not in outcome.reason

    def test_what_is_ignored_and_what_must_be_there(self, scriptlet, tool, rack_context):
        tool(prints("ipmitool-1.8.18-sdr-shape.csv"))
        ignored = {**BMC, "ignore": ["FAN2", "PS2 Status", "PS1 Status (2)"]}
        assert rack_context.run(scriptlet("ipmi.sensors").IpmiSensors, ignored).verdict == "marginal"
        outcome = rack_context.run(scriptlet("ipmi.sensors").IpmiSensors, {**BMC, "names": ["M2NVMeSSD Temp1", "GPU"]})
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            "no reading of M2NVMeSSD Temp1, GPU: look whether the part is there, then restart the BMC",
        )

    @pytest.mark.parametrize("verdict", ["skipped", "failed"])
    def test_a_bmc_without_sensors(self, scriptlet, tool, rack_context, verdict):
        tool("echo")
        outcome = rack_context.run(scriptlet("ipmi.sensors").IpmiSensors, {**BMC, "missing": verdict})
        assert (outcome.verdict, outcome.reason) == (
            verdict, "no such hardware: the BMC at 192.0.2.9 has no sensors"
        )  # fmt: skip

    def test_an_old_bmc_that_needs_a_cipher_suite(self, scriptlet, tool, rack_context):
        calls = tool(prints("ipmitool-1.8.19-sdr-healthy.csv"))
        assert rack_context.run(scriptlet("ipmi.sensors").IpmiSensors, {**BMC, "cipher_suite": 3}).verdict == "passed"
        assert calls.read_text().startswith("-c -v -C 3 -I lanplus ")

    def test_a_line_that_is_no_sensor(self, scriptlet, tool, rack_context):
        tool("echo oops")
        outcome = rack_context.run(scriptlet("ipmi.sensors").IpmiSensors, BMC)
        assert (outcome.verdict, outcome.reason) == (
            "error", "ipmitool printed 'oops', which is no sensor"
        )  # fmt: skip


@table("said", "reason")
def test_a_bmc_that_gives_no_answer_is_an_error(scriptlet, tool, rack_context, said, reason):
    tool(f"echo '{said}' >&2; exit 1")
    outcome = rack_context.run(scriptlet("ipmi.sensors").IpmiSensors, BMC)
    assert (outcome.verdict, outcome.reason) == ("error", reason)
    assert BMC["password"] not in outcome.reason


def test_no_ipmitool_is_an_error(scriptlet, monkeypatch, tmp_path, rack_context):
    monkeypatch.setattr(scriptlet("tools.commands"), "PATHS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = rack_context.run(scriptlet("ipmi.sensors").IpmiSensors, BMC)
    assert (outcome.verdict, outcome.reason) == ("error", "ipmitool is not installed on this host")


class TestEventLog:
    NAME = "ipmitool-1.8.19-sel"

    def test_the_mark_is_the_last_record(self, scriptlet, tool, rack_context, tmp_path):
        tool(log_of(self.NAME, tmp_path))
        assert rack_context.run(scriptlet("ipmi.event_mark").IpmiEventMark, BMC).verdict == "passed"
        assert rack_context["ipmi.event_mark_v1"] == {"last": 7, "count": 7}

    def test_nothing_new_is_fine_and_asks_for_no_words(self, scriptlet, tool, rack_context, tmp_path):
        calls = tool(log_of(self.NAME, tmp_path))
        assert rack_context.run(scriptlet("ipmi.event_log").IpmiEventLog, {**BMC, "after": 7}).verdict == "passed"
        assert rack_context["ipmi.event_log_v1"] == []
        assert "elist" not in calls.read_text()

    def test_what_came_since_is_judged_warnings_are_not(self, scriptlet, tool, rack_context, tmp_path):
        tool(log_of(self.NAME, tmp_path))
        outcome = rack_context.run(scriptlet("ipmi.event_log").IpmiEventLog, {**BMC, "after": 2})
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            (
                "Fan FAN1: Lower Critical going low (Reading 400 < Threshold 700 RPM); "
                "Fan FAN1: Lower Non-recoverable going low (Reading 400 < Threshold 500 RPM); "
                "Power Supply PSU2 Status: Failure detected: look at this part, then clear the log"
            ),
        )
        first = rack_context["ipmi.event_log_v1"][0]
        assert first == {
            "number": 3, "seconds": 14298, "sensor": "Temperature CPU Temp", "event": "Upper Non-critical going high",
            "details": "Reading 92 > Threshold 90 degrees C", "is_over": False, "is_fault": False,
        }  # fmt: skip

    def test_a_log_that_was_cleared_is_judged_whole(self, scriptlet, tool, rack_context, tmp_path):
        tool(log_of(self.NAME, tmp_path))
        rack_context.run(scriptlet("ipmi.event_log").IpmiEventLog, {**BMC, "after": 99, "max_faults": 9})
        assert len(rack_context["ipmi.event_log_v1"]) == 7

    def test_ignored_words_and_many_events(self, scriptlet, tool, rack_context, tmp_path):
        tool(log_of(self.NAME, tmp_path))
        params = {**BMC, "ignore": ["FAN1", "PSU2"]}
        assert rack_context.run(scriptlet("ipmi.event_log").IpmiEventLog, params).verdict == "passed"
        assert scriptlet("ipmi.event_log").more(3) == " (3 more)"

    def test_an_event_that_is_over_is_no_fault(self, scriptlet):
        events = scriptlet("tools.ipmi_events")
        (record,) = events.records(bytes.fromhex("0900 02db 3700 0020 0004 0403 8152 3c07"))
        found = events.event(record, {9: ("Fan FAN1", "Lower Critical going low", "")})
        assert (found["is_over"], found["is_fault"]) == (True, False)

    def test_a_log_that_is_cut_off(self, scriptlet, tool, rack_context):
        tool('for last; do :; done; echo hello >"$last"')
        outcome = rack_context.run(scriptlet("ipmi.event_mark").IpmiEventMark, BMC)
        assert (outcome.verdict, outcome.reason) == (
            "error", "the event log has 6 bytes, and a record has 16"
        )  # fmt: skip


class TestPowerCycle:
    HOST = {**BMC, "host": "127.0.0.1", "max_off": 2, "max_return": 3, "identify_by": []}

    @pytest.mark.parametrize(
        ("told", "verdict"),
        [
            ({"uuid": "5194e74e-9b81-5b36-94a9-5a6e85d2a42e"}, "passed"),
            ({"uuid": "4ee79451-819b-365b-94a9-5a6e85d2a42e"}, "passed"),
            ({"uuid": "2ea4d285-6e5a-a994-365b-819b4ee79451"}, "passed"),  # the lowest byte first, as IPMI has it
            ({"uuid": "3c4f97d2-58e4-5b37-90dc-3a755eaf12e0", "serial": "S1"}, "failed"),
            ({"serial": "S1"}, "failed"),
            ({}, "failed"),
        ],
    )
    def test_whose_bmc_it_is(self, scriptlet, tool, rack_context, tmp_path, listener, told, verdict):
        """The GUID decides; a serial number alone has nothing to be compared with, and that is said."""
        tool(self.script(tmp_path, more='*raw*) echo " 51 94 e7 4e 9b 81 5b 36 94 a9 5a 6e 85 d2 a4 2e" ;;'))
        rack_context.set("host.identity_v1", {"host_name": "a7", **told})
        params = {**self.HOST, "host_port": listener, "identify_by": ["uuid", "serial"]}
        outcome = rack_context.run(scriptlet("ipmi.power_cycle").IpmiPowerCycle, params)
        assert outcome.verdict == verdict, outcome.reason
        assert verdict == "passed" or "nothing was switched" in outcome.reason
        assert (tmp_path / "power").read_text().strip() == "on"

    @pytest.mark.parametrize(("serial", "verdict"), [("MXQ1", "passed"), ("MXQ2", "failed")])
    def test_the_record_of_parts_decides_where_there_is_no_guid(
        self, scriptlet, tool, rack_context, tmp_path, listener, serial, verdict
    ):
        fru = "echo ' Product Serial        : MXQ1'; echo ' Board Serial : .B1.'"
        tool(self.script(tmp_path, more=f"*raw*) echo; exit 1 ;; *fru*) {fru} ;;"))
        rack_context.set("host.identity_v1", {"host_name": "a7", "serial": serial})
        params = {**self.HOST, "host_port": listener, "identify_by": ["uuid", "serial"]}
        outcome = rack_context.run(scriptlet("ipmi.power_cycle").IpmiPowerCycle, params)
        assert outcome.verdict == verdict, outcome.reason
        assert verdict == "passed" or "of a server (serial MXQ1, .B1.), not of a7 (serial MXQ2)" in outcome.reason

    def script(self, folder: Path, *, obeys: bool = True, more: str = "") -> str:
        state = folder / "power"
        state.write_text("on")
        do = f"echo $last >{state}" if obeys else ":"
        return f"""for last; do :; done
case "$*" in {more} esac
case $last in
  status) echo "Chassis Power is $(cat {state})" ;;
  on | off) {do} ;;
esac"""

    def test_off_on_and_back(self, scriptlet, tool, rack_context, tmp_path, listener):
        calls = tool(self.script(tmp_path))
        params = {**self.HOST, "host_port": listener}
        outcome = rack_context.run(scriptlet("ipmi.power_cycle").IpmiPowerCycle, params)
        assert outcome.verdict == "passed", outcome.reason
        found = rack_context["ipmi.power_cycle_v1"]
        assert 0 <= found["off_s"] <= found["return_s"] < 3
        assert [line.split(" -E ")[1].split(" [")[0] for line in calls.read_text().splitlines()] == [
            "chassis power status", "chassis power off", "chassis power status", "chassis power on",
        ]  # fmt: skip

    def test_a_server_that_was_off_is_not_touched(self, scriptlet, tool, rack_context, tmp_path):
        calls = tool(self.script(tmp_path))
        (tmp_path / "power").write_text("off")
        outcome = rack_context.run(scriptlet("ipmi.power_cycle").IpmiPowerCycle, self.HOST)
        assert (outcome.verdict, outcome.reason) == (
            "failed", "the server is off: switch it on by its BMC at 192.0.2.9, then try again"
        )  # fmt: skip
        assert len(calls.read_text().splitlines()) == 1

    def test_one_that_stays_on(self, scriptlet, tool, rack_context, tmp_path):
        tool(self.script(tmp_path, obeys=False))
        outcome = rack_context.run(scriptlet("ipmi.power_cycle").IpmiPowerCycle, {**self.HOST, "max_off": 0.3})
        assert (outcome.verdict, outcome.reason) == (
            "failed", "the server is not off 0.3 s after the order: look at its BMC"
        )  # fmt: skip

    def test_one_that_does_not_come_back(self, scriptlet, tool, rack_context, tmp_path, closed_port):
        tool(self.script(tmp_path))
        params = {**self.HOST, "host_port": closed_port, "max_return": 0.5}
        outcome = rack_context.run(scriptlet("ipmi.power_cycle").IpmiPowerCycle, params)
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            f"127.0.0.1:{closed_port} does not answer 0.5 s after the power was switched: look at the server's console",
        )
        assert rack_context["ipmi.power_cycle_v1"]["return_s"] is None

    def test_an_answer_that_says_nothing(self, scriptlet, tool, rack_context):
        tool("echo Chassis Power is unknown")
        outcome = rack_context.run(scriptlet("ipmi.power_cycle").IpmiPowerCycle, self.HOST)
        assert (outcome.verdict, outcome.reason) == (
            "error", "ipmitool says 'Chassis Power is unknown' of the power"
        )  # fmt: skip


@pytest.fixture
def sockets() -> Any:
    import socket

    listening, closed = socket.socket(), socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(8)
    closed.bind(("127.0.0.1", 0))
    with listening, closed:
        yield listening, closed


@pytest.fixture
def listener(sockets: Sequence[Any]) -> int:
    """A port that takes connections."""
    return int(sockets[0].getsockname()[1])


@pytest.fixture
def closed_port(sockets: Sequence[Any]) -> int:
    """A port that does not."""
    return int(sockets[1].getsockname()[1])
