# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hardware of a host has counted or negotiated: links and errors of PCIe, errors of the memory."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

HERE = Path(__file__).parent
TREES = yaml.safe_load((HERE / "error_trees.yml").read_text(encoding="utf-8"))
PCI = "sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0"
SWITCH = "sys/devices/pci0000:5d/0000:5d:00.0/0000:5e:00.0"
MC = "sys/devices/system/edac/mc/mc0"
Run = Callable[..., Any]


@pytest.fixture
def run(scriptlet: Any, rack_context: Any, tmp_path: Path) -> Run:
    """A function that runs a scriptlet on a tree, some of whose files are changed."""

    def run(name: str, tree: str = "node", changed: dict[str, str] | None = None, **params: Any) -> Any:
        for path, text in {**TREES[tree]["files"], **(changed or {})}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(f"{text}\n", encoding="utf-8")
        for path, target in TREES[tree]["links"].items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            if not (tmp_path / path).is_symlink():
                (tmp_path / path).symlink_to(target)
        module, name_of_class = name.rsplit(".", 1)
        return rack_context.run(getattr(scriptlet(module), name_of_class), {"root": str(tmp_path), **params})

    return run


class TestPciLinks:
    def test_the_slower_end_says_what_a_link_can_do(self, run, rack_context):
        assert run("pci.links.PciLinks").verdict == "passed"
        assert rack_context.measured == {
            "width.0000:3b:00.0": 16, "gts.0000:3b:00.0": 32, "width.0000:5e:00.0": 8, "gts.0000:5e:00.0": 16,
            "width.0000:60:00.0": 16, "gts.0000:60:00.0": 16,
        }  # fmt: skip

    def test_a_kernel_that_writes_speeds_in_another_form(self, run, rack_context):
        assert run("pci.links.PciLinks", "old").verdict == "passed"
        assert rack_context["pci.links_v1"]["0000:01:00.0"]["gts"] == 8

    @pytest.mark.parametrize(
        ("changed", "params", "says"),
        [
            ({f"{PCI}/current_link_width": "8"}, {}, "the PCIe link of 0000:3b:00.0 (10de:2330) has 8 of 16 lanes"),
            ({f"{PCI}/current_link_speed": "8.0 GT/s PCIe"}, {}, "0000:3b:00.0 (10de:2330) has 8 of 32 GT/s: reseat"),
            ({f"{SWITCH}/current_link_width": "4"}, {}, "0000:5e:00.0 (1000:c010) has 4 of 8 lanes"),
            ({}, {"expected": {"10de:2330": {"count": 8}}}, "1 PCI devices 10de:2330, expected 8: power the"),
            ({}, {"expected": {"0000:5e:00.0": {"width": 16}}}, "0000:5e:00.0 (1000:c010) has 8 of 16 lanes"),
        ],
    )  # fmt: skip
    def test_what_is_less_and_what_to_do(self, run, changed, params, says):
        outcome = run("pci.links.PciLinks", changed=changed, **params)
        assert outcome.verdict == "failed"
        assert says in outcome.reason

    def test_what_is_expected_or_ignored_is_right(self, run):
        slow = {f"{PCI}/current_link_width": "8", f"{PCI}/current_link_speed": "2.5 GT/s PCIe"}
        expected = {"10de:2330": {"count": 1, "width": 8}}
        assert run("pci.links.PciLinks", changed=slow, expected=expected, judge_speed=False).verdict == "passed"
        assert run("pci.links.PciLinks", changed=slow, ignore=["10de:2330"]).verdict == "passed"

    def test_a_word_that_is_not_known(self, run):
        outcome = run("pci.links.PciLinks", expected={"10de:2330": {"lanes": 8}})
        assert outcome.verdict == "error"
        assert "10de:2330 must have count, width, gts and nothing else" in outcome.reason

    def test_no_such_hardware(self, scriptlet, rack_context, tmp_path):
        links = scriptlet("pci.links").PciLinks
        assert rack_context.run(links, {"root": str(tmp_path)}).reason == "no such hardware: a PCIe link"
        assert rack_context.run(links, {"root": str(tmp_path), "absent": "fail"}).verdict == "failed"


