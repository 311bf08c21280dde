# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes hold the GPUs of a node, by NVIDIA's driver."""

from __future__ import annotations

from fnmatch import fnmatchcase

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.limits import judge
from scriptlets.tools.nvidia_smi import field, gpus, number


class GpuProcesses(Scriptlet):
    """Which processes hold the GPUs of a node, by NVIDIA's driver; a node that is to be free has none."""

    options = {
        "max_processes": {
            "type": "int",
            "default": 0,
            "description": "How many processes each GPU may have",
            "unit": "processes",
            "source": "a node that is to be free has none",
        },
        "allowed": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Patterns of names that do not count, such as that of the server of MPS",
        },
        "max_used_mib": {
            "type": "float",
            "description": ("How much memory may be in use without any process; the driver keeps some for itself"),
            "unit": "MiB",
        },
        "timeout": {"type": "float", "default": 60},
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/"},
    }
    reads = ()
    writes = {
        "gpu.processes_v1": ("For each GPU, by its address, its `processes` (pid, name, used_mib) and used_mib (MiB)")
    }
    needs = ("nvidia-smi of NVIDIA's driver",)
    verdicts = {
        "failed": "a GPU has processes, or memory in use",
        "skipped": "the host has no GPU (failed with `absent: fail`)",
        "error": "nvidia-smi does not answer",
    }
    example = """
        - name: free
          module: gpu.processes
          args: {max_used_mib: 1024}
    """

    def run(self, ctx, params):
        found = {name: {"processes": processes(gpu), "used_mib": used(gpu)} for name, gpu in gpus(params).items()}
        ctx.set("gpu.processes_v1", found)
        wrong = [said for name, own in found.items() for said in _judge(ctx, name, own, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def processes(gpu):
    """The processes on a GPU, with the memory of each in MiB; None where the driver does not tell it."""
    return [
        {"pid": field(each, "pid"), "name": field(each, "process_name") or "?", "used_mib": number(each, "used_memory")}
        for each in gpu.iterfind("processes/process_info")
    ]


def used(gpu):
    """The memory in use, in MiB."""
    return number(gpu, "fb_memory_usage/used")


def _judge(ctx, name, own, params):
    """Judge one GPU; yields what is wrong."""
    counted = [
        each
        for each in own["processes"]
        if not any(fnmatchcase(each["name"], pattern) for pattern in params["allowed"])
    ]
    if ctx.check(f"processes.{name}", len(counted), "processes", max=params["max_processes"]) == "failed":
        named = ", ".join(f"{each['name']} ({each['pid']})" for each in counted[:5])
        yield f"GPU {name} is held by {named}: end what is left of a job, and look at who started it"
    if own["used_mib"] is not None and judge(
        ctx, f"used.{name}", own["used_mib"], "MiB", max=params["max_used_mib"]
    ) == "failed":  # fmt: skip
        yield f"GPU {name} has {own['used_mib']:g} MiB in use: look who holds it (`fuser -v /dev/nvidia*`), or reset it"
