# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether all GPUs of AMD are there and healthy, by `rocm-smi`."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.commands import run_json
from scriptlets.tools.gpu_count import judge_count
from scriptlets.tools.limits import judge
from scriptlets.tools.pci_devices import devices

QUERY = (
    "rocm-smi", "--showtemp", "--showpower", "--showreplaycount", "--showmeminfo", "vram", "--showvbios",
    "--showserial", "--showproductname", "--showdriverversion", "--showbus", "--json",
)  # fmt: skip
VENDOR = "1002:"
CARD = re.compile(r"card\d+")
# name -> the names that rocm-smi has had for it
FIELDS = {
    "junction_celsius": ("Temperature (Sensor junction) (C)",),
    "memory_celsius": ("Temperature (Sensor memory) (C)",),
    "watts": ("Average Graphics Package Power (W)", "Current Socket Graphics Package Power (W)"),
    "pcie_replays": ("PCIe Replay Count",),
    "used_bytes": ("VRAM Total Used Memory (B)",),
    "total_bytes": ("VRAM Total Memory (B)",),
}
TEXTS = {
    "product": ("Card series", "Card Series"), "serial": ("Serial Number",), "vbios": ("VBIOS version",),
    "bus": ("PCI Bus",),
}  # fmt: skip
COOL = "look at the fans, the coolant and the air"
MIB = 2**20


class GpuRocm(Scriptlet):
    """The number of GPUs of AMD, their temperatures, replays on the PCIe link, memory in use, firmware and driver.

    GPUs of one product with different firmware are always wrong.
    """

    options = {
        "expected": {"type": "int", "description": "How many GPUs there are", "unit": "GPUs"},
        "driver": {"type": "str", "description": "Pattern of the version of the driver (amdgpu)"},
        "vbios": {"type": "str", "description": "Pattern of the version of the firmware (VBIOS)"},
        "max_celsius": {"type": "float", "description": "How hot the junction of a GPU may be", "unit": "Cel"},
        "max_memory_celsius": {"type": "float", "description": "How hot its memory may be", "unit": "Cel"},
        "max_replays": {
            "type": "int",
            "default": 0,
            "description": "How often what was sent over the PCIe link may have been sent again, since the start",
            "unit": "times",
            "source": "a link in order does not need it",
        },
        "max_used_mib": {
            "type": "float",
            "description": "How much memory may be in use; the driver keeps some for itself",
            "unit": "MiB",
        },
        "timeout": {"type": "float", "default": 60, "description": "How long rocm-smi may take", "unit": "s"},
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/"},
    }
    reads = ()
    writes = {
        "gpu.rocm_v1": (
            "`driver`, and for each card junction_celsius, memory_celsius (Cel), watts (W), pcie_replays, used_bytes "
            "and total_bytes (bytes), product, serial, vbios and bus; null for what rocm-smi does not tell"
        )
    }
    needs = ("rocm-smi of ROCm",)
    verdicts = {
        "failed": "GPUs are missing, or one is beyond a limit or has another driver or firmware",
        "skipped": "the host has no GPU of AMD (failed with `absent: fail`)",
        "error": "rocm-smi does not answer, or tells of no GPU",
    }
    example = """
        - name: gpus
          module: gpu.rocm
          args: {expected: 8, max_celsius: 95, max_memory_celsius: 95}
    """

    def run(self, ctx, params):
        there = devices(params["root"]).values()
        if not any(device["id"].startswith(VENDOR) and not device["is_bridge"] for device in there):
            is_missing("a GPU of AMD", params)
        told = run_json(QUERY, seconds=params["timeout"]) or {}
        found = {name: card(values) for name, values in told.items() if CARD.fullmatch(name)}
        driver = (told.get("system") or {}).get("Driver version")
        ctx.set("gpu.rocm_v1", {"driver": driver, "cards": found})
        if not found:
            raise ValueError("rocm-smi tells of no GPU: look at the driver (amdgpu) in the kernel's log")
        wrong = [*judge_count(ctx, len(found), params["expected"]), *_driver(ctx, driver, params["driver"])]
        wrong += _vbios(ctx, found, params["vbios"])
        for name, values in found.items():
            wrong += _judge(ctx, name, values, params)
        if wrong:
            raise Failed("; ".join(wrong))


def card(values):
    """The numbers and texts of a card; None for what rocm-smi does not tell."""
    return {
        **{name: _number_of(values, names) for name, names in FIELDS.items()},
        **{name: next((values[each] for each in names if values.get(each) not in (None, "N/A")), None)
           for name, names in TEXTS.items()},
    }  # fmt: skip


def _number_of(values, names):
    for name in names:
        try:
            return float(values[name])
        except (KeyError, TypeError, ValueError):
            continue
    return None


def _driver(ctx, driver, expected):
    if expected is not None and ctx.check("driver", fnmatchcase(driver or "", expected), eq=True) == "failed":
        yield f"the driver is {driver}, expected {expected}: install that driver and restart the node"


def _vbios(ctx, found, expected):
    """Judge the firmware; yields what is wrong."""
    versions = {name: values["vbios"] for name, values in found.items() if values["vbios"]}
    kinds = {(found[name]["product"], version) for name, version in versions.items()}
    mixed = len(kinds) - len({product for product, _version in kinds})
    if ctx.check("mixed_vbios", mixed, "versions", max=0) == "failed":
        yield f"GPUs of one product have different firmware ({', '.join(sorted(set(versions.values())))}): update it"
    for name, version in versions.items():
        if expected is not None and ctx.check(f"vbios.{name}", fnmatchcase(version, expected), eq=True) == "failed":
            yield f"{name} has firmware {version}, expected {expected}: update the firmware of the GPU"


def _judge(ctx, name, values, params):
    """Judge one card; yields what is wrong."""
    used = values["used_bytes"]
    for key, value, unit, limit, action in (
        ("junction", values["junction_celsius"], "C", params["max_celsius"], COOL),
        ("memory", values["memory_celsius"], "C", params["max_memory_celsius"], COOL),
        ("replays", values["pcie_replays"], "times", params["max_replays"], "reseat the card and its riser"),
        ("used", None if used is None else round(used / MIB, 1), "MiB", params["max_used_mib"],
         "end what is left of a job"),
    ):  # fmt: skip
        if value is not None and judge(ctx, f"{key}.{name}", value, unit, max=limit) == "failed":
            yield f"{name}: {key} is {value:g} {unit}, expected {limit:g} {unit} at most: {action}"
