# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes of a host's memory (NUMA): their cores, their memory, and how far they are from each other."""

from __future__ import annotations

import re
from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.absent_hardware import is_missing

KIB_IN_MIB = 1024
TOTAL = re.compile(r"^Node \d+ MemTotal:\s+(\d+) kB$", re.MULTILINE)
MODULES = "look for a missing or failed memory module, and at the firmware's setup"
SETUP = "compare the firmware's setup (nodes per socket, sub-NUMA clusters) with that of the other hosts"


class Numa(Scriptlet):
    """Whether the nodes of the memory (NUMA) are as expected: their number, their cores, memory and distances.

    An argument that is not given is not judged. A node with cores and without memory is always wrong: all its
    accesses go to another node. See https://docs.kernel.org/admin-guide/mm/numaperf.html.
    """

    options = {
        "nodes": {
            "type": "int",
            "description": "How many nodes there must be",
            "unit": "nodes",
        },
        "cores": {
            "type": "int",
            "description": ("How many cores each node with cores must have; memory behind a bus (CXL) has none"),
            "unit": "cores",
        },
        "min_mib": {
            "type": "float",
            "description": "How much memory each node with cores must have",
            "unit": "MiB",
        },
        "max_distance": {
            "type": "int",
            "description": ("The greatest distance of two nodes; 10 is that of a node to itself (ACPI's SLIT)"),
            "unit": "tenths of a local access",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {
            "type": "path",
            "default": "/sys/devices/system/node",
            "description": "The kernel's folder of nodes; another one for tests",
        },
    }
    reads = ()
    writes = {
        "host.numa_v1": ("For each node `cpus` (numbers of cores), memory_mib (MiB) and `distances` to all nodes")
    }
    needs = ()
    verdicts = {
        "failed": "a node has no memory, or something is not as expected",
        "skipped": "the kernel knows no nodes (failed with `absent: fail`)",
        "error": "a file of the kernel has another form",
    }
    example = """
        - name: numa
          module: host.numa
          args: {nodes: 2, max_distance: 21}
    """

    def run(self, ctx, params):
        folders = sorted(Path(params["root"]).glob("node[0-9]*"), key=lambda path: int(path.name[4:]))
        if not folders:
            is_missing(f"the kernel knows no nodes of the memory ({params['root']})", params)
        found = {folder.name: node(folder) for folder in folders}
        ctx.set("host.numa_v1", found)
        wrong = [*judge_memory(ctx, found), *judge_number(ctx, len(found), params["nodes"])]
        for name, own in found.items():
            wrong += judge(ctx, name, own, params)
        if wrong:
            raise Failed("; ".join(wrong))


def node(folder):
    """The cores, the memory in MiB and the distances of a node. Raises ValueError where a file has another form."""
    memory = TOTAL.search((folder / "meminfo").read_text(encoding="ascii"))
    if not memory:
        raise ValueError(f"{folder / 'meminfo'} has no line MemTotal")
    return {
        "cpus": numbers((folder / "cpulist").read_text(encoding="ascii").strip()),
        "memory_mib": round(int(memory[1]) / KIB_IN_MIB, 1),
        "distances": [int(word) for word in (folder / "distance").read_text(encoding="ascii").split()],
    }


def numbers(listed):
    """The numbers of a list such as 0-3,8,10-11. Raises ValueError for another text."""
    found = []
    for part in listed.split(",") if listed else ():
        first, _dash, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def judge_memory(ctx, found):
    """Judge whether all nodes with cores have memory; yields those that have none, and what to do."""
    empty = [name for name, own in found.items() if own["cpus"] and not own["memory_mib"]]
    if ctx.check("nodes_without_memory", len(empty), "nodes", max=0) == "failed":
        yield f"{', '.join(empty)}: cores and no memory: {MODULES}"


def judge_number(ctx, nodes, expected):
    """Judge how many nodes there are; yields what is wrong, and what to do."""
    if expected is None:
        ctx.measure("nodes", nodes, "nodes")
    elif ctx.check("nodes", nodes, "nodes", eq=expected) == "failed":
        yield f"{nodes} nodes, expected {expected}: {SETUP}"


def judge(ctx, name, own, params):
    """Judge one node; yields what is wrong with it, and what to do."""
    wanted = (
        ("cores", len(own["cpus"]), "cores", "eq", "expected", SETUP),
        ("min_mib", own["memory_mib"], "MiB", "min", "the limit is", MODULES),
        ("max_distance", max(own["distances"]), "", "max", "the limit is", SETUP),
    )
    for option, value, unit, limit, words, advice in wanted:
        measured, expected = f"{option.partition('_')[2] or option}.{name}", params[option]
        if expected is None or (not own["cpus"] and option != "max_distance"):
            ctx.measure(measured, value, unit)
        elif ctx.check(measured, value, unit, **{limit: expected}) == "failed":
            kind = "a distance of " if option == "max_distance" else ""
            yield f"{name} has {kind}{value:g} {unit}".rstrip() + f", {words} {expected:g}: {advice}"
