# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a host, and their comparison with golden ones."""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

MACHINES = yaml.safe_load(Path(__file__).with_name("hardware_trees.yml").read_text(encoding="utf-8"))
END_OF_TABLE = bytes((127, 4, 0xFF, 0xFE, 0, 0))


def memory_device(slot: str, bank: str, size: int, **more: Any) -> bytes:
    """A structure of type 17 as section 7.18 of DSP0134 lays it out; sizes in MiB, speeds in MT/s."""
    data = bytearray(0x28)
    in_word = min(size, 0x7FFF)
    struct.pack_into("<BBH", data, 0, 17, len(data), 0x1000)
    struct.pack_into("<H", data, 0x0C, in_word)
    struct.pack_into("<I", data, 0x1C, 0 if in_word == size else size)
    texts = [slot, bank, more.get("maker", ""), more.get("serial", ""), more.get("part", "")]
    said = [text for text in texts if text]
    for place, text in zip((0x10, 0x11, 0x17, 0x18, 0x1A), texts, strict=True):
        data[place] = said.index(text) + 1 if text else 0
    data[0x12] = more.get("type", 2)
    struct.pack_into("<H", data, 0x15, more.get("speed", 0))
    struct.pack_into("<H", data, 0x20, more.get("configured", 0))
    return bytes(data) + b"".join(text.encode() + b"\0" for text in said) + b"\0"


@pytest.fixture
def build(tmp_path: Path) -> Callable[[str], Path]:
    """A function that lays out a machine and returns its root."""

    def build(name: str) -> Path:
        machine = MACHINES[name]
        files = {path: f"{text}\n".encode("latin-1") for path, text in machine["files"].items()}
        if machine["modules"]:
            table = b"".join(memory_device(**module) for module in machine["modules"])
            files["sys/firmware/dmi/tables/DMI"] = table + END_OF_TABLE
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(text.rstrip(b"\n") if path.endswith("vpd_pg80") else text)
        for path, target in machine["links"].items():
            (tmp_path / path).symlink_to(target)
        return tmp_path

    return build


class TestHardware:
    @pytest.mark.parametrize("name", sorted(MACHINES))
    def test_the_parts_of_a_machine(self, scriptlet, prints, rack_context, build, name):
        module = scriptlet("host.hardware")
        prints(module, {"ethtool -i eth0": MACHINES[name]["ethtool"]})
        assert rack_context.run(module.HostHardware, {"root": str(build(name))}).verdict != "error"
        found = rack_context["host.hardware_v1"]
        assert {section: found[section] for section in MACHINES[name]["hardware"]} == MACHINES[name]["hardware"]
        assert found["cpu"]["model"] == "Acme CPU 9000"
        assert found["dmi"]["product_serial"] == MACHINES[name]["files"].get("sys/class/dmi/id/product_serial")
        assert rack_context.measured["memory"] == len(found["memory"])

    def test_only_what_is_asked_for(self, scriptlet, rack_context, build):
        params = {"root": str(build("server")), "sections": ["cpu", "memory"]}
        rack_context.run(scriptlet("host.hardware").HostHardware, params)
        assert sorted(rack_context["host.hardware_v1"]) == ["cpu", "memory"]

    def test_what_only_root_may_read(self, scriptlet, rack_context, build, monkeypatch):
        module, root = scriptlet("host.hardware"), str(build("server"))
        monkeypatch.setattr(module.os, "access", lambda path, _mode: path.name != "DMI")
        outcome = rack_context.run(module.HostHardware, {"root": root})
        assert outcome.verdict == "error"
        assert "tables/DMI: run this step with become, or leave dmi and memory out of `sections`" in outcome.reason

    def test_a_card_that_ethtool_does_not_know(self, scriptlet):
        with pytest.raises(ValueError, match="ethtool -i printed no driver: 'oops'"):
            scriptlet("host.hardware").driver("oops")