class TestPciErrors:
    def test_none(self, run, rack_context):
        assert run("pci.errors.PciErrors").verdict == "passed"
        assert rack_context.measured == {"correctable": 0, "nonfatal": 0, "fatal": 0}

    @table("file", "text", "params", "verdict", "says")
    def test_errors_and_what_to_do(self, run, file, text, params, verdict, says):
        outcome = run("pci.errors.PciErrors", changed={f"{PCI}/aer_dev_{file}": text}, **params)
        assert outcome.verdict == verdict
        assert says in outcome.reason

    def test_what_grows_between_two_looks(self, scriptlet):
        device = {"id": "a:b", "correctable": 5, "nonfatal": 0, "fatal": 0, "kinds": {"correctable.RxErr": 5}}
        later = {**device, "correctable": 7, "kinds": {"correctable.RxErr": 7}}
        found = scriptlet("pci.errors").grown({"a": device}, {"a": later, "b": later})
        assert found == {"a": {**device, "correctable": 2, "kinds": {"correctable.RxErr": 2}}}

    def test_a_device_that_does_not_count(self, run):
        outcome = run("pci.errors.PciErrors", changed={f"{PCI}/aer_dev_fatal": ""})
        assert (outcome.verdict, outcome.reason[:16]) == ("skipped", "no such hardware")


class TestMemoryEcc:
    @pytest.mark.parametrize(
        ("tree", "labels"),
        [("node", ["CPU0_DIMM_A1", "CPU0_DIMM_B1"]), ("old", ["CPU#0Channel#0_DIMM#0", "CPU#0Channel#1_DIMM#0"])],
    )
    def test_modules_of_new_and_old_kernels(self, run, rack_context, tree, labels):
        assert run("memory.ecc.MemoryEcc", tree).verdict == "passed"
        assert list(rack_context["memory.ecc_v1"]["mc0"]["modules"]) == [*labels, "(unknown)"]

    @table("tree", "file", "count", "verdict", "says")
    def test_errors_and_what_to_do(self, run, tree, file, count, verdict, says):
        outcome = run("memory.ecc.MemoryEcc", tree, {f"{MC}/{file}": count})
        assert outcome.verdict == verdict
        assert says in outcome.reason

    def test_no_such_hardware(self, scriptlet, rack_context, tmp_path):
        outcome = rack_context.run(scriptlet("memory.ecc").MemoryEcc, {"root": str(tmp_path)})
        assert (outcome.verdict, outcome.reason[:16]) == ("skipped", "no such hardware")


class TestPciAcs:
    @staticmethod
    def config(control: int, first: int = 0x0001) -> bytes:
        """The configuration of a PCIe device with AER at 0x100 and ACS at 0x148."""
        space = bytearray(4096)
        struct.pack_into("<I", space, 0x100, 0x148 << 20 | 1 << 16 | first)
        struct.pack_into("<IHH", space, 0x148, 1 << 16 | 0x000D, 0x5F, control)
        return bytes(space)

    @pytest.fixture
    def acs(self, scriptlet, rack_context, tmp_path) -> Run:
        """A function that runs the scriptlet on the configuration of two devices."""

        def acs(*configs: bytes, **params: Any) -> Any:
            for number, config in enumerate(configs):
                folder = tmp_path / f"sys/bus/pci/devices/0000:00:0{number}.0"
                folder.mkdir(parents=True)
                (folder / "config").write_bytes(config)
            return rack_context.run(scriptlet("pci.acs").PciAcs, {"root": str(tmp_path), **params})

        return acs

    def test_it_is_off(self, acs, rack_context):
        assert acs(self.config(0), bytes(256)).verdict == "passed"
        assert rack_context["pci.acs_v1"] == {"0000:00:00.0": []}

    def test_it_is_on(self, acs, rack_context):
        outcome = acs(self.config(0), self.config(0x1D))
        assert outcome.reason.startswith("ACS is not off on 1 devices (0000:00:01.0): set it in the firmware's setup")
        assert rack_context["pci.acs_v1"]["0000:00:01.0"] == ["SrcValid", "ReqRedir", "CmpltRedir", "UpstreamFwd"]

    def test_it_must_be_on(self, acs):
        assert acs(self.config(0x1D), expected="on").verdict == "passed"

    def test_only_root_may_read_it(self, acs):
        outcome = acs(bytes(64))
        assert (outcome.verdict, "run this step with `become`" in outcome.reason) == ("error", True)

    def test_a_list_that_goes_in_a_circle(self, acs):
        space = bytearray(4096)
        struct.pack_into("<I", space, 0x100, 0x100 << 20 | 1)
        assert acs(bytes(space)).reason == "no such hardware: a PCIe device with access control (ACS)"
