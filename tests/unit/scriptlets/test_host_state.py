# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts say of themselves: services, sensors, the kernel's log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

HERE = Path(__file__).parent
SENSORS = yaml.safe_load((HERE / "hwmon_trees.yml").read_text(encoding="utf-8"))
LINES = yaml.safe_load((HERE / "kernel_log_lines.yml").read_text(encoding="utf-8"))


def write_tree(root: Path, files: dict[str, str]) -> Path:
    """Write the files of a tree of sysfs, each with the line that the kernel gives."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n", encoding="utf-8")
    return root


class TestKernelLog:
    @pytest.mark.parametrize(("line", "meaning"), LINES)
    def test_the_words_of_old_and_new_kernels(self, scriptlet, line, meaning):
        module = scriptlet("host.kernel_log")
        found = module.matches(line, [], module.patterns(module.SUBJECTS))
        assert bool(found) == bool(meaning)
        assert not found or found[0][1].startswith(meaning)

    @table("params", "says")
    def test_subjects_and_own_patterns(self, scriptlet, rack_context, tmp_path, params, says):
        log = tmp_path / "kern.log"
        lines = ("NVRM: Xid (PCI:0000:3b:00): 79, pid=1", "ice 0000:3b:00.0 eth7: NIC Link is Down", "flux 12 low")
        log.write_text("\n".join(lines), encoding="utf-8")
        outcome = rack_context.run(scriptlet("host.kernel_log").KernelLog, {"source": str(log), **params})
        assert outcome.verdict == ("failed" if says else "passed")
        assert outcome.reason.startswith(says)

    def test_a_line_counts_once(self, scriptlet):
        known = {"a": "first", "b": "second"}
        assert scriptlet("host.kernel_log").matches("a b\n", [], known) == [("a b", "first")]

    def test_a_pattern_that_is_none(self, scriptlet, rack_context):
        outcome = rack_context.run(scriptlet("host.kernel_log").KernelLog, {"patterns": {"(": "x"}})
        assert (outcome.verdict, "patterns: '(' is no regular expression" in outcome.reason) == ("error", True)

    def test_every_subject_is_a_choice(self, scriptlet):
        module = scriptlet("host.kernel_log")
        assert sorted(module.KernelLog.options["subjects"]["choices"]) == sorted(module.SUBJECTS)

    def test_the_mark_is_a_time_that_since_takes(self, scriptlet, rack_context, monkeypatch):
        module = scriptlet("host.kernel_log")
        assert rack_context.run(scriptlet("host.kernel_log_mark").KernelLogMark).verdict == "passed"
        mark = rack_context["host.kernel_log_mark_v1"]
        asked: list[tuple[str, ...]] = []
        monkeypatch.setattr(module, "run", lambda argv: asked.append(argv) or "[1.0] host kernel: Linux\n")
        for source in ("journal", "dmesg"):
            assert rack_context.run(module.KernelLog, {"source": source, "since": mark}).verdict == "passed"
        assert [argv[-1] for argv in asked] == ["--lines=1", f"--since={mark}", f"--since={mark}"]

    @pytest.mark.parametrize(("said", "user"), [("", 0), ("-- No entries --\n", 1000)])
    def test_a_host_without_a_journal_is_an_error(self, scriptlet, prints, rack_context, said, user, monkeypatch):
        module = scriptlet("host.kernel_log")
        monkeypatch.setattr(module.os, "geteuid", lambda: user)
        prints(module, {"journalctl": said})
        outcome = rack_context.run(module.KernelLog, {"source": "journal"})
        assert (outcome.verdict, "start systemd-journald" in outcome.reason) == ("error", True)
        assert ("as root" in outcome.reason) is (user != 0)

    def test_a_file_has_no_times(self, scriptlet, rack_context):
        outcome = rack_context.run(scriptlet("host.kernel_log").KernelLog, {"source": "/tmp/x", "since": "@1"})
        assert outcome.verdict == "error"
        assert "use dmesg or journal" in outcome.reason


class TestServices:
    @pytest.fixture
    def run(self, scriptlet: Any, rack_context: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
        """A function that runs the step on what systemctl printed, in one of two orders."""

        def run(order: str, **params: Any) -> Any:
            module = scriptlet("host.services")
            text = (HERE / f"captured/systemctl-show-{order}.txt").read_text(encoding="utf-8")
            blocks = {block.split("Id=")[1].split(".")[0]: block for block in text.split("\n\n")}

            def systemctl(argv: Sequence[str]) -> str:
                return text if argv[-1] == "*" else "\n\n".join(blocks[name] for name in argv[4:])

            monkeypatch.setattr(module, "run", systemctl)
            return rack_context.run(module.HostServices, params)

        return run

    @pytest.mark.parametrize(("order", "restarts"), [("id-first", 0), ("id-last", 4)])
    def test_what_is_wanted_runs(self, run, rack_context, order, restarts):
        assert run(order, wanted=["ssh"], allowed=["data.*"]).verdict == "passed"
        assert rack_context.measured == {"state.ssh": "active", "restarts.ssh": restarts, "failed_units": 0}
        assert rack_context["host.services_v1"]["failed"] == ["data.mount"]

    @table("order", "name", "says")
    def test_what_to_do_with_one_that_does_not(self, run, order, name, says):
        outcome = run(order, wanted=[name], allowed=["data.mount"])
        assert outcome.verdict == "failed"
        assert outcome.reason.startswith(says)

    def test_a_unit_that_has_failed_is_told_once(self, run):
        assert run("id-first").reason.startswith("data.mount has failed (exit-code)")
        assert run("id-first", wanted=["data"]).reason.count("data.mount has failed") == 1

    def test_a_service_that_is_started_again_and_again(self, run):
        outcome = run("id-last", wanted=["ssh"], allowed=["*"], max_restarts=3)
        assert outcome.reason == "ssh.service was restarted 4 times: read `journalctl -u ssh.service` for why it ends"

    @pytest.mark.parametrize(
        ("text", "says"),
        [("", "systemd names no unit"), ("Id=a.service\nResult=success\n", "a unit without LoadState, ActiveState")],
    )
    def test_what_systemd_does_not_tell_is_an_error(self, scriptlet, prints, rack_context, text, says):
        module = scriptlet("host.services")
        prints(module, {"systemctl": text})
        outcome = rack_context.run(module.HostServices)
        assert (outcome.verdict, says in outcome.reason) == ("error", True)

    def test_a_host_without_systemd_may_be_skipped(self, run, tmp_path):
        outcome = run("id-first", absent="skip", booted=str(tmp_path / "nothing"))
        assert (outcome.verdict, outcome.reason[:32]) == ("skipped", "systemd does not run on this hos")
        assert run("id-first", absent="skip", booted=str(tmp_path), allowed=["*"]).verdict == "passed"

    def test_a_unit_that_is_not_told_of_is_an_error(self, scriptlet, prints, rack_context):
        module = scriptlet("host.services")
        prints(module, {"systemctl": "Id=a.service\nLoadState=loaded\nActiveState=active\n"})
        outcome = rack_context.run(module.HostServices, {"wanted": ["a", "b"]})
        assert (outcome.verdict, outcome.reason[-50:]) == ("error", "systemctl told of 1 units, 2 were asked for"[-50:])


class TestSensors:
    def run(self, scriptlet, rack_context, root: Path, changed: dict[str, str], machine="server", **params: Any) -> Any:
        write_tree(root, {**SENSORS[machine], **changed})
        return rack_context.run(scriptlet("host.sensors").HostSensors, {"root": str(root), **params})

    def test_a_healthy_server(self, scriptlet, rack_context, tmp_path):
        assert self.run(scriptlet, rack_context, tmp_path, {}).verdict == "passed"
        assert rack_context.measured == {
            "sensors": 6, "temp.coretemp.Package id 0": 52, "temp.nvme.Composite": 41.85,
            "temp.nvme.Sensor 1": 41.85, "fan.nct6779.fan1": 4200, "fan.nct6779.fan2": 0,
            "power.power_meter.power1": 312,
        }  # fmt: skip

    def test_two_chips_of_one_name(self, scriptlet, rack_context, tmp_path):
        assert self.run(scriptlet, rack_context, tmp_path, {}, "workstation").verdict == "passed"
        assert {"temp.k10temp.Tctl", "temp.hwmon10.temp1"} <= set(rack_context.measured)

    @table("changed", "params", "says")
    def test_beyond_a_limit(self, scriptlet, rack_context, tmp_path, changed, params, says):
        outcome = self.run(scriptlet, rack_context, tmp_path, changed, **params)
        assert outcome.verdict == "failed"
        assert outcome.reason.startswith(says)

    def test_above_what_a_device_calls_high_only_warns(self, scriptlet, rack_context, tmp_path):
        outcome = self.run(scriptlet, rack_context, tmp_path, {"hwmon0/temp1_input": "83000"})
        assert outcome.verdict == "marginal"

    def test_a_sensor_that_does_not_answer_is_an_error(self, scriptlet, rack_context, tmp_path):
        outcome = self.run(scriptlet, rack_context, tmp_path, {"hwmon0/temp1_input": ""})
        assert outcome.verdict == "error"
        assert "no reading of coretemp.Package id 0: look at its device, or name it in `ignore`" in outcome.reason
        ignored = {"root": str(tmp_path), "ignore": ["coretemp.Package id 0"]}
        assert rack_context.run(scriptlet("host.sensors").HostSensors, ignored).verdict == "passed"

    def test_no_such_hardware(self, scriptlet, rack_context, tmp_path):
        module = scriptlet("host.sensors")
        outcome = rack_context.run(module.HostSensors, {"root": str(tmp_path / "none")})
        assert (outcome.verdict, outcome.reason) == ("skipped", "no such hardware: a sensor in hwmon")
        outcome = self.run(scriptlet, rack_context, tmp_path, {}, names=["nvme.None"], absent="fail")
        assert (outcome.verdict, outcome.reason) == ("failed", "no such hardware: sensor nvme.None")
