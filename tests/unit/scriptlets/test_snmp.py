# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for SNMP, on what snmpbulkwalk of net-snmp 5.9.4 printed, all captured here.

`snmpd-5.9.4-*` is Debian's snmpd over the interfaces of a kernel. `snmpsim-1.2.2-*` and `pdu-apc-rpdu2.txt` are a PDU
of the virtual rack. The other two PDUs are snmpsim over records made after the vendors' MIBs: PowerNet-MIB (rPDU) of
APC and PDU2-MIB of Raritan, whose object identifiers NUT reads as well (drivers/apc-mib.c, drivers/raritan-px2-mib.c).
"""

from __future__ import annotations

import re
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CAPTURED = Path(__file__).parent / "captured"
SECRET = 'com"muni\\ty'
PDU = {"address": "192.0.2.7", "community": SECRET}
DEVICE = {**PDU, "interval": 0}


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A function that puts a snmpbulkwalk of shell in front of the real one; returns the file with its calls."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def install(script: str) -> Path:
        program, log = tmp_path / "snmpbulkwalk", tmp_path / "calls"
        note = 'echo "$@"; cat "$SNMPCONFPATH/snmp.conf"; stat -c %a "$SNMPCONFPATH"/*'
        program.write_text(f"#!/bin/sh\n{{ {note}; }} >>{log}\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return log

    return install


def prints(*names: str, folder: Path) -> str:
    """A script that prints one file after another, each for the three tables of one look; the last one from then on."""
    lines = "".join(f"  {number}) cat {folder / name} ;;\n" for number, name in enumerate(names[:-1]))
    count = f"{folder}/count"
    return f"""echo x >>{count}