class TestMemoryTable:
    def test_slots_of_one_name_have_that_of_their_bank(self, scriptlet):
        table = b"".join(memory_device("DIMM 0", bank, 1024) for bank in ("CHANNEL A", "CHANNEL B", "CHANNEL B"))
        found = scriptlet("tools.smbios").memory_modules(table + END_OF_TABLE)
        assert list(found) == ["CHANNEL A/DIMM 0", "CHANNEL B/DIMM 0", "2/DIMM 0"]

    @pytest.mark.parametrize(("size", "mib"), [(0x8000 | 2048, 2), (0xFFFF, None), (512, 512)])
    def test_sizes(self, scriptlet, size, mib):
        data = bytearray(memory_device("A", "", 1))
        struct.pack_into("<H", data, 0x0C, size)
        found = scriptlet("tools.smbios").memory_modules(bytes(data))
        assert found["A"]["size_mib"] == mib

    @pytest.mark.parametrize("table", [memory_device("A", "", 1)[:-3], b"\x11\x02\0\0\0\0"])
    def test_a_damaged_table(self, scriptlet, table):
        with pytest.raises(ValueError, match="is damaged at byte 0"):
            scriptlet("tools.smbios").memory_modules(table)


def hardware() -> dict[str, Any]:
    """The hardware of the server, as its key holds it."""
    found: dict[str, Any] = copy.deepcopy(MACHINES["server"]["hardware"])
    return {**found, "dmi": {"bios_version": "2.1", "product_serial": "S-1"}, "cpu": {"model": "Acme", "threads": 64}}


class TestGolden:
    def run(self, scriptlet: Any, rack_context: Any, found: dict[str, Any] | None, **params: Any) -> Any:
        if found is not None:
            rack_context.give("host.hardware_v1", found)
        return rack_context.run(scriptlet("host.golden").HostGolden, {"golden": hardware(), **params})

    def test_the_same_hardware(self, scriptlet, rack_context):
        assert self.run(scriptlet, rack_context, hardware()).verdict == "passed"
        assert rack_context["host.golden_v1"] == {"missing": [], "additional": [], "different": []}

    @table("path", "value", "says")
    def test_what_is_not_as_it_should_be(self, scriptlet, rack_context, path, value, says):
        found = hardware()
        *folders, name = (part.replace("/", ".") for part in path.split("."))
        place = found
        for folder in folders:
            place = place[folder]
        place[name] = value
        if value is None:
            del place[name]
        outcome = self.run(scriptlet, rack_context, found)
        assert outcome.verdict == "failed"
        assert outcome.reason.startswith(says)
        assert sum(map(len, rack_context["host.golden_v1"].values())) == 1

    def test_serial_numbers_only_count_where_asked_for(self, scriptlet, rack_context):
        found = hardware()
        found["dmi"]["product_serial"], found["nics"]["eth0"]["mac"] = "S-2", "02:00:00:00:00:99"
        assert self.run(scriptlet, rack_context, found).verdict == "passed"
        outcome = self.run(scriptlet, rack_context, found, serials=True)
        assert "dmi.product_serial is S-2, expected S-1" in outcome.reason
        assert "nics.eth0.mac is 02:00:00:00:00:99" in outcome.reason

    def test_a_version_that_yaml_takes_for_a_number(self, scriptlet, rack_context):
        golden = {"disks": {"nvme0n1": {"firmware": 1.0}, "sda": {}}}
        assert self.run(scriptlet, rack_context, hardware(), golden=golden).verdict == "passed"

    def test_fields_may_be_left_out(self, scriptlet, rack_context):
        found = hardware()
        found["disks"]["sdb"] = {}
        assert self.run(scriptlet, rack_context, found, ignore=["disks.sd*"]).verdict == "passed"

    def test_more_than_can_be_read_are_counted(self, scriptlet, rack_context):
        outcome = self.run(
            scriptlet, rack_context, {**hardware(), "disks": {f"sd{number}": {} for number in range(20)}}
        )
        assert outcome.reason.endswith("; and 12 more")

    def test_without_a_golden_one(self, scriptlet, rack_context):
        outcome = self.run(scriptlet, rack_context, hardware(), golden={})
        assert (outcome.verdict, "keep host.hardware_v1 of a host" in outcome.reason) == ("skipped", True)

    @table("golden", "says")
    def test_what_is_no_golden_hardware(self, scriptlet, rack_context, golden, says):
        outcome = self.run(scriptlet, rack_context, hardware(), golden=golden)
        assert (outcome.verdict, says in outcome.reason) == ("error", True)

    def test_a_section_that_was_not_taken(self, scriptlet, rack_context):
        found = {name: value for name, value in hardware().items() if name != "memory"}
        outcome = self.run(scriptlet, rack_context, found)
        assert (outcome.verdict, "add it to `sections`" in outcome.reason) == ("error", True)

    def test_without_a_hardware(self, scriptlet, rack_context):
        outcome = self.run(scriptlet, rack_context, None)
        assert (outcome.verdict, "put a step with host.hardware before" in outcome.reason) == ("error", True)
