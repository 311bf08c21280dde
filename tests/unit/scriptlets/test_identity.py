# SPDX-License-Identifier: GPL-3.0-or-later

"""Which machine a host is, whether it has come back as the same one, and what hangs on an outlet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SERVER = {"product_uuid": "5194e74e-9b81-5b36-94a9-5a6e85d2a42e", "product_serial": "MXQ1"}
BEFORE = {
    "host_name": "a7",
    "uuid": SERVER["product_uuid"],
    "serial": "MXQ1",
    "chassis_serial": None,
    "board_serial": None,
}


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    """A /sys that tells the numbers of a server."""
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    for name, text in SERVER.items():
        (folder / name).write_text(f"{text}\n")
    return tmp_path


def test_a_host_tells_who_it_is(scriptlet, rack_context, firmware):
    outcome = rack_context.run(scriptlet("host.identity").HostIdentity, {"root": str(firmware)})
    assert outcome.verdict == "passed", outcome.reason
    told = rack_context["host.identity_v1"]
    assert (told["uuid"], told["serial"], told["board_serial"]) == (SERVER["product_uuid"], "MXQ1", None)
    assert len(told["boot_id"]) == 36


def test_a_host_without_dmi_has_its_number_in_the_device_tree(scriptlet, rack_context, tmp_path):
    folder = tmp_path / "sys/firmware/devicetree/base"
    folder.mkdir(parents=True)
    (folder / "serial-number").write_text("10000000abcd\0")
    rack_context.run(scriptlet("host.identity").HostIdentity, {"root": str(tmp_path)})
    assert rack_context["host.identity_v1"]["serial"] == "10000000abcd"


@pytest.mark.parametrize(
    ("before", "after", "verdict", "reason"),
    [
        ({"boot_id": "old"}, "restart", "passed", ""),
        ({"boot_id": "now"}, "restart", "failed", "has not started anew"),
        (
            {"boot_id": "old", "uuid": "3c4f97d2-58e4-5b37-90dc-3a755eaf12e0"},
            "restart",
            "failed",
            "another machine answers",
        ),
        ({"boot_id": "now"}, "power_cycle", "skipped", "nothing was switched"),
        (None, "restart", "skipped", "it is not known what was before"),
    ],
    ids=["new", "old", "other", "untouched", "unknown"],
)
def test_a_host_that_has_returned(scriptlet, rack_context, firmware, monkeypatch, before, after, verdict, reason):
    monkeypatch.setattr(scriptlet("host.identity"), "BOOT_ID", firmware / "boot_id")
    (firmware / "boot_id").write_text("now\n")
    if before:
        rack_context.set("host.identity_v1", {**BEFORE, **before})
    outcome = rack_context.run(scriptlet("host.returned").HostReturned, {"root": str(firmware), "after": after})
    assert outcome.verdict == verdict, outcome.reason
    assert reason in outcome.reason


@pytest.mark.parametrize(
    "told",
    [
        None,
        "",
        "0",
        "00000000",
        "Not Specified",
        "To be filled by O.E.M.",
        "Default string",
        "0123456789",
        "None",
        "N/A",
    ],
)
def test_what_nobody_has_written_is_no_serial_number(scriptlet, told):
    assert not scriptlet("tools.identity").is_told(told)


@pytest.mark.parametrize("told", ["MXQ1", "123456789A", "0000000A", "VR-server1", "F00"])
def test_serial_numbers(scriptlet, told):
    assert scriptlet("tools.identity").is_told(told)


@pytest.mark.parametrize("told", [None, "", "no uuid", "00000000-0000-0000-0000-000000000000", b"\xff" * 16, b"short"])
def test_what_is_no_uuid(scriptlet, told):
    assert not scriptlet("tools.identity").uuids(told)


LOADS = {"1": 300, "2": 320, "3": 0, "4": b"?"}
OFF = {
    "its own": ({"1": 7}, "passed", ""),
    "a neighbour's": (
        {"2": 7},
        "failed",
        "of outlet 1 of 192.0.2.9 did not fall while the server was off, that of outlet 2 fell",
    ),
    "none": ({}, "failed", "did not fall while the server was off, nor did that of another one"),
}


class PduContext:
    """What a step may call of its context here."""

    def check(self, _name: str, value: Any, **limits: Any) -> str:
        return "passed" if value == limits["eq"] else "failed"


@pytest.mark.parametrize("case", OFF)
@pytest.mark.parametrize("column", ["apc", "raritan"])
def test_the_load_of_the_outlet_falls(scriptlet, monkeypatch, case, column):
    module = scriptlet("tools.outlet_load")
    off, verdict, words = OFF[case]
    root, row = dict(zip(("apc", "raritan"), module.METERS.items(), strict=True))[column]
    looks = iter([LOADS])

    def tables(_params: Any, roots: Any) -> Any:
        loads = next(looks, {**LOADS, **off})
        return {**{each: {} for each in roots}, root: {row.format(number): load for number, load in loads.items()}}

    monkeypatch.setattr(module, "tables", tables)
    monkeypatch.setattr(module, "LONGEST", 0.01)
    monkeypatch.setattr(module, "PAUSE", 0.01)
    watch = module.OutletWatch(PDU)
    watch.look_while_off()
    if verdict == "passed":
        watch.judge(PduContext())
        assert (watch.found["before"], watch.found["off"]) == (300, 7)
    else:
        with pytest.raises(Exception, match=words):
            watch.judge(PduContext())


PDU = {"pdu_address": "192.0.2.9", "pdu_port": 161, "pdu_community": "c", "pdu_outlet": "1"}


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (PDU, {}),
        ({**PDU, "pdu_outlet": "9"}, LOADS),
        ({**PDU, "pdu_outlet": "3"}, LOADS),
        ({**PDU, "pdu_address": ""}, LOADS),
    ],
)
def test_where_nothing_is_metered_nothing_is_judged(scriptlet, monkeypatch, params, told):
    module = scriptlet("tools.outlet_load")
    tables = {**{key: {} for key in module.METERS}, next(iter(module.METERS)): told}
    monkeypatch.setattr(module, "tables", lambda _params, _roots: tables)
    watch = module.OutletWatch(params)
    watch.look_while_off()
    watch.judge(PduContext())
    assert watch.found is None


def test_a_pdu_that_does_not_answer_stops_no_power_cycle(scriptlet, monkeypatch):
    module = scriptlet("tools.outlet_load")

    def silent(*_args: Any) -> Any:
        raise ValueError("silent")

    monkeypatch.setattr(module, "tables", silent)
    assert module.OutletWatch(PDU).found is None


def told(*hosts: str, **more: str) -> dict[str, dict[str, str]]:
    """What hosts tell of themselves; `more` are other names that they call themselves by."""
    return {host: {"host_name": more.get(host, host), "boot_id": f"boot of {host}"} for host in hosts}


@pytest.mark.parametrize(
    ("hosts", "verdict", "reason"),
    [
        (told("a1", "a2", "a3"), "passed", ""),
        (told("a1", "a2", a1="a1.lab.example"), "passed", ""),
        (told("a1", "a2", a1="node17"), "passed", ""),  # the inventory may call hosts as it likes
        (
            told("a1", "a2", "a3", a1="a2", a2="a1"),
            "failed",
            "a1 calls itself a2, a2 calls itself a1: correct the host",
        ),
        ({**told("a1"), "a2": told("a1")["a1"]}, "failed", "a2 calls itself a1: correct"),
        ({"x": told("n")["n"], "y": told("n")["n"]}, "failed", "one machine answers for x and y"),
        ({host: {"host_name": host, "boot_id": "of the kernel"} for host in ("c1", "c2")}, "passed", ""),
        (told("a1"), "skipped", "1 hosts have told who they are"),
    ],
)
def test_the_names_of_an_inventory(scriptlet, rack_context, hosts, verdict, reason):
    for host, own in hosts.items():
        rack_context.give("host.identity_v1", own, host=host)
    outcome = rack_context.run(scriptlet("host.identities").HostIdentities, {})
    assert outcome.verdict == verdict, outcome.reason
    assert outcome.reason.startswith(reason)