case $((($(wc -l <{count}) - 1) / 3)) in
{lines}  *) cat {folder / names[-1]} ;;
esac"""


def later(text: str, seconds: int, counters: dict[str, int]) -> str:
    """The same device some seconds later, with other counters; the keys are column and row of ifTable."""
    text = re.sub(r"(?m)^(\.1\.3\.6\.1\.2\.1\.1\.3\.0 = )(\d+)", lambda m: f"{m[1]}{int(m[2]) + seconds * 100}", text)
    for place, value in counters.items():
        text = re.sub(rf"(?m)^(\.1\.3\.6\.1\.2\.1\.2\.2\.1\.{re.escape(place)} = \w+): \d+", rf"\1: {value}", text)
    return text


class TestInterfaces:
    FILE = "snmpd-5.9.4-interfaces.txt"

    @pytest.fixture
    def looks(self, tool, tmp_path) -> Callable[..., Path]:
        """A function that makes a device with two looks: the second after so many seconds, with other counters."""

        def make(seconds: int, counters: dict[str, int], file: str = self.FILE, **first: int) -> Path:
            text = (CAPTURED / file).read_text()
            (tmp_path / "first").write_text(later(text, 0, first))
            (tmp_path / "second").write_text(later(text, seconds, counters))
            log: Path = tool(prints("first", "second", folder=tmp_path))
            return log

        return make

    def test_interfaces_that_are_up_and_quiet(self, scriptlet, looks, rack_context):
        looks(10, {"14.4": 0})
        outcome = rack_context.run(scriptlet("snmp.interfaces").SnmpInterfaces, DEVICE)
        assert outcome.verdict == "passed", outcome.reason
        found = rack_context["snmp.interfaces_v1"]
        assert list(found) == ["lo", "ifb0", "ifb1", "eth0"]
        assert found["eth0"] == {
            "is_on": True, "state": "up", "speed_mbit_s": 0, "in_errors_per_s": 0.0, "out_errors_per_s": 0.0,
            "in_discards_per_s": 0.0, "out_discards_per_s": 0.0,
        }  # fmt: skip
        assert (found["ifb0"]["is_on"], found["ifb0"]["state"]) == (False, "down")

    def test_another_device(self, scriptlet, looks, rack_context):
        looks(10, {}, "snmpsim-1.2.2-interfaces.txt")
        params = {**DEVICE, "ports": ["eth0"], "min_speed": 100, "max_discards": 0}
        assert rack_context.run(scriptlet("snmp.interfaces").SnmpInterfaces, params).verdict == "passed"
        assert rack_context["snmp.interfaces_v1"]["eth0"]["speed_mbit_s"] == 100

    def test_errors_and_discards_are_told_a_second(self, scriptlet, looks, rack_context):
        looks(10, {"14.4": 25, "19.4": 100})
        params = {**DEVICE, "max_discards": 5}
        outcome = rack_context.run(scriptlet("snmp.interfaces").SnmpInterfaces, params)
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            (
                "eth0 has 2.5 incoming errors a second: clean or replace the cable or the module; "
                "eth0 has 10 outgoing discards a second: clean or replace the cable or the module"
            ),
        )

    def test_a_counter_that_began_anew_is_counted_on(self, scriptlet, looks, rack_context):
        looks(10, {"14.4": 4}, **{"14.4": 2**32 - 6})
        outcome = rack_context.run(scriptlet("snmp.interfaces").SnmpInterfaces, {**DEVICE, "max_errors": 2})
        assert outcome.verdict == "passed"
        assert rack_context["snmp.interfaces_v1"]["eth0"]["in_errors_per_s"] == 1.0

    def test_a_port_that_is_down_slow_or_missing(self, scriptlet, looks, rack_context):
        looks(10, {})
        run = scriptlet("snmp.interfaces").SnmpInterfaces
        outcome = rack_context.run(run, {**DEVICE, "ports": ["ifb0", "eth0"], "min_speed": 1000})
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            (
                "ifb0 is down: look at its cable and at the device at the other end; "
                "eth0 runs at 0 Mbit/s: look at the module, the cable, and the speed that is set"
            ),
        )
        outcome = rack_context.run(run, {**DEVICE, "ports": ["eth7", "eth0"]})
        assert (outcome.verdict, outcome.reason) == ("failed", "192.0.2.7 has no interface eth7")

    def test_a_device_that_restarted_is_an_error(self, scriptlet, looks, rack_context):
        looks(-1, {})
        outcome = rack_context.run(scriptlet("snmp.interfaces").SnmpInterfaces, DEVICE)
        assert (outcome.verdict, outcome.reason) == (
            "error",
            "the device has restarted between the two looks, or tells no uptime: its counters say nothing",
        )

    def test_a_value_that_is_judged_and_not_told_is_an_error(self, scriptlet, tool, rack_context, tmp_path):
        text = (CAPTURED / self.FILE).read_text()
        lines = [line for line in text.splitlines() if ".2.2.1.14." not in line]
        (tmp_path / "first").write_text("\n".join(lines))
        (tmp_path / "second").write_text(later("\n".join(lines), 5, {}))
        tool(prints("first", "second", folder=tmp_path))
        outcome = rack_context.run(scriptlet("snmp.interfaces").SnmpInterfaces, {**DEVICE, "ports": ["eth0"]})
        assert (outcome.verdict, outcome.reason) == ("error", "eth0: the device does not tell in_errors_per_s")

    @pytest.mark.parametrize("verdict", ["skipped", "failed"])
    def test_a_device_without_interfaces(self, scriptlet, tool, rack_context, verdict):
        tool("echo '.1.3.6.1.2.1.2.2.1 = No Such Object available on this agent at this OID'")
        outcome = rack_context.run(scriptlet("snmp.interfaces").SnmpInterfaces, {**DEVICE, "missing": verdict})
        assert (outcome.verdict, outcome.reason) == (
            verdict, "no such hardware: 192.0.2.7 tells of no interfaces (IF-MIB)"
        )  # fmt: skip


PDUS = {
    "APC rPDU2": ("pdu-apc-rpdu2.txt", "2", "server2", 4.4, 1010, "normal"),
    "APC rPDU": ("pdu-apc-rpdu.txt", "2", "storage with a long name", 3.4, 782, "near overload"),
    "Raritan PDU2": ("pdu-raritan-pdu2.txt", "2", "server2", 4.213, 963, None),
}
"""Each kind of PDU: what it printed, an outlet that is off with its name, current, power and load."""


class TestOutlets:
    @pytest.mark.parametrize("kind", PDUS)
    def test_each_kind_of_pdu(self, scriptlet, tool, rack_context, kind):
        file, outlet, name, current, power, load = PDUS[kind]
        tool(f"cat {CAPTURED / file}")
        rack_context.run(scriptlet("snmp.outlets").PduOutlets, {**PDU, "outlets": ["1"]})
        found = rack_context["pdu.outlets_v1"]
        assert found["kind"] == kind
        assert found["outlets"]["1"]["state"] == "on"
        assert found["outlets"][outlet] == {"name": name, "state": "off"}
        assert (found["current_a"], found["power_w"], found["load"]) == (current, power, load)

    def test_an_outlet_that_is_off(self, scriptlet, tool, rack_context):
        tool(f"cat {CAPTURED / 'pdu-apc-rpdu2.txt'}")
        outcome = rack_context.run(scriptlet("snmp.outlets").PduOutlets, {**PDU, "outlets": ["1", "2"]})
        assert (outcome.verdict, outcome.reason) == (
            "failed", "outlet 2 (server2) of 192.0.2.7 is off: switch it on"
        )  # fmt: skip
        assert rack_context.checked == {"outlet.1": "passed", "outlet.2": "failed", "load": "passed"}

    def test_one_that_must_be_off_and_one_that_is_not_there(self, scriptlet, tool, rack_context):
        tool(f"cat {CAPTURED / 'pdu-raritan-pdu2.txt'}")
        run = scriptlet("snmp.outlets").PduOutlets
        assert rack_context.run(run, {**PDU, "outlets": ["2"], "state": "off"}).verdict == "passed"
        outcome = rack_context.run(run, {**PDU, "outlets": ["9"]})
        assert (outcome.verdict, outcome.reason) == ("failed", "192.0.2.7 has no outlet 9, only 1, 2")

    @pytest.mark.parametrize(
        ("others", "verdict"), [(["server2", "server3"], "passed"), (["server1", "server3"], "failed")]
    )
    def test_an_outlet_that_is_called_like_another_host(self, scriptlet, tool, rack_context, others, verdict):
        tool(f"cat {CAPTURED / 'pdu-apc-rpdu2.txt'}")
        params = {**PDU, "outlets": ["1"], "others": others}
        outcome = rack_context.run(scriptlet("snmp.outlets").PduOutlets, params)
        assert outcome.verdict == verdict, outcome.reason
        assert verdict == "passed" or "is called server1, which is another host" in outcome.reason

    def test_load(self, scriptlet, tool, rack_context):
        tool(f"cat {CAPTURED / 'pdu-apc-rpdu.txt'}")
        params = {**PDU, "max_current": 3.2, "max_power": 500}
        outcome = rack_context.run(scriptlet("snmp.outlets").PduOutlets, params)
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            (
                "192.0.2.7 says near overload: move servers to another PDU before its breaker trips; "
                "192.0.2.7 gives 3.4 A: move servers to another PDU; 192.0.2.7 gives 782 W: move servers to another PDU"
            ),
        )

    def test_a_load_that_is_judged_and_not_told_is_an_error(self, scriptlet, tool, rack_context):
        tool("echo '.1.3.6.1.4.1.318.1.1.26.9.2.3.1.5.1 = INTEGER: 2'")
        outcome = rack_context.run(scriptlet("snmp.outlets").PduOutlets, {**PDU, "max_power": 500})
        assert (outcome.verdict, outcome.reason) == ("error", "192.0.2.7 does not tell its power")

    @pytest.mark.parametrize("verdict", ["skipped", "failed"])
    def test_a_device_without_outlets(self, scriptlet, tool, rack_context, verdict):
        tool(f"cat {CAPTURED / 'snmpd-5.9.4-interfaces.txt'}")
        outcome = rack_context.run(scriptlet("snmp.outlets").PduOutlets, {**PDU, "missing": verdict})
        assert (outcome.verdict, outcome.reason) == (
            verdict, "no such hardware: 192.0.2.7 tells of no outlets of APC rPDU2, APC rPDU, Raritan PDU2"
        )  # fmt: skip


class TestClient:
    V3 = {
        "address": "2001:db8::7", "version": "3", "user": "reader",
        "auth_password": "authentic", "privacy_password": "private", "context": "vlan-7",
    }  # fmt: skip

    def test_secrets_stand_in_a_private_file_and_not_on_the_command_line(self, scriptlet, tool, rack_context):
        calls = tool(f"cat {CAPTURED / 'pdu-apc-rpdu2.txt'}")
        rack_context.run(scriptlet("snmp.outlets").PduOutlets, PDU)
        first = calls.read_text().splitlines()[:4]
        assert first == [
            "-Onxet -Cr40 -m  -t 2 -r 2 -- udp:192.0.2.7:161 .1.3.6.1.4.1.318.1.1.26.9.2.3.1.5",
            "defVersion 2c",
            'defCommunity "com\\"muni\\\\ty"',
            "600",
        ]

    @pytest.mark.skipif(not shutil.which("snmpbulkwalk"), reason="net-snmp is not installed")
    @pytest.mark.parametrize("community", ["with space", "#hash", SECRET, "ümlaut", "$(x)"])
    def test_net_snmp_sends_any_community_as_it_is(self, scriptlet, community):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
            device.bind(("127.0.0.1", 0))
            device.settimeout(20)
            own = {"address": "127.0.0.1", "port": device.getsockname()[1], "version": "2c", "community": community}
            with pytest.raises(ValueError, match=r"does not answer SNMP within 0\.1 s"):
                scriptlet("tools.snmp").tables({**own, "timeout": 0.1, "retries": 0}, (".1.3.6.1.2.1.1.3",))
            assert community.encode() in device.recv(5000)

    def test_version_3(self, scriptlet, tool, rack_context):
        calls = tool(f"cat {CAPTURED / 'pdu-apc-rpdu2.txt'}")
        assert rack_context.run(scriptlet("snmp.outlets").PduOutlets, self.V3).verdict == "passed"
        said = calls.read_text().splitlines()
        assert "udp6:[2001:db8::7]:161" in said[0]
        assert said[1:9] == [
            "defVersion 3", "defSecurityLevel authPriv", 'defSecurityName "reader"',
            'defAuthPassphrase "authentic"', 'defPrivPassphrase "private"', 'defContext "vlan-7"',
            "defAuthType SHA", "defPrivType AES",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("params", "reason"),
        [
            ({"community": ""}, "version 2c needs a community"),
            ({"community": "a\nb"}, "a community, user or password has a control character"),
            ({"version": "3"}, "version 3 needs a user"),
            ({**V3, "auth_password": ""}, "a privacy_password needs an auth_password"),
        ],
    )
    def test_secrets_that_are_missing(self, scriptlet, tool, rack_context, params, reason):
        tool("exit 1")
        outcome = rack_context.run(scriptlet("snmp.outlets").PduOutlets, {"address": "192.0.2.7", **params})
        assert (outcome.verdict, outcome.reason) == ("error", reason)

    def test_a_device_that_does_not_answer(self, scriptlet, tool, rack_context):
        tool("echo 'Timeout: No Response from udp:192.0.2.7:161' >&2; exit 1")
        outcome = rack_context.run(scriptlet("snmp.outlets").PduOutlets, PDU)
        assert (outcome.verdict, outcome.reason) == (
            "error",
            (
                "192.0.2.7 does not answer SNMP within 6 s: look whether it has power and network, and whether the "
                "community is right"
            ),
        )

    def test_one_that_refuses(self, scriptlet, tool, rack_context):
        tool("echo 'snmpbulkwalk: Authentication failure (incorrect password, community or key)' >&2; exit 1")
        outcome = rack_context.run(scriptlet("snmp.outlets").PduOutlets, self.V3)
        assert (outcome.verdict, outcome.reason) == (
            "error", "2001:db8::7 refuses reader: look at passwords and protocols"
        )  # fmt: skip

    def test_an_answer_that_is_none(self, scriptlet, tool, rack_context):
        tool("echo oops")
        outcome = rack_context.run(scriptlet("snmp.outlets").PduOutlets, PDU)
        assert (outcome.verdict, outcome.reason) == ("error", "snmpbulkwalk printed 'oops', which is no value")
