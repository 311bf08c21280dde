# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a node's GPUs are all there and healthy, by what its DCGM exporter says."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.dcgm_metrics import few, read_exporter
from scriptlets.tools.xids import meaning as meaning_of

XID = "DCGM_FI_DEV_XID_ERRORS"
# metric -> name of the check, its unit, what it means, what to do
FAULTS = {
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": (
        "ecc_double_bit", "errors", "{value:g} double-bit memory errors",
        "drain the node and reset the GPU; if they come back, replace it",
    ),
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": (
        "row_remap_failed", "", "a bad row of memory could not be remapped", "drain the node and replace the GPU",
    ),
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": (
        "rows_remapped", "rows", "{value:g} rows of memory were remapped after uncorrectable errors",
        "drain the node, reset the GPU and run the memory test; replace it if the number grows",
    ),
}  # fmt: skip


class DcgmGpus(Scriptlet):
    """GPUs that are seen, the last XID error of each, and the state of its memory.

    An exporter that does not give XID errors is an error: nothing is known then. What else it does not give is not
    judged.
    """

    options = {
        "url": {"type": "str", "required": True},
        "expected": {
            "type": "int",
            "required": True,
            "description": "How many GPUs the node must have",
            "unit": "GPUs",
        },
        "timeout": {"type": "float", "default": 5},
        "verify": {"type": "bool", "default": True},
    }
    reads = ()
    writes = {
        "dcgm.gpus_v1": ("For each GPU the metrics of the exporter by their names, such as DCGM_FI_DEV_XID_ERRORS")
    }
    needs = ("NVIDIA's DCGM exporter on the node",)
    verdicts = {
        "failed": "a GPU is missing, has had an XID error, or its memory has failed",
        "error": "the exporter does not answer, or does not give XID errors",
    }
    example = """
        - name: gpus
          module: dcgm.gpus
          args: {url: "http://localhost:9400", expected: 8}
    """

    def run(self, ctx, params):
        found = read_exporter(params)
        ctx.set("dcgm.gpus_v1", {f"gpu{number}": found[number] for number in sorted(found)})
        wrong = [*_seen(ctx, found, params["expected"])]
        for number in sorted(found):
            wrong += _judged(ctx, number, found[number])
        if wrong:
            raise Failed("; ".join(wrong))
        if not found and params["expected"]:
            raise ValueError(f"{params['url']} gives no metrics of any GPU: check that DCGM runs on the node")
        silent = [number for number in sorted(found) if found[number].get(XID) is None]
        if silent:
            raise ValueError(f"the exporter does not give {XID} of {few(silent)}: add it to its list of counters")


def _seen(ctx, found, expected):
    """Judge how many GPUs there are; yields what is wrong."""
    if ctx.check("gpus", len(found), "GPUs", eq=expected) != "failed":
        return
    missing = sorted({*range(expected)} - {*found})
    if missing:
        which = few(missing) if found else f"all {expected} GPUs"
        yield f"{len(found)} of {expected} GPUs are seen: power the node off and on, then reseat or replace {which}"
    else:
        extra = few([*found][expected:])
        yield f"{len(found)} GPUs are seen, {expected} planned: correct the plan, or take out {extra}"


def _judged(ctx, number, metrics):
    """Judge one GPU; yields what is wrong with it."""
    xid = metrics.get(XID)
    if xid is not None and ctx.check(f"xid.gpu{number}", int(xid), eq=0) == "failed":
        meaning, action = meaning_of(int(xid))
        yield f"GPU {number}: XID {int(xid)}{meaning and f' ({meaning})'}: {action}"
    for metric, (name, unit, said, action) in FAULTS.items():
        value = metrics.get(metric)
        if value is not None and ctx.check(f"{name}.gpu{number}", value, unit, max=0) == "failed":
            yield f"GPU {number}: {said.format(value=value)}: {action}"
