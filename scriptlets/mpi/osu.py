# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MPI over several hosts, by the OSU micro-benchmarks: bandwidth and latency by size of message."""

from __future__ import annotations

import re

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words
from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.commands import completed
from scriptlets.tools.limits import amount, judge
from scriptlets.tools.mpi import complaint, find, mpirun, number, without_tags

FOLDERS = tuple(
    f"{root}/libexec/osu-micro-benchmarks/mpi/{kind}"
    for root in ("/usr", "/usr/local", "/opt/osu")
    for kind in ("pt2pt", "collective")
)
BANDWIDTH = ("osu_bw", "osu_bibw")
PAIR = (*BANDWIDTH, "osu_latency")  # tests of two processes
ROW = re.compile(r"^(?P<size>\d+)\s+(?P<value>-?[\d.]+(?:e[+-]?\d+)?|-?nan|-?inf)\b", re.IGNORECASE | re.MULTILINE)
VERSION = re.compile(r"^# OSU MPI.* v(\S+)", re.MULTILINE)
ADVICE = "run it on fewer hosts to find the one, then look at its links"


class MpiOsu(Scriptlet):
    """Bandwidth or latency of MPI over several hosts, by a program of the OSU micro-benchmarks.

    mpirun starts it on all `hosts`, so the step runs on one of them. Without limits it is measured only.
    """

    options = {
        "test": {
            "type": "str",
            "choices": ["osu_bw", "osu_bibw", "osu_latency", "osu_allreduce", "osu_allgather", "osu_alltoall"],
            "default": "osu_bw",
            "description": "Which program; the first three are of two hosts",
        },
        "hosts": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The hosts by names that mpirun can resolve on each of them, this one among them",
        },
        "slots": {
            "type": "int",
            "default": 1,
            "description": "How many processes each host has; one for a test of two hosts",
            "unit": "processes",
        },
        "sizes": {"type": "str", "description": "The shortest and the longest message in bytes, such as 8:4194304"},
        "min_mbytes": {"type": "float", "description": "The least bandwidth of the longest message", "unit": "MB/s"},
        "max_usec": {"type": "float", "description": "The longest average time of the shortest message", "unit": "us"},
        "max_usec_longest": {"type": "float", "description": "The same of the longest message", "unit": "us"},
        "mpirun": {"type": "list", "elements": "str", "default": []},
        "folder": {"type": "path"},
        "timeout": {
            "type": "float",
            "default": 300,
            "description": "A test that has not ended by then is an error",
            "unit": "s",
        },
    }
    reads = ()
    writes = {"mpi.osu_v1": "test, version, and `sizes`: by bytes MB/s of a bandwidth, us of a latency"}
    needs = (
        "Open MPI (Debian: openmpi-bin) on each host, and SSH between them without a password",
        "the OSU micro-benchmarks, built with that MPI (Debian has no package)",
    )
    verdicts = {
        "failed": "it is too slow, or a size has no number",
        "skipped": "`hosts` have no second host, as in a run that is limited to one",
        "error": "the program is not there, could not run, or has not ended in time",
    }
    example = """
        - name: mpi
          module: mpi.osu
          args: {test: osu_latency, hosts: [node1, node2], max_usec: 5}
          timeout: 600
    """

    def run(self, ctx, params):
        """Run the test and judge it."""
        test, hosts = params["test"], params["hosts"]
        if len(hosts) < 2:
            raise Skipped(f"{', '.join(hosts) or 'nobody'} is alone: there is no host to test with")
        if test in PAIR and (len(hosts) != 2 or params["slots"] != 1):
            raise ValueError(f"{test} is a test of two processes: give two hosts and one slot")
        path = find(test, params["folder"], FOLDERS, "the OSU micro-benchmarks")
        words = ["-m", params["sizes"]] if params["sizes"] else []
        done = completed([*mpirun(hosts, params["slots"], params["mpirun"]), path, *words], seconds=params["timeout"])
        text = without_tags(done.stdout)
        sizes = {row["size"]: number(row["value"]) for row in ROW.finditer(text)}
        if done.returncode or not sizes:
            raise ValueError(f"{test} {end_in_words(done.returncode)}: {complaint(done)}")
        version = VERSION.search(text)
        ctx.set("mpi.osu_v1", {"test": test, "version": version[1] if version else None, "sizes": sizes})
        if wrong := [*judged(ctx, sizes, params)]:
            raise Failed("; ".join(wrong))


def judged(ctx, sizes, params):
    """Judge each size; yields what is wrong. A size without a number is wrong, with limits and without."""
    is_rate = params["test"] in BANDWIDTH
    name, unit = ("mbytes", "MB/s") if is_rate else ("usec", "us")
    ends = (min(sizes, key=int), max(sizes, key=int))
    for size, value in sizes.items():
        limits = rate_limits(size, ends, params) if is_rate else time_limits(size, ends, params)
        if value is None or value <= 0:
            ctx.check(f"told.{name}.{size}", False, eq=True)
            yield f"no {unit} was told of {size} bytes: {ADVICE}"
        elif judge(ctx, f"{name}.{size}", value, unit, **limits) == "failed":
            words = " and ".join(f"{word} {amount(limit)}" for word, limit in limits.items() if limit is not None)
            yield f"{value:g} {unit} with {size} bytes, {words}: {ADVICE}"


def rate_limits(size, ends, params):
    """The limit of a bandwidth: only the longest message has one."""
    return {"min": params["min_mbytes"]} if size == ends[1] else {}


def time_limits(size, ends, params):
    """The limit of a latency: the shortest and the longest message have one each."""
    bounds = {ends[1]: params["max_usec_longest"], ends[0]: params["max_usec"]}
    return {"max": bounds[size]} if size in bounds else {}
