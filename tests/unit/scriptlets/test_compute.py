# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for processors, on what stress-ng and /sys say (`captured/`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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
            "bogus operations a second, the limit is 1e+09: look at the frequency of the cores and for what else runs"
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
