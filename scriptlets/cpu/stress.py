# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work for all cores whose results are verified, by stress-ng."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run
from scriptlets.tools.limits import amount

ENDS = (0, 2, 3, 4, 5, 6, 7)
"""The exit codes after which its log says what was wrong: EXIT STATUS of stress-ng(1). 1 is a wrong command line."""

FAILED = re.compile(r"^stress-ng: fail:\s+\[\d+\] (.*)$", re.MULTILINE)
ERROR = re.compile(r"^stress-ng: error:\s+\[\d+\] (.*)$", re.MULTILINE)
SUCCESS = re.compile(r"\bsuccessful run completed\b")
METRICS = {
    "bogo_ops": "bogo-ops",
    "bogo_ops_per_s": "bogo-ops-per-second-real-time",
    "wall_clock_s": "wall-clock-time",
    "user_s": "user-time",
    "system_s": "system-time",
}
ADVICE = "look at the temperature, then at the kernel's log for machine checks, and replace the processor or the memory"
LONGER = 60
"""How many seconds after its time stress-ng may end: workers are started and stopped on busy cores."""


class CpuStress(Scriptlet):
    """Whether every core computes right under load: `stress-ng --cpu --verify` for some seconds on `workers` cores.

    Bogus operations compare hosts with the same version of stress-ng, and say nothing between versions.
    """

    options = {
        "seconds": {
            "type": "int",
            "default": 10,
            "min": 1,
            "max": 86_400,
            "description": "For how long the cores work",
            "unit": "s",
            "source": "our choice, for a first look; a burn-in takes an hour or more",
        },
        "workers": {
            "type": "int",
            "default": 0,
            "description": "How many work at once; 0 is one for each core",
            "unit": "processes",
        },
        "method": {
            "type": "str",
            "default": "all",
            "description": "One of stress-ng's methods for the processor; `all` takes one after the other",
        },
        "min_bogo_ops_per_s": {
            "type": "float",
            "description": "The least rate of bogus operations, as measured on a good host",
            "unit": "1/s",
        },
    }
    reads = ()
    writes = {"cpu.stress_v1": "version, bogo_ops, bogo_ops_per_s (1/s), wall_clock_s, user_s and system_s (s)"}
    needs = ("stress-ng 0.15 or newer (Debian: stress-ng)",)
    verdicts = {
        "failed": "a result was wrong, stress-ng did not end well, or the rate is below its limit",
        "error": "stress-ng is not there, or tells no metrics",
    }
    example = """
        - name: stress
          module: cpu.stress
          args: {seconds: 60}
          timeout: 180
    """

    def run(self, ctx, params):
        results, log = stressed(params)
        found = metrics(results)
        ctx.set("cpu.stress_v1", found)
        wrong = FAILED.findall(log)
        if ctx.check("failed_verifications", len(wrong), "results", max=0) == "failed":
            raise Failed(f"wrong results under load: {wrong[0]} ({len(wrong)} in all): {ADVICE}")
        if not SUCCESS.search(log):
            said = "; ".join(ERROR.findall(log)[:3]) or log[-200:]
            raise Failed(f"stress-ng did not end well: {said}: look in the kernel's log for what ended it")
        judge_rate(ctx, found["bogo_ops_per_s"], params["min_bogo_ops_per_s"])


def judge_rate(ctx, rate, limit):
    """Compare the bogus operations a second with their limit, where there is one."""
    if limit is None:
        ctx.measure("bogo_ops", rate, "1/s")
    elif ctx.check("bogo_ops", rate, "1/s", min=limit) == "failed":
        advice = "look at the frequency of the cores and for what else runs"
        raise Failed(f"{amount(rate)} bogus operations a second, the limit is {amount(limit)}: {advice}")


def stressed(params):
    """The results and the log of a run of stress-ng, two texts. Raises ValueError where it could not run."""
    with tempfile.TemporaryDirectory() as folder:
        results, log = Path(folder, "results.yml"), Path(folder, "log")
        run(
            (
                "stress-ng", "--cpu", str(params["workers"]), "--cpu-method", params["method"],
                "--timeout", f"{params['seconds']}s", "--verify", "--metrics", "--temp-path", folder,
                "--yaml", str(results), "--log-file", str(log),
            ),
            ENDS,
            seconds=params["seconds"] + LONGER,
        )  # fmt: skip
        return results.read_text(errors="replace"), log.read_text(errors="replace")


def metrics(text):
    """The metrics of the stressor `cpu`, and the version. Raises ValueError where there are none.

    Line by line: hosts have no reader for YAML, and what stress-ng 0.19 writes as `build-info` is no YAML.
    """
    lines = text.partition("stressor: cpu\n")[2].splitlines()
    told = dict(line.strip().split(": ", 1) for line in lines if ": " in line)
    version = re.search(r"stress-ng-version: '?([\w.]+)", text)
    try:
        found = {name: float(told[field]) for name, field in METRICS.items()}
    except (KeyError, ValueError):
        raise ValueError(f"stress-ng told no metrics of cpu: {text[-200:]!r}") from None
    return {"version": version[1] if version else "", **found}
