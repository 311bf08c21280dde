# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the GPUs of a node are set up as expected, by NVIDIA's driver."""

from __future__ import annotations

from fnmatch import fnmatchcase

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.nvidia_smi import field, gpus

SETTINGS = {
    "driver": ("driver_version",),
    "product": ("product_name",),
    "vbios": ("vbios_version",),
    "gsp_firmware": ("gsp_firmware_version",),
    "inforom": ("inforom_version/img_version",),
    "persistence": ("persistence_mode",),
    "compute_mode": ("compute_mode",),
    "ecc": ("ecc_mode/current_ecc",),
    "mig": ("mig_mode/current_mig",),
    "power_limit": ("gpu_power_readings/current_power_limit", "power_readings/power_limit"),
    "default_power_limit": ("gpu_power_readings/default_power_limit", "power_readings/default_power_limit"),
    "max_graphics_clock": ("max_clocks/graphics_clock",),
    "application_clock": ("applications_clocks/graphics_clock",),
    "memory_size": ("fb_memory_usage/total",),
    "fabric_state": ("fabric/state",),
    "fabric_status": ("fabric/status",),
}
PENDING = {"ecc": ("ecc_mode/pending_ecc",), "mig": ("mig_mode/pending_mig",)}
ADVICE = {
    "driver": "install that driver and restart the node",
    "vbios": "update the firmware of the GPU",
    "gsp_firmware": "install the driver again",
    "persistence": "start nvidia-persistenced",
    "ecc": "`nvidia-smi -e 1` (or 0), then reset the GPU",
    "mig": "`nvidia-smi -mig 1` (or 0), then reset the GPU",
    "power_limit": "`nvidia-smi -pl WATTS`; look at what sets it at the start",
    "fabric_state": "start nvidia-fabricmanager, and read its log",
    "fabric_status": "start nvidia-fabricmanager, and read its log",
}


class GpuSettings(Scriptlet):
    """Whether the driver, firmware, modes, power limit and clocks of GPUs are as expected.

    A setting that waits for a reset (ECC, MIG) is always wrong, and so are two GPUs of one product that differ in
    their firmware.
    """

    options = {
        "expected": {
            "type": "dict",
            "default": {},
            "description": (
                'NAME -> pattern of the value, as `nvidia-smi -q` prints it with its unit: {power_limit: "700.00 W"}'
            ),
        },
        "timeout": {"type": "float", "default": 60},
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/"},
    }
    reads = ()
    writes = {
        "gpu.settings_v1": ("For each GPU, by its address, its settings by name, with the units that nvidia-smi prints")
    }
    needs = ("nvidia-smi of NVIDIA's driver",)
    verdicts = {
        "failed": "a setting is not as expected, waits for a reset, or firmware differs between GPUs",
        "skipped": "the host has no GPU (failed with `absent: fail`)",
        "error": "nvidia-smi does not answer, or does not tell a setting that is expected",
    }
    example = """
        - name: settings
          module: gpu.settings
          args:
            expected: {power_limit: "700.00 W"}
    """

    def validate(self, ctx, params):
        unknown = sorted(set(params["expected"]) - set(SETTINGS))
        if unknown:
            raise ValueError(f"expected: {', '.join(unknown)} is no setting, expected one of {', '.join(SETTINGS)}")

    def run(self, ctx, params):
        there = gpus(params)
        found = {name: {key: field(gpu, *paths) for key, paths in SETTINGS.items()} for name, gpu in there.items()}
        ctx.set("gpu.settings_v1", found)
        wrong = [*_alike(ctx, found)]
        for name, gpu in there.items():
            wrong += [*_expected(ctx, name, found[name], params["expected"]), *_pending(ctx, name, gpu, found[name])]
        if wrong:
            raise Failed("; ".join(wrong))
        _all_told(found, params["expected"])


def _alike(ctx, found):
    """Judge whether GPUs of one product have one firmware; yields what is wrong."""
    for key in ("vbios", "inforom"):
        versions = {}
        for name, own in found.items():
            versions.setdefault(own["product"], {}).setdefault(own[key], []).append(name)
        mixed = {product: names for product, names in versions.items() if len(names) > 1}
        ctx.check(f"products_with_mixed_{key}", len(mixed), "products", max=0)
        for product, names in mixed.items():
            few = min(names, key=lambda version: len(names[version]))
            yield f"{product}: {key} is {few} on {', '.join(names[few])}, and another on the rest: update the firmware"


def _expected(ctx, name, own, expected):
    """Judge the settings of one GPU; yields what is wrong."""
    for key, wanted in expected.items():
        value = own[key]
        if value is None:
            continue
        if ctx.check(f"{key}.{name}", fnmatchcase(value, str(wanted)), eq=True) == "failed":
            action = ADVICE.get(key, "compare it with the plan")
            yield f"GPU {name}: {key.replace('_', ' ')} is {value}, expected {wanted}: {action}"


def _pending(ctx, name, gpu, own):
    """Judge what waits for a reset; yields what is wrong."""
    for key, paths in PENDING.items():
        pending = field(gpu, *paths)
        if pending and own[key] and ctx.check(f"{key}_pending.{name}", pending, eq=own[key]) == "failed":
            yield f"GPU {name}: {key.upper()} is {own[key]}, and will be {pending}: reset the GPU"


def _all_told(found, expected):
    """Raises ValueError where a GPU does not tell a setting that is expected."""
    silent = sorted(f"{name} {key}" for name, own in found.items() for key in expected if own[key] is None)
    if silent:
        raise ValueError(f"nvidia-smi does not tell {', '.join(silent)}: leave it out, or update the driver")
