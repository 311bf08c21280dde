# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a node's NVLinks carry traffic without errors, by what its DCGM exporter says."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.dcgm_metrics import few, read_exporter

BANDWIDTH = "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL"
CRC = ("DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL")
# DCGM's own health check fails on a single one of these (DcgmHealthWatch.cpp, DCGM_FR_NVLINK_ERROR_CRITICAL).
LOST = ("DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL")
WORDS = {CRC[0]: "crc_flit", CRC[1]: "crc_data", LOST[0]: "replay", LOST[1]: "recovery"}


class DcgmNvlink(Scriptlet):
    """Errors that NVLinks have counted since the driver was loaded, and whether one GPU alone carries nothing."""

    options = {
        "url": {"type": "str", "required": True},
        "max_crc": {
            "type": "int",
            "default": 100,
            "description": ("How many CRC errors of data and of flits may have been counted; fewer are marginal"),
            "unit": "errors",
            "source": (
                "what DCGM takes for bad within one second: DCGM_LIMIT_MAX_NVLINK_CRC_ERROR "
                "(https://github.com/NVIDIA/DCGM)"
            ),
        },
        "timeout": {"type": "float", "default": 5},
        "verify": {"type": "bool", "default": True},
    }
    reads = ()
    writes = {"dcgm.nvlink_v1": "For each GPU the metrics of its NVLinks by their names"}
    needs = ("NVIDIA's DCGM exporter on the node",)
    verdicts = {
        "failed": "too many errors were counted, or one GPU alone carries nothing",
        "marginal": "CRC errors were counted, fewer than the limit; or no GPU has carried anything yet",
        "skipped": "the node has one GPU",
        "error": "the exporter does not answer, or gives nothing about NVLinks",
    }
    example = """
        - name: nvlink
          module: dcgm.nvlink
          args: {url: "http://localhost:9400"}
    """

    def run(self, ctx, params):
        read = read_exporter(params)
        if len(read) == 1:
            raise Skipped("no such hardware: one GPU has no NVLinks to others")
        found = {gpu: {name: value for name, value in read[gpu].items() if "NVLINK" in name} for gpu in sorted(read)}
        ctx.set("dcgm.nvlink_v1", {f"gpu{gpu}": found[gpu] for gpu in found})
        wrong = [*_errors(ctx, found, params["max_crc"])]
        wrong += _silent(ctx, found)
        if wrong:
            raise Failed("; ".join(wrong))
        if not any(value is not None for metrics in found.values() for value in metrics.values()):
            raise ValueError("the exporter gives nothing about NVLinks: add them to its list of counters")


def _errors(ctx, found, max_crc):
    """Judge what the GPUs have counted; yields what is wrong, once for each kind of error."""
    for metric, word in WORDS.items():
        counted = {gpu: metrics[metric] for gpu, metrics in found.items() if metrics.get(metric) is not None}
        limits = {"max": max_crc, "warn": {"max": 0}} if metric in CRC else {"max": 0}
        bad = [gpu for gpu, value in counted.items() if _is_bad(ctx, f"nvlink_{word}.gpu{gpu}", value, limits)]
        if bad:
            kind, most = word.replace("crc_", "CRC "), max(counted[gpu] for gpu in bad)
            yield (
                f"{few(bad)}: {'up to ' if len(bad) > 1 else ''}{most:g} NVLink {kind} errors: drain the node, reseat "
                f"the GPU{'s' if len(bad) > 1 else ''} and the NVLink connections, and run the bandwidth test again"
            )


def _is_bad(ctx, name, value, limits):
    return ctx.check(name, value, "errors", **limits) == "failed"


def _silent(ctx, found):
    """Judge whether each GPU has carried anything, where any has; yields what is wrong."""
    carried = {gpu: metrics[BANDWIDTH] for gpu, metrics in found.items() if metrics.get(BANDWIDTH) is not None}
    if len(carried) < 2:
        return
    for gpu, value in carried.items():
        limits = {"min": 1} if any(carried.values()) else {"min": 0, "warn": {"min": 1}}
        ctx.check(f"nvlink_traffic.gpu{gpu}", value, **limits)
    silent = [gpu for gpu, value in carried.items() if not value]
    if silent and len(silent) < len(carried):
        yield f"the NVLinks of {few(silent)} carry nothing: reseat the GPU and the NVLink connections"
