# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much of the free memory is there in large pieces, on each node of the memory."""

from __future__ import annotations

import os
import re

from rack_recipes import Failed, HostFiles, Scriptlet
from scriptlets.tools.limits import judge

KIB, MIB = 1 << 10, 1 << 20
ZONE = re.compile(r"Node\s+(?P<node>\d+), zone\s+\S+\s+(?P<counts>[\d\s]+)")
ADVICE = "compact it (echo 1 > /proc/sys/vm/compact_memory), or restart the host"


class MemoryFragments(Scriptlet):
    """Free memory of each node (NUMA) in pieces of at least one size, as huge pages and drivers of cards need them.

    A host that has run for long may have much free memory, and all of it in small pieces. See buddyinfo in
    https://docs.kernel.org/filesystems/proc.html.
    """

    options = {
        "piece_kib": {
            "type": "int",
            "default": 2048,
            "description": "The size of a piece: larger ones count, smaller ones do not",
            "unit": "KiB",
            "source": "a huge page of x86-64 (https://docs.kernel.org/admin-guide/mm/hugetlbpage.html)",
        },
        "min_mib": {
            "type": "float",
            "description": "How much of it each node must have",
            "unit": "MiB",
        },
        "root": {
            "type": "path",
            "default": "/",
            "description": "The folder that has /proc; another one for tests",
        },
    }
    reads = ()
    writes = {"memory.fragments_v1": "For each node free_mib and pieces_mib, what of it is in large pieces (MiB)"}
    needs = ()
    verdicts = {
        "failed": "a node has less free memory in large pieces than min_mib",
        "error": "the kernel does not tell its free pieces",
    }
    example = """
        - name: fragments
          module: memory.fragments
          args: {min_mib: 1024}
    """

    def validate(self, ctx, params):
        if params["piece_kib"] < 1:
            raise ValueError(f"piece_kib: expected 1 or more, got {params['piece_kib']}")

    def run(self, ctx, params):
        told = HostFiles(params["root"]).text("proc/buddyinfo") or ""
        found = pieces(told, os.sysconf("SC_PAGE_SIZE"), params["piece_kib"] * KIB)
        ctx.set("memory.fragments_v1", found)
        wrong = [said for node, own in found.items() for said in _judge(ctx, node, own, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def pieces(text, page, least):
    """For each node its free memory, and that in pieces of `least` bytes or more, in MiB; `page` is that of a page.

    Raises ValueError for a text that is no /proc/buddyinfo.
    """
    free, large = {}, {}
    for line in text.splitlines():
        zone = ZONE.fullmatch(line.strip())
        if not zone:
            raise ValueError(f"/proc/buddyinfo has a line that is none of a zone: {line[:100]!r}")
        sizes = [(page << order, int(count)) for order, count in enumerate(zone["counts"].split())]
        node = f"node{zone['node']}"
        free[node] = free.get(node, 0) + sum(size * count for size, count in sizes)
        large[node] = large.get(node, 0) + sum(size * count for size, count in sizes if size >= least)
    if not free:
        raise ValueError("the kernel does not tell its free memory in /proc/buddyinfo")
    return {node: {"free_mib": free[node] / MIB, "pieces_mib": large[node] / MIB} for node in free}


def _judge(ctx, node, own, params):
    """Judge one node; yields what is wrong, and what to do."""
    ctx.measure(f"free.{node}", own["free_mib"], "MiB")
    if judge(ctx, f"pieces.{node}", own["pieces_mib"], "MiB", min=params["min_mib"]) == "failed":
        yield (
            f"{node} has {own['pieces_mib']:g} MiB of its {own['free_mib']:g} MiB of free memory in pieces of "
            f"{params['piece_kib']} KiB or more, expected {params['min_mib']:g} MiB: {ADVICE}"
        )
