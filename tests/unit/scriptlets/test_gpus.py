# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for GPUs, on what the tools of three drivers printed (`captured/README-gpus.md`)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

CAPTURED = Path(__file__).parent / "captured"
T4, A100, A5000 = "nvidia-smi-515-v11.xml", "nvidia-smi-535-v12.xml", "nvidia-smi-590-v13.xml"
LOST = (
    "Unable to determine the device handle for GPU0000:81:00.0: GPU is lost.  Reboot the system to recover this GPU\n"
)
SKIPPED = """{"DCGM Diagnostic": {"test_categories": [{"category": "x", "tests": [
    {"name": "pcie", "results": [{"status": "Skip", "info": ["not supported"]}]}]}]}}"""
Run = Callable[..., Any]


@pytest.fixture
def run(scriptlet: Any, rack_context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs a scriptlet on what nvidia-smi printed; `changed` says what it printed instead."""
    folder = tmp_path / "sys/bus/pci/devices/0000:81:00.0"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text("0x10de\n", encoding="ascii")

    def run(name: str, text: str, changed: dict[str, str] | None = None, code: int = 0, **params: Any) -> Any:
        text = (CAPTURED / text).read_text(encoding="utf-8") if text.endswith(".xml") else text
        for before, after in (changed or {}).items():
            assert before in text
            text = text.replace(before, after, 1)
        done = subprocess.CompletedProcess((), code, text, "")
        monkeypatch.setattr(scriptlet("tools.nvidia_smi"), "completed", lambda *_words, **_more: done)
        module, name_of_class = name.rsplit(".", 1)
        return rack_context.run(getattr(scriptlet(module), name_of_class), {"root": str(tmp_path), **params})

    return run


class TestHealth:
    @pytest.mark.parametrize(("text", "number"), [(T4, 1), (A100, 1), (A5000, 2)])
    def test_healthy_gpus_by_three_drivers(self, run, rack_context, text, number):
        outcome = run("gpu.health.GpuHealth", text, expected=number)
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert rack_context.measured["gpus"] == number

    @table("text", "changed", "params", "says")
    def test_what_is_wrong_and_what_to_do(self, run, text, changed, params, says):
        outcome = run("gpu.health.GpuHealth", text, changed, **params)
        assert outcome.verdict == "failed"
        assert says in outcome.reason

    def test_power_that_is_not_told_is_an_error(self, run):
        outcome = run("gpu.health.GpuHealth", A100, {"<power_draw>67.03 W": "<power_draw>N/A"}, max_watts=500)
        assert (outcome.verdict, "does not tell its power: leave min_watts" in outcome.reason) == ("error", True)

    def test_a_gpu_that_is_lost(self, run):
        outcome = run("gpu.health.GpuHealth", LOST, code=15)
        assert outcome.verdict == "failed"
        assert (
            "GPU is lost.  Reboot the system to recover this GPU: drain the node, power it off and on" in outcome.reason
        )

    @pytest.mark.parametrize(
        ("text", "code", "says"),
        [("No devices were found\n", 6, "nvidia-smi ended with exit code 6: No devices were found: look at the driver"),
         ("<nvidia_smi_log>", 0, "nvidia-smi printed no XML")],
    )  # fmt: skip
    def test_a_driver_that_does_not_answer_is_an_error(self, run, text, code, says):
        outcome = run("gpu.health.GpuHealth", text, code=code)
        assert (outcome.verdict, says in outcome.reason) == ("error", True)

    def test_no_such_hardware(self, scriptlet, rack_context, tmp_path):
        health = scriptlet("gpu.health").GpuHealth
        assert rack_context.run(health, {"root": str(tmp_path)}).reason == "no such hardware: a GPU of NVIDIA"
        assert rack_context.run(health, {"root": str(tmp_path), "absent": "fail"}).verdict == "failed"


class TestSettings:
    @table("text", "expected")
    def test_what_is_expected_of_three_drivers(self, run, text, expected):
        assert run("gpu.settings.GpuSettings", text, expected=expected).reason == ""

    @table("text", "changed", "expected", "says")
    def test_what_is_wrong_and_what_to_do(self, run, text, changed, expected, says):
        outcome = run("gpu.settings.GpuSettings", text, changed, expected=expected)
        assert outcome.verdict == "failed"
        assert says in outcome.reason

    def test_a_setting_that_is_not_told_is_an_error(self, run):
        outcome = run("gpu.settings.GpuSettings", A5000, expected={"application_clock": "585 MHz"})
        assert outcome.verdict == "error"
        assert "does not tell 00000000:81:00.0 application_clock, 00000000:c1:00.0 application_clock" in outcome.reason

    def test_a_word_that_is_no_setting(self, run):
        outcome = run("gpu.settings.GpuSettings", T4, expected={"drivers": "x"})
        assert (outcome.verdict, "drivers is no setting, expected one of driver, product" in outcome.reason) == (
            "error", True
        )  # fmt: skip


class TestProcesses:
    def test_free_gpus(self, run):
        assert run("gpu.processes.GpuProcesses", T4, max_used_mib=100).verdict == "passed"

    @table("params", "says")
    def test_gpus_that_are_held(self, run, params, says):
        outcome = run("gpu.processes.GpuProcesses", A5000, **params)
        assert outcome.verdict == ("failed" if says else "passed")
        assert outcome.reason.startswith(says)


class TestDiag:
    @pytest.fixture
    def diag(self, scriptlet, rack_context, tmp_path, monkeypatch) -> Run:
        """A function that runs the scriptlet on what dcgmi printed; `asked` has the command lines."""
        folder = tmp_path / "sys/bus/pci/devices/0000:81:00.0"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text("0x10de\n", encoding="ascii")
        module = scriptlet("dcgm.diag")

        def diag(text: str, changed: tuple[str, str] = ("", ""), code: int = 0, **params: Any) -> Any:
            text = (CAPTURED / text).read_text(encoding="utf-8") if text.endswith(".json") else text
            assert changed[0] in text
            done = subprocess.CompletedProcess((), code, text.replace(*changed, 1), "")
            monkeypatch.setattr(module, "completed", lambda argv, **_more: diag.asked.append(argv) or done)
            return rack_context.run(module.DcgmDiag, {"root": str(tmp_path), **params})

        diag.asked = []
        return diag

    @pytest.mark.parametrize(("version", "passed"), [("3.1", 3), ("4.6", 3)])
    def test_what_two_versions_print(self, diag, rack_context, version, passed):
        assert diag(f"dcgmi-diag-{version}.json", level=2).verdict == "passed"
        assert rack_context.measured == {"passed": passed, "failed": 0, "warned": 0}
        assert diag.asked == [("dcgmi", "diag", "--host", "localhost", "-r", "2", "-j")]

    @pytest.mark.parametrize(
        ("version", "changed", "verdict", "says"),
        [
            ("3.1", ('"SKIP"', '"FAIL", "warnings": ["Bad memory"]'), "failed",
             "DCGM's test GPU Memory failed on GPU 1 (Bad memory): drain the node, reset the GPU"),
            ("4.6", ('"Skip"', '"Fail", "warnings": [{"warning": "Slow", "error_id": 1}]'), "failed",
             "DCGM's test pcie failed on GPU 1 (Slow): drain the node"),
            ("3.1", ('"SKIP"', '"WARN"'), "marginal", ""),
        ],
    )  # fmt: skip
    def test_a_test_that_fails(self, diag, version, changed, verdict, says):
        outcome = diag(f"dcgmi-diag-{version}.json", changed, code=226)
        assert outcome.verdict == verdict
        assert outcome.reason.startswith(says)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("Error: unable to establish a connection to the specified host: localhost", "ended with exit code 1: E"),
            ('{"DCGM Diagnostic": {"runtime_error": "a GPU is in use"}}', "dcgmi diag could not run: a GPU is in use"),
            (SKIPPED, "dcgmi ran no test (pcie: not supported): look at the host engine"),
        ],
    )  # fmt: skip
    def test_no_result_is_an_error(self, diag, text, says):
        outcome = diag(text, code=1, tests=["pcie"])
        assert (outcome.verdict, says in outcome.reason) == ("error", True)
        assert "pcie" in diag.asked[0]


class TestRocm:
    @pytest.fixture
    def rocm(self, scriptlet, prints, rack_context, tmp_path) -> Run:
        """A function that runs the scriptlet on what rocm-smi printed; `changed` says what it printed instead."""
        folder = tmp_path / "sys/bus/pci/devices/0000:83:00.0"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text("0x1002\n", encoding="ascii")
        module = scriptlet("gpu.rocm")

        def rocm(version: str, changed: tuple[str, str] = ("", ""), **params: Any) -> Any:
            text = (CAPTURED / f"rocm-smi-{version}.json").read_text(encoding="utf-8")
            assert changed[0] in text
            prints(module, {"rocm-smi": text.replace(*changed, 1)})
            return rack_context.run(module.GpuRocm, {"root": str(tmp_path), **params})

        return rocm

    @pytest.mark.parametrize(
        ("version", "params"),
        [("4", {"expected": 1, "driver": "5.9.*"}), ("6.0", {"expected": 2, "driver": "6.3.*", "vbios": "113-D343*"})],
    )
    def test_healthy_gpus(self, rocm, rack_context, version, params):
        assert rocm(version, **params, max_celsius=60, max_used_mib=100).reason == ""
        assert rack_context["gpu.rocm_v1"]["cards"]["card0"]["watts"] == 36

    @pytest.mark.parametrize(
        ("changed", "params", "says"),
        [
            (("", ""), {"expected": 8}, "2 GPUs are seen, expected 8: power the node off and on"),
            (("", ""), {"driver": "5.*"}, "the driver is 6.3.6, expected 5.*: install that driver"),
            (
                ("", ""),
                {"vbios": "113-D4*"},
                "card0 has firmware 113-D3431401-101, expected 113-D4*: update the firmware",
            ),
            (("", ""), {"max_celsius": 50}, "card0: junction is 55 C, expected 50 C at most: look at the fans"),
            (("", ""), {"max_memory_celsius": 50}, "card0: memory is 53 C, expected 50 C at most"),
            (
                ("", ""),
                {"max_used_mib": 1},
                "card0: used is 6.4 MiB, expected 1 MiB at most: end what is left of a job",
            ),
            (
                ('Count": "0"', 'Count": "3"'),
                {},
                "card0: replays is 3 times, expected 0 times at most: reseat the card",
            ),
            (
                ("D3431401-101", "D3431401-100"),
                {},
                "GPUs of one product have different firmware (113-D3431401-100, 113-",
            ),
        ],
    )
    def test_what_is_wrong_and_what_to_do(self, rocm, changed, params, says):
        outcome = rocm("6.0", changed, **params)
        assert (outcome.verdict, outcome.reason[: len(says)]) == ("failed", says)

    def test_no_such_hardware(self, scriptlet, rack_context, tmp_path):
        outcome = rack_context.run(scriptlet("gpu.rocm").GpuRocm, {"root": str(tmp_path)})
        assert (outcome.verdict, outcome.reason) == ("skipped", "no such hardware: a GPU of AMD")

    def test_an_answer_without_gpus_is_an_error(self, scriptlet, prints, rocm, rack_context, tmp_path):
        prints(scriptlet("gpu.rocm"), {"rocm-smi": "{}"})
        outcome = rack_context.run(scriptlet("gpu.rocm").GpuRocm, {"root": str(tmp_path)})
        assert (outcome.verdict, "look at the driver (amdgpu)" in outcome.reason) == ("error", True)
