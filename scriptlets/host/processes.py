# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that are stuck or dead, and those that must run."""

from __future__ import annotations

import re
import time
from fnmatch import fnmatchcase
from pathlib import Path

from rack_recipes import Failed, Scriptlet

STAT = re.compile(r"\d+ \((.*)\) (\S) (\d+) ", re.DOTALL)  # proc_pid_stat(5): a name may hold anything
LOOKS = 5
STUCK, DEAD = "D", "Z"
NAMED = 5  # processes in a message


class HostProcesses(Scriptlet):
    """Processes that are stuck (D) or dead without a parent that takes note (Z), and those that must run.

    A process counts that is in the state in each of several looks: to wait for a disk for a moment is what healthy
    processes do.
    """

    options = {
        "wanted": {
            "type": "dict",
            "default": {},
            "description": (
                "Names of processes that must run, as `ps -o comm` prints them: NAME -> the least number of them"
            ),
        },
        "max_stuck": {
            "type": "int",
            "default": 0,
            "description": "How many may be stuck",
            "unit": "processes",
            "source": "a healthy host has none",
        },
        "max_dead": {
            "type": "int",
            "default": 0,
            "description": "How many may be dead",
            "unit": "processes",
            "source": "a healthy host has none",
        },
        "seconds": {
            "type": "float",
            "default": 3,
            "min": 0,
            "max": 86_400,
            "description": "For how long is looked",
            "unit": "s",
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": ("Patterns of names that do not count, such as those of kernel threads that always wait"),
        },
        "root": {
            "type": "path",
            "default": "/proc",
            "description": "The kernel's folder of processes; another one for tests",
        },
    }
    reads = ()
    writes = {
        "host.processes_v1": (
            "`stuck` and `dead` (lists with pid, name and parent), and `running` (how many of each wanted one)"
        )
    }
    needs = ()
    verdicts = {
        "failed": "a process is stuck or dead, or too few run",
        "error": "there are no processes to see",
    }
    example = """
        - name: processes
          module: host.processes
          args:
            wanted: {sshd: 1}
    """

    def run(self, ctx, params):
        root = Path(params["root"])
        found = stay(root, params["seconds"], params["ignore"])
        names = [process["name"] for process in processes(root).values() if process["state"] != DEAD]
        running = {name: names.count(name[:15]) for name in params["wanted"]}
        ctx.set("host.processes_v1", {"stuck": found[STUCK], "dead": found[DEAD], "running": running})
        wrong = [*_wanted(ctx, running, params["wanted"]), *_stay(ctx, found, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def processes(root):
    """PID -> name, state and PID of the parent of each process. Raises ValueError where there is none."""
    found = {}
    for path in root.glob("[0-9]*/stat"):
        try:
            told = STAT.match(path.read_text(encoding="utf-8", errors="backslashreplace"))
        except OSError:
            continue  # it has ended
        if told:
            found[path.parent.name] = {"name": told[1], "state": told[2], "parent": told[3]}
    if not found:
        raise ValueError(f"{root} shows no process")
    return found


def stay(root, seconds, ignore):
    """The processes that were stuck or dead in each look, by state."""
    seen = _waiting(root, ignore)
    for _look in range(LOOKS - 1):
        time.sleep(seconds / (LOOKS - 1))
        now = _waiting(root, ignore)
        seen = {pid: process for pid, process in now.items() if seen.get(pid) == process}
    return {
        state: [{"pid": pid, **process} for pid, process in seen.items() if process["state"] == state]
        for state in (STUCK, DEAD)
    }


def _waiting(root, ignore):
    return {
        pid: process
        for pid, process in processes(root).items()
        if process["state"] in (STUCK, DEAD) and not any(fnmatchcase(process["name"], each) for each in ignore)
    }


def _wanted(ctx, running, wanted):
    """Judge the processes that must run; yields what is wrong."""
    for name, number in running.items():
        if ctx.check(f"running.{name}", number, "processes", min=int(wanted[name])) == "failed":
            yield f"{number} processes {name}, expected {wanted[name]}: start its service and read its log"


def _stay(ctx, found, params):
    """Judge how many are stuck or dead; yields what is wrong."""
    for state, what, key, advice in (
        (STUCK, "cannot be woken", "max_stuck", "look at the disks and network mounts that they use; restart the host"),
        (DEAD, "are dead and nobody takes note", "max_dead", "restart the service that is their parent"),
    ):
        them = found[state]
        if ctx.check(key.partition("_")[2], len(them), "processes", max=params[key]) == "failed":
            named = ", ".join(f"{each['name']} ({each['pid']}, parent {each['parent']})" for each in them[:NAMED])
            yield f"{len(them)} processes {what}: {named}: {advice}"
