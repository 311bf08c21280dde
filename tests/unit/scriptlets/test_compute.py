# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for processors and nodes of memory, on what stress-ng and /sys say (`captured/`)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import complete_arguments
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

CAPTURED = Path(__file__).parent / "captured"
VERSIONS = ("0.15.06", "0.19.02")
FAKE = """\
#!/bin/sh
echo "$@" > '{folder}/argv'
while [ $# -gt 0 ]; do
  case $1 in --yaml) cp '{results}' "$2" ;; --log-file) cp '{log}' "$2" ;; esac
  shift
done
exit {code}
"""


@pytest.fixture
def stress_ng(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that puts a program into PATH which leaves what stress-ng left once."""

    def put(name: str, code: int = 0) -> None:
        results, log = CAPTURED / f"stress-ng-{name}.txt", CAPTURED / f"stress-ng-{name}-log.txt"
        program = tmp_path / "stress-ng"
        program.write_text(FAKE.format(folder=tmp_path, results=results, log=log, code=code))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return put


class TestCpuStress:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_every_version_of_stress_ng(self, scriptlet, rack_context, stress_ng, version):
        stress_ng(version)
        outcome = rack_context.run(scriptlet("cpu.stress").CpuStress, {})
        found = rack_context["cpu.stress_v1"]
        assert (outcome.verdict, found["version"]) == ("passed", version)
        assert found["bogo_ops"] / found["wall_clock_s"] == pytest.approx(found["bogo_ops_per_s"], rel=0.01)
        assert rack_context.checked["failed_verifications"] == "passed"

    def test_how_it_is_called(self, scriptlet, rack_context, stress_ng, tmp_path):
        stress_ng(VERSIONS[0])
        rack_context.run(scriptlet("cpu.stress").CpuStress, {"seconds": 3, "workers": 7, "method": "fft"})
        called = (tmp_path / "argv").read_text()
        assert called.startswith("--cpu 7 --cpu-method fft --timeout 3s --verify --metrics --temp-path ")

    @pytest.mark.parametrize("seconds", [-5, 0, 99_999_999])
    def test_a_time_that_is_none_is_refused(self, scriptlet, seconds):
        """For 0 stress-ng would go on and on."""
        with pytest.raises(ValueError, match=f"'seconds': expected from 1 to 86,400 s, got {seconds}$"):
            complete_arguments(scriptlet("cpu.stress").CpuStress.options, {"seconds": seconds})

    @pytest.mark.parametrize(("version", "results"), [("0.15.06", 14), ("0.19.02", 2)])
    def test_a_wrong_result_is_named(self, scriptlet, rack_context, stress_ng, version, results):
        stress_ng(f"{version}-wrong", code=2)
        outcome = rack_context.run(scriptlet("cpu.stress").CpuStress, {"min_bogo_ops_per_s": 1})
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            f"wrong results under load: cpu: IDCT error detected, IDCT[0][1] was 0, expecting 255 ({results} in all): "
            "look at the temperature, then at the kernel's log for machine checks, and replace the processor or the "
            "memory"
        )
        assert rack_context.checked["failed_verifications"] == "failed"

    @pytest.mark.parametrize("limit", [1e9, 1.0])
    def test_the_limit(self, scriptlet, rack_context, stress_ng, limit):
        stress_ng(VERSIONS[1])
        outcome = rack_context.run(scriptlet("cpu.stress").CpuStress, {"min_bogo_ops_per_s": limit})
        assert outcome.verdict == ("failed" if limit > 1 else "passed")
        assert limit == 1 or outcome.reason.endswith(
            "bogus operations a second, the limit is 1,000,000,000: look at the frequency of the cores and for what "
            "else runs"
        )

    def test_a_run_that_ends_otherwise_never_passes(self, scriptlet, rack_context, monkeypatch):
        module = scriptlet("cpu.stress")
        log = "stress-ng: error: [7] cpu: [8] terminated on signal: 9 'SIGKILL'\n"
        results = (CAPTURED / "stress-ng-0.19.02.txt").read_text()
        monkeypatch.setattr(module, "stressed", lambda _params: (results, log))
        outcome = rack_context.run(module.CpuStress, {})
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "stress-ng did not end well: cpu: [8] terminated on signal: 9 'SIGKILL': look in the kernel's log for what "
            "ended it"
        )

    @pytest.mark.parametrize("text", ["", "metrics:\n    - stressor: cpu\n      bogo-ops: many\n"])
    def test_results_without_metrics_are_an_error(self, scriptlet, text):
        with pytest.raises(ValueError, match="stress-ng told no metrics of cpu"):
            scriptlet("cpu.stress").metrics(text)

    def test_a_method_that_there_is_not(self, scriptlet, stress_ng):
        stress_ng(VERSIONS[0], code=1)
        module = scriptlet("cpu.stress")
        with pytest.raises(ValueError, match="stress-ng --cpu 0 ended with exit code 1"):
            module.stressed({"seconds": 1, "workers": 0, "method": "no"})

    def test_a_host_without_stress_ng(self, scriptlet, monkeypatch):
        module = scriptlet("cpu.stress")
        monkeypatch.setattr("scriptlets.tools.commands.PATHS", ())
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(ValueError, match="stress-ng is not installed on this host"):
            module.stressed({"seconds": 1, "workers": 0, "method": "all"})


def plant(root: Path, name: str) -> Path:
    """A folder with the files that a captured tree has: lines PATH:CONTENT, as `grep -r .` prints them."""
    for line in (CAPTURED / name).read_text(encoding="ascii").splitlines():
        path, _colon, content = line.partition(":")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content + "\n", encoding="ascii")
    return root


class TestCpuSoak:
    @pytest.fixture
    def soak(self, scriptlet, rack_context, stress_ng, monkeypatch):
        """A function that lets a soak have these rounds; each takes a second of a clock that only they move."""

        def run(*names, **params):
            module, clock, left = scriptlet("cpu.soak"), [0.0], [*names]
            worked = module.stressed

            def stressed(work):
                clock[0] += 1
                stress_ng(name := left.pop(0), code=2 * name.endswith("wrong"))
                return worked(work)

            monkeypatch.setattr(module, "stressed", stressed)
            monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
            try:
                return rack_context.run(module.CpuSoak, {"seconds": len(names), "round_seconds": 1, **params})
            finally:
                monkeypatch.undo()

        return run

    def test_rounds_without_a_fault(self, soak, rack_context):
        assert soak(*VERSIONS, VERSIONS[0]).verdict == "passed"
        assert rack_context["cpu.soak_v1"] == {"rounds": 3, "seconds": 3, "faults": [], "drift_percent": None}

    def test_faults_are_counted_and_the_first_one_is_told(self, soak, rack_context):
        outcome = soak(VERSIONS[0], f"{VERSIONS[0]}-wrong", VERSIONS[0], f"{VERSIONS[1]}-wrong")
        assert outcome.verdict == "failed"
        assert outcome.reason.startswith("2 of 4 rounds, the first after 1 s: wrong results under load: ")
        assert [each["at_s"] for each in rack_context["cpu.soak_v1"]["faults"]] == [1, 3]

    def test_the_first_fault_may_end_it(self, soak, rack_context):
        assert soak(f"{VERSIONS[0]}-wrong", VERSIONS[0], stop_at_first=True).verdict == "failed"
        assert rack_context["cpu.soak_v1"]["rounds"] == 1

    def test_cores_that_become_slower(self, scriptlet, rack_context):
        module = scriptlet("cpu.soak")
        rates = [(float(at), 1000.0 - 5 * at) for at in range(41)]
        rates[7] = (7.0, 10.0)  # one slow round is no drift
        assert module.drift_percent(rates) == -20
        assert module.drift_percent([(float(at), 3.0) for at in range(1000)]) == 0
        (said,) = module._judge_drift(rack_context, -20.0, {"max_loss_percent": 10.0})
        assert said.startswith("the cores became 20 % slower, at most 10 % are allowed: look at the temperature")
        assert module._judge_drift(rack_context, -20.0, {"max_loss_percent": None}) == []

    def test_times_that_are_none(self, scriptlet, rack_context):
        outcome = rack_context.run(scriptlet("cpu.soak").CpuSoak, {"round_seconds": 0})
        assert outcome.verdict == "error"
        assert "round_seconds at least 1" in outcome.reason


class Busy:
    """A load that sets the frequencies of the cores, in kHz."""

    def __init__(self, *khz: int, exit_code: int | None = None) -> None:
        self.khz, self.exit_code = khz, exit_code

    def poll(self) -> int | None:
        return self.exit_code

    @contextlib.contextmanager
    def __call__(self, found: dict[int, Path], _seconds: float) -> Iterator[dict[int, Any]]:
        for folder, khz in zip(found.values(), self.khz, strict=True):
            (folder / "scaling_cur_freq").write_text(f"{khz}\n")
        yield dict.fromkeys(found, self)


class TestCpuFrequency:
    ADVICE = "look at temperature, fans and power limits, and at the power profile in the firmware's setup"

    @pytest.fixture
    def module(self, scriptlet: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        module = scriptlet("cpu.frequency")
        monkeypatch.setattr(module.os, "sched_getaffinity", lambda _pid: {0, 1})
        return module

    @pytest.fixture
    def judged(self, module: ModuleType, rack_context: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
        """A function that runs the scriptlet on a captured tree, with frequencies under load in kHz."""

        def run(name: str, *khz: int, **params: Any) -> Any:
            monkeypatch.setattr(module, "load", Busy(*khz))
            root = str(plant(tmp_path, name))
            return rack_context.run(module.CpuFrequency, {"root": root, "seconds": 0.01, **params})

        return run

    def test_what_is_told_of_a_core(self, judged, rack_context):
        assert judged("cpufreq-intel.txt", 2893000, 2901500, governor="performance").verdict == "passed"
        assert rack_context["cpu.frequency_v1"]["cpu1"] == {
            "idle_mhz": 1219.917, "load_mhz": 2901.5, "base_mhz": 2200, "max_mhz": 3300, "governor": "performance",
            "driver": "intel_pstate",
        }  # fmt: skip
        assert rack_context.checked["frequency.cpu0"] == "passed"

    def test_a_core_below_its_base_frequency(self, judged):
        outcome = judged("cpufreq-intel.txt", 2156000, 800083)
        assert outcome.verdict == "failed"
        assert outcome.reason == f"cpu1 has 800 MHz under load, the limit is 2156 MHz: {self.ADVICE}"

    def test_a_driver_without_a_base_frequency_is_measured(self, judged, rack_context):
        assert judged("cpufreq-acpi.txt", 1500000, 2600000).verdict == "passed"
        assert rack_context["cpu.frequency_v1"]["cpu0"]["base_mhz"] is None
        assert rack_context.measured["frequency.cpu0"] == 1500

    def test_a_limit_above_what_a_core_may_have(self, judged):
        outcome = judged("cpufreq-acpi.txt", 2600000, 2800000, min_mhz=2700)
        assert outcome.reason == (
            f"cpu0 has 2600 MHz under load (it may have 2600 MHz at most), the limit is 2700 MHz: {self.ADVICE}"
        )

    def test_another_governor(self, judged):
        outcome = judged("cpufreq-acpi.txt", 2600000, 2600000, governor="performance")
        assert outcome.reason.startswith(
            "cpu0 has the governor ondemand, expected performance: set it by cpupower or tuned; cpu1 has"
        )

    @pytest.mark.parametrize(("absent", "verdict"), [("skip", "skipped"), ("fail", "failed")])
    def test_a_machine_without_frequencies(self, module, rack_context, absent, verdict, tmp_path):
        outcome = rack_context.run(module.CpuFrequency, {"root": str(tmp_path), "absent": absent})
        assert outcome.verdict == verdict
        assert outcome.reason == f"no such hardware: no frequency of a core can be read (no cpufreq in {tmp_path})"

    @pytest.mark.parametrize("told", ["<unknown>", "", "-1"])
    def test_a_frequency_that_cannot_be_read_is_an_error(self, module, told, tmp_path):
        plant(tmp_path, "cpufreq-acpi.txt")
        (tmp_path / "cpu1/cpufreq/scaling_cur_freq").write_text(told)
        with pytest.raises(ValueError, match="scaling_cur_freq tells no frequency: "):
            module.mhz(tmp_path / "cpu1/cpufreq")

    def test_a_load_that_ended_is_an_error(self, module, monkeypatch, tmp_path):
        found = module.cores(plant(tmp_path, "cpufreq-acpi.txt"))
        monkeypatch.setattr(module, "load", Busy(1, 1, exit_code=-9))
        with pytest.raises(ValueError, match="the load ended early on cpu0, cpu1: look in the kernel's log"):
            module.under_load(found, 0.01)

    def test_the_load_runs_on_its_core_and_ends_with_the_step(self, scriptlet, tmp_path):
        core = min(os.sched_getaffinity(0))
        with scriptlet("cpu.frequency").load({core: tmp_path}, 1) as processes:
            process = processes[core]
            while os.sched_getaffinity(process.pid) != {core}:
                assert process.poll() is None
        assert process.returncode == -9


class TestMemoryFragments:
    # Pages of 4 KiB, so that order 9 is a piece of 2 MiB and order 10 one of 4 MiB.

    @pytest.fixture
    def judged(self, scriptlet: Callable[[str], ModuleType], rack_context: Any, tmp_path: Path, monkeypatch) -> Any:
        """A function that runs the scriptlet on a text of /proc/buddyinfo; without one there is no such file."""

        def run(text: str | None, **params: Any) -> Any:
            module = scriptlet("memory.fragments")
            monkeypatch.setattr(module.os, "sysconf", lambda _name: 4096)
            if text is not None:
                (tmp_path / "proc").mkdir()
                (tmp_path / "proc/buddyinfo").write_text(text)
            return rack_context.run(module.MemoryFragments, {"root": str(tmp_path), **params})

        return run

    def test_values_of_others(self, judged, rack_context):
        assert judged((CAPTURED / "buddyinfo-procfs.txt").read_text(), min_mib=14).verdict == "passed"
        assert rack_context["memory.fragments_v1"] == {"node0": {"free_mib": 196.44921875, "pieces_mib": 14.0}}

    def test_a_machine_of_ours(self, judged, rack_context):
        assert judged((CAPTURED / "buddyinfo-6.18.txt").read_text()).verdict == "passed"
        found = rack_context["memory.fragments_v1"]["node0"]
        assert 0 < found["pieces_mib"] < found["free_mib"]
        assert rack_context.measured["pieces.node0"] == found["pieces_mib"]

    def test_too_little_in_large_pieces(self, judged):
        text = "Node 0, zone Normal 0 0 0 1\nNode 1, zone Normal 0 0 0 256\nNode 1, zone Movable 0 0 0 256\n"
        outcome = judged(text, min_mib=8, piece_kib=32)
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "node0 has 0.03125 MiB of its 0.03125 MiB of free memory in pieces of 32 KiB or more, expected 8 MiB: "
            "compact it (echo 1 > /proc/sys/vm/compact_memory), or restart the host"
        )

    @table("text", "says")
    def test_what_is_no_buddyinfo_is_an_error(self, judged, text, says):
        outcome = judged(text)
        assert (outcome.verdict, says in outcome.reason) == ("error", True)

    def test_a_piece_has_a_size(self, judged):
        assert "piece_kib: expected 1 or more, got 0" in judged("", piece_kib=0).reason


class TestNuma:
    SETUP = "compare the firmware's setup (nodes per socket, sub-NUMA clusters) with that of the other hosts"
    MODULES = "look for a missing or failed memory module, and at the firmware's setup"

    @pytest.fixture
    def judged(self, scriptlet: Callable[[str], ModuleType], rack_context: Any, tmp_path: Path) -> Any:
        """A function that runs the scriptlet on a captured tree, in which files may be changed before."""

        def run(name: str, changes: dict[str, str] | None = None, **params: Any) -> Any:
            plant(tmp_path, name)
            for path, content in (changes or {}).items():
                (tmp_path / path).write_text(content)
            return rack_context.run(scriptlet("host.numa").Numa, {"root": str(tmp_path), **params})

        return run

    def test_a_machine_with_four_nodes(self, judged, rack_context):
        assert judged("numa-4-nodes.txt", nodes=4, cores=10, min_mib=65000, max_distance=21).verdict == "passed"
        assert rack_context["host.numa_v1"]["node3"] == {
            "cpus": [3, 7, 11, 15, 19, 23, 27, 31, 35, 39], "memory_mib": 65536, "distances": [21, 21, 21, 10],
        }  # fmt: skip

    def test_a_machine_with_one_node_and_no_expectations(self, judged, rack_context):
        assert judged("numa-1-node.txt").verdict == "passed"
        assert rack_context["host.numa_v1"] == {"node0": {"cpus": [0, 1], "memory_mib": 18906.2, "distances": [10]}}
        assert rack_context.checked == {"nodes_without_memory": "passed"}
        told = {"nodes": 1, "cores.node0": 2, "mib.node0": 18906.2, "distance.node0": 10, "nodes_without_memory": 0}
        assert rack_context.measured == told

    def test_every_difference_is_named(self, judged):
        outcome = judged("numa-4-nodes.txt", nodes=2, cores=20, max_distance=20, min_mib=65500)
        assert outcome.verdict == "failed"
        said = outcome.reason.split("; ")
        assert said[:4] == [
            f"4 nodes, expected 2: {self.SETUP}",
            f"node0 has 10 cores, expected 20: {self.SETUP}",
            f"node0 has 65415 MiB, the limit is 65500: {self.MODULES}",
            f"node0 has a distance of 21, the limit is 20: {self.SETUP}",
        ]
        assert len(said) == 1 + 3 + 3 * 2

    def test_a_node_with_cores_and_without_memory(self, judged):
        outcome = judged("numa-4-nodes.txt", {"node2/meminfo": "Node 2 MemTotal:              0 kB\n"})
        assert outcome.reason == f"node2: cores and no memory: {self.MODULES}"

    def test_memory_without_cores_is_no_fault(self, judged):
        assert judged("numa-4-nodes.txt", {"node2/cpulist": "\n"}, cores=10, min_mib=65000).verdict == "passed"

    @pytest.mark.parametrize(("absent", "verdict"), [("skip", "skipped"), ("fail", "failed")])
    def test_a_kernel_without_nodes(self, scriptlet, rack_context, absent, verdict, tmp_path):
        outcome = rack_context.run(scriptlet("host.numa").Numa, {"root": str(tmp_path), "absent": absent})
        assert outcome.verdict == verdict
        assert outcome.reason == f"no such hardware: the kernel knows no nodes of the memory ({tmp_path})"

    @pytest.mark.parametrize(
        ("path", "content"), [("meminfo", "MemTotal: 1 kB"), ("cpulist", "a-b"), ("distance", "x")]
    )
    def test_what_has_another_form_is_an_error(self, judged, path, content):
        assert judged("numa-1-node.txt", {f"node0/{path}": content}).verdict.startswith("error")

    @pytest.mark.parametrize(("listed", "numbers"), [("", []), ("7", [7]), ("0-2,8,10-11", [0, 1, 2, 8, 10, 11])])
    def test_lists_of_numbers(self, scriptlet, listed, numbers):
        assert scriptlet("host.numa").numbers(listed) == numbers
