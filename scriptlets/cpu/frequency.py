# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frequency of each core, idle and under load."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rack_recipes import Failed, HostFiles, Scriptlet
from scriptlets.tools.absent_hardware import is_missing

SPIN = """\
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    pass
"""
LONGER = 10  # seconds after which a load ends by itself, whatever happens to this step
SAMPLES = 5
ADVICE = "look at temperature, fans and power limits, and at the power profile in the firmware's setup"


class CpuFrequency(Scriptlet):
    """Whether each core is fast enough while all cores work for some `seconds`, and which governor it has.

    Frequencies are the kernel's `scaling_cur_freq`: one reading before the load, and the median of several in its
    second half. Cores that the step may not run on are not judged. See
    https://docs.kernel.org/admin-guide/pm/cpufreq.html and
    https://docs.kernel.org/admin-guide/pm/intel_pstate.html.
    """

    options = {
        "seconds": {
            "type": "float",
            "default": 2,
            "min": 0,
            "max": 86_400,
            "description": "For how long all cores work",
            "unit": "s",
            "source": "our choice: cores reach their frequency within milliseconds",
        },
        "min_mhz": {
            "type": "float",
            "description": (
                "The least frequency under load; without it, the core's `base_frequency`, which its maker "
                "guarantees, less the tolerance. Not all drivers tell it"
            ),
            "unit": "MHz",
        },
        "tolerance_percent": {
            "type": "float",
            "default": 2,
            "description": "How much below its base frequency a core may be",
            "unit": "%",
            "source": "our choice: readings of a moment spread by about 1 %",
        },
        "governor": {
            "type": "str",
            "description": "The governor that each core must have, such as performance",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {
            "type": "path",
            "default": "/sys/devices/system/cpu",
            "description": "The kernel's folder of the cores; another one for tests",
        },
    }
    reads = ()
    writes = {"cpu.frequency_v1": "For each core idle_mhz, load_mhz, base_mhz and max_mhz (MHz), governor and driver"}
    needs = ("cpufreq in the kernel, which most virtual machines do not have",)
    verdicts = {
        "failed": "a core is slower than its limit under load, or has another governor",
        "skipped": "there is no cpufreq (failed with `absent: fail`)",
        "error": "the load could not be started",
    }
    example = """
        - name: frequency
          module: cpu.frequency
          args: {governor: performance}
    """

    def run(self, ctx, params):
        found = cores(Path(params["root"]))
        if not found:
            is_missing(f"no frequency of a core can be read (no cpufreq in {params['root']})", params)
        idle = {core: mhz(folder) for core, folder in found.items()}
        busy = under_load(found, params["seconds"])
        told = {core: describe(folder, idle[core], busy[core]) for core, folder in found.items()}
        ctx.set("cpu.frequency_v1", {f"cpu{core}": own for core, own in told.items()})
        wrong = [said for core, own in told.items() for said in judge(ctx, core, own, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def cores(root):
    """The folder of each core that has a frequency and that this process may run on, by the number of the core."""
    folders = {int(path.parent.name[3:]): path for path in root.glob("cpu[0-9]*/cpufreq")}
    return {core: folders[core] for core in sorted(folders) if core in os.sched_getaffinity(0)}


def mhz(folder, name="scaling_cur_freq"):
    """A frequency in MHz. Raises ValueError where the kernel tells none, as drivers do of a core that is off."""
    files = HostFiles(folder)
    khz = files.number(name)
    if khz is None or khz < 0:
        raise ValueError(f"{files.path(name)} tells no frequency: {files.text(name)!r}")
    return khz / 1000


def under_load(found, seconds):
    """The median of the frequencies of each core in MHz, while all of them work. Raises ValueError if one does not."""
    with load(found, seconds) as processes:
        time.sleep(seconds / 2)
        samples = [sample(found, seconds / 2 / SAMPLES) for _number in range(SAMPLES)]
        ended = [core for core, process in processes.items() if process.poll() is not None]
    if ended:
        raise ValueError(f"the load ended early on cpu{', cpu'.join(map(str, ended))}: look in the kernel's log")
    return {core: statistics.median(one[core] for one in samples) for core in found}


def sample(found, seconds):
    """The frequencies of all cores in MHz after some seconds."""
    time.sleep(seconds)
    return {core: mhz(folder) for core, folder in found.items()}


@contextlib.contextmanager
def load(found, seconds):
    """A process on each core that does nothing but compute, by the number of the core."""
    with contextlib.ExitStack() as stack:
        processes = {}
        for core in found:
            argv = (sys.executable, "-I", "-c", SPIN, str(core), str(seconds + LONGER))
            processes[core] = stack.enter_context(subprocess.Popen(argv, stdin=subprocess.DEVNULL))
            stack.callback(processes[core].kill)
        yield processes


def describe(folder, idle, busy):
    """What is told of a core: its frequencies in MHz and its governor."""
    files = HostFiles(folder)
    return {
        "idle_mhz": idle,
        "load_mhz": busy,
        "base_mhz": mhz(folder, "base_frequency") if "base_frequency" in files.names("") else None,
        "max_mhz": mhz(folder, "scaling_max_freq"),
        "governor": files.text("scaling_governor"),
        "driver": files.text("scaling_driver"),
    }


def judge(ctx, core, own, params):
    """Judge one core; yields what is wrong with it, and what to do."""
    limit = params["min_mhz"]
    if limit is None and own["base_mhz"] is not None:
        limit = own["base_mhz"] * (1 - params["tolerance_percent"] / 100)
    if limit is None:
        ctx.measure(f"frequency.cpu{core}", own["load_mhz"], "MHz")
    elif ctx.check(f"frequency.cpu{core}", own["load_mhz"], "MHz", min=limit) == "failed":
        capped = f" (it may have {own['max_mhz']:g} MHz at most)" if own["max_mhz"] < limit else ""
        yield f"cpu{core} has {own['load_mhz']:.0f} MHz under load{capped}, the limit is {limit:g} MHz: {ADVICE}"
    expected = params["governor"]
    if expected is not None and ctx.check(f"governor.cpu{core}", own["governor"], eq=expected) == "failed":
        yield f"cpu{core} has the governor {own['governor']}, expected {expected}: set it by cpupower or tuned"
