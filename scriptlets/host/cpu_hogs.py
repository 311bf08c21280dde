# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that take a core for themselves."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet

LONGEST = 120


class CpuHogs(Scriptlet):
    """The processes that used most of a core during `seconds`; a host that is to be idle has none."""

    options = {
        "seconds": {"type": "float", "default": 1},
        "max_percent": {"type": "float", "default": 80},
        "root": {"type": "path", "default": "/proc"},
    }
    reads = ()
    writes = ("host.cpu_hogs_v1",)

    def run(self, ctx, params):
        root = Path(params["root"])
        before, started = ticks(root), time.monotonic()
        time.sleep(params["seconds"])
        after, elapsed = ticks(root), time.monotonic() - started
        used = {
            pid: 100 * (after[pid] - before[pid]) / os.sysconf("SC_CLK_TCK") / elapsed for pid in after if pid in before
        }
        pid, most = max(used.items(), key=lambda one: one[1], default=(0, 0.0))
        name = command_line(root, pid)
        ctx.set("host.cpu_hogs_v1", {"pid": pid, "command": name, "percent": round(most, 1)})
        if ctx.check("busiest_process", round(most, 1), "%", max=params["max_percent"]) == "failed":
            raise Failed(f"process {pid} ({name}) takes {most:.0f} % of a core")


def ticks(root):
    """The CPU time of each process so far, in clock ticks."""
    found = {}
    for path in root.glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        found[int(path.parent.name)] = int(fields[11]) + int(fields[12])
    return found


def command_line(root, pid):
    """The command line of a process, cut; empty when it is gone."""
    try:
        words = (root / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return ""
    return words.decode(errors="backslashreplace").strip()[:LONGEST]
