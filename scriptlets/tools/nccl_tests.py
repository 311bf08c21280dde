# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collectives over GPUs, by the programs of nccl-tests and rccl-tests: one table for each size of message.

Versions 2.0 to 2.19 were looked at. They call the column of wrong values `error` or `#wrong`, may leave the columns
`redop` and `root` out, and RCCL's have further columns behind the last one.
"""

from __future__ import annotations

import re

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words
from rack_recipes import Failed, HostFiles
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.commands import completed
from scriptlets.tools.limits import judge
from scriptlets.tools.mpi import complaint, find, mpirun, number, without_tags
from scriptlets.tools.pci_devices import devices

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "library": {"description": "Whose tests they are: of NCCL (NVIDIA's GPUs) or of RCCL (AMD's)"},
    "hosts": {
        "description": "All hosts by names that mpirun can resolve on each, this one among them; by default this one",
    },
    "gpus": {"description": "How many GPUs each host has; by default as many as this one", "unit": "GPUs"},
    "shortest": {"description": "The shortest message, such as 8M"},
    "longest": {"description": "The longest message, such as 8G: the one whose rate is judged"},
    "min_busbw": {
        "description": "The least bus bandwidth of the longest message; take it from good hosts of the same kind",
        "unit": "GB/s",
    },
    "min_average": {"description": "The least bus bandwidth over all sizes", "unit": "GB/s"},
    "timeout": {"description": "A collective that has not ended by then is an error", "unit": "s"},
    "root": {"description": "The folder that has /sys; another one for tests"},
}
MAKERS = {"nccl": ("10de:", "a GPU of NVIDIA"), "rccl": ("1002:", "a GPU of AMD")}
FOLDERS = {
    "nccl": ("/opt/nccl-tests/build", "/opt/nccl_tests/build", "/usr/local/nccl-tests/build", "/usr/lib/nccl-tests"),
    "rccl": ("/opt/rccl-tests/build", "/opt/rocm/bin", "/usr/local/rccl-tests/build"),
}
# The base classes of GPUs, in the PCI Code and ID Assignment Specification; NVIDIA makes switches and cards, too.
DISPLAY, ACCELERATOR = "0x03", "0x12"
ROW = re.compile(r"^\s*(?P<size>\d+)\s+(?P<count>\d+)\s+(?P<type>[a-z]\w*)\s+(?P<rest>\S.*)$")
VALUE = r"(?:-?[\d.]+(?:e[+-]?\d+)?|-?nan|-?inf|N/A)"
SIDE = rf"(?P<time{{0}}>{VALUE})\s+(?P<algbw{{0}}>{VALUE})\s+(?P<busbw{{0}}>{VALUE})\s+(?P<wrong{{0}}>{VALUE})"
SIDES = re.compile(rf"(?:^|\s){SIDE.format('')}\s+{SIDE.format('_in')}(?:\s+[A-Z]\w+\s.*)?\s*$", re.IGNORECASE)
BOUNDS = re.compile(r"# Out of bounds values\s*:\s*(\d+)")
AVERAGE = re.compile(rf"# Avg bus bandwidth\s*:\s*({VALUE})")
VERSION = re.compile(r"# nccl-tests version (\S+)")
WRONG = "drain the hosts, run dcgm.diag or gpu.rocm on each, then the collective on fewer of them"
SLOW = "run it on fewer hosts to find the one, then look at its links (infiniband.ports, dcgm.nvlink)"


def run_collective(ctx, params, program, key):
    """Run one collective, judge its bus bandwidth and its wrong values, and write the key."""
    own = gpu_count(params)
    done = completed(command(program, params, params["gpus"] or own), seconds=params["timeout"])
    found = table(done.stdout)
    if done.returncode and not found["wrong"]:  # it ends with an error where values are wrong
        raise ValueError(f"{program} {end_in_words(done.returncode)}: {complaint(done)}")
    if not found["sizes"]:
        raise ValueError(f"{program} printed no table: {complaint(done)}")
    ctx.set(key, found)
    if wrong := [*judged(ctx, found, params)]:
        raise Failed("; ".join(wrong))


def gpu_count(params):
    """How many GPUs of the maker the PCI bus has. Ends the step where there is none, or one that is alone."""
    maker, name = MAKERS[params["library"]]
    tree = HostFiles(params["root"])
    own = [each for each in devices(params["root"]).values() if each["id"].startswith(maker)]
    seen = sum((tree.text(each["folder"] + "class") or DISPLAY).startswith((DISPLAY, ACCELERATOR)) for each in own)
    if not seen:
        is_missing(name, params)
    if (params["gpus"] or seen) == 1 and len(params["hosts"]) < 2:
        is_missing("a second GPU, or a second one of `hosts`", params)
    return seen


def command(program, params, gpus):
    """The command line. Raises ValueError where the program is not there."""
    words = ["-b", params["shortest"], "-e", params["longest"], "-f", "2", "-c", "1"]
    path = find(program, params["folder"], FOLDERS[params["library"]], f"{params['library']}-tests")
    if not params["hosts"]:
        return [path, *words, "-g", str(gpus)]
    return [*mpirun(params["hosts"], gpus, params["mpirun"]), path, *words, "-g", "1"]


def table(text):
    """What was printed: `sizes` with busbw (GB/s) out of place and in place, `average` (GB/s), `wrong` (values).

    What is not told, or is no finite number, is None.
    """
    text = without_tags(text)
    sizes, wrong = {}, []
    for line in text.splitlines():
        row = ROW.match(line)
        sides = SIDES.search(row["rest"]) if row else None
        if sides and int(row["size"]):
            sizes[row["size"]] = {"busbw": number(sides["busbw"]), "busbw_in_place": number(sides["busbw_in"])}
            wrong.append([_wrong(sides[name]) for name in ("wrong", "wrong_in")])
    bounds, average, version = BOUNDS.search(text), AVERAGE.search(text), VERSION.search(text)
    return {
        "version": version[1] if version else None,
        "sizes": sizes,
        "average": number(average[1]) if average else None,
        "wrong": _all_wrong(wrong, bounds),
    }


def _all_wrong(rows, bounds):
    """How many values were wrong: the sum of the column, at least what the end says. None where some were not compared.

    In place, an all-to-all is never compared.
    """
    if bounds is None or any(told == [None, None] for told in rows):
        return None
    return max(sum(value for told in rows for value in told if value is not None), int(bounds[1]))


def _wrong(text):
    """A field of the column, None where nothing was compared.

    The column `error` of old versions is how far values were off: less than 1 is a rounding error.
    """
    if text.upper() == "N/A":
        return None
    value = number(text)
    return 1 if value is None else int(value)


def judged(ctx, found, params):
    """Judge what a collective has told; yields what is wrong. What it does not tell is wrong, even without limits."""
    if found["wrong"] is None:
        ctx.check("compared", False, eq=True)
        yield f"the collective has not said whether its values are right: {WRONG}"
    elif ctx.check("wrong", found["wrong"], "values", max=0) == "failed":
        yield f"wrong values: {found['wrong']}: {WRONG}"
    longest = max(found["sizes"], key=int)
    for size, told in found["sizes"].items():
        bound = params["min_busbw"] if size == longest else None
        yield from _rate(ctx, f"busbw.{size}", told["busbw"], bound, f"with {int(size):,} bytes")
    yield from _rate(ctx, "busbw_average", found["average"], params["min_average"], "over all sizes")


def _rate(ctx, name, value, bound, where):
    if value is None:
        ctx.check(f"told.{name}", False, eq=True)
        yield f"no bus bandwidth was told {where}: {SLOW}"
    elif judge(ctx, name, value, "GB/s", min=bound) == "failed":
        yield f"{value:g} GB/s {where}, at least {bound:g}: {SLOW}"
