# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether all GPUs of a node are there and healthy, by NVIDIA's driver."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.gpu_count import judge_count
from scriptlets.tools.limits import in_words, judge
from scriptlets.tools.nvidia_smi import field, gpus, number

RESET = "drain the node and reset the GPU; if it comes back, replace the GPU"
# check -> the fields that tell it, what is healthy, what to do otherwise
STATES = {
    "row_remap_pending": (("remapped_rows/remapped_row_pending",), "No", "reset the GPU to use the spare row"),
    "row_remap_failed": (("remapped_rows/remapped_row_failure",), "No", "drain the node and replace the GPU"),
    "page_retirement_pending": (
        ("retired_pages/pending_retirement", "retired_pages/pending_blacklist"), "No", "restart the node",
    ),
    "reset_required": (("gpu_reset_status/reset_required",), "No", "drain the node and reset the GPU"),
    "reset_recommended": (
        ("gpu_reset_status/drain_and_reset_recommended",), "No", "drain the node and reset the GPU",
    ),
    "recovery_action": (("gpu_recovery_action",), "None", "do that: reset the GPU, or drain or restart the node"),
}  # fmt: skip
# reasons for lower clocks that nobody has chosen, and what to do; their names began in another way once
SLOWDOWNS = {
    "hw_slowdown": "look at cooling and power of the GPU",
    "hw_thermal_slowdown": "look at the fans, the coolant and the heat sink of the GPU",
    "hw_power_brake_slowdown": "look at the power supplies of the node, and at their limits",
    "sw_thermal_slowdown": "look at the fans, the coolant and the temperature of the air",
}
REASONS = ("clocks_event_reasons/clocks_event_reason_", "clocks_throttle_reasons/clocks_throttle_reason_")
UNCORRECTED = ("dram_uncorrectable", "sram_uncorrectable", "sram_uncorrectable_parity", "sram_uncorrectable_secded")
CORRECTED = ("dram_correctable", "sram_correctable")
POWER = (
    "gpu_power_readings/average_power_draw", "gpu_power_readings/power_draw", "power_readings/power_draw",
)  # fmt: skip
UNITS = {"uncorrected": "errors", "corrected": "errors", "retired": "pages"}
RETIRED = ("multiple_single_bit_retirement", "double_bit_retirement")


class GpuHealth(Scriptlet):
    """Whether all GPUs of a node are there and healthy, by NVIDIA's driver.

    Errors are those since the driver was loaded. What a GPU does not tell is not judged.
    """

    options = {
        "expected": {
            "type": "int",
            "description": "How many GPUs there must be",
            "unit": "GPUs",
        },
        "max_uncorrected": {
            "type": "int",
            "default": 0,
            "description": "How many uncorrected errors of its memory a GPU may have",
            "unit": "errors",
            "source": "a healthy GPU has none",
        },
        "max_corrected": {
            "type": "int",
            "description": "How many corrected ones",
            "unit": "errors",
        },
        "max_retired": {
            "type": "int",
            "description": "How many pages or rows of memory may be retired",
            "unit": "pages",
        },
        "max_celsius": {
            "type": "float",
            "description": "The highest temperature; by default where the GPU slows itself down",
            "unit": "Cel",
        },
        "min_watts": {
            "type": "float",
            "description": "The least power that each GPU must take, such as under load",
            "unit": "W",
        },
        "max_watts": {"type": "float", "description": "The power that each GPU may take", "unit": "W"},
        "timeout": {"type": "float", "default": 60},
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/"},
    }
    reads = ()
    writes = {
        "gpu.health_v1": (
            "For each GPU, by its address, product, serial, states, slowdowns, uncorrected and corrected "
            "(errors), retired (pages), temperatures (Cel) and watts (W)"
        )
    }
    needs = ("nvidia-smi of NVIDIA's driver",)
    verdicts = {
        "failed": "a GPU is missing, has errors, waits for a reset, is slowed down, or too hot",
        "skipped": "the host has no GPU (failed with `absent: fail`)",
        "error": "nvidia-smi does not answer",
    }
    example = """
        - name: gpus
          module: gpu.health
          args: {expected: 8}
    """

    def run(self, ctx, params):
        there = gpus(params)
        found = {name: told(gpu) for name, gpu in there.items()}
        ctx.set("gpu.health_v1", found)
        wrong = [*judge_count(ctx, len(found), params["expected"])]
        for name, gpu in found.items():
            wrong += [*_states(ctx, name, gpu), *_counts(ctx, name, gpu, params), *_heat(ctx, name, gpu, params)]
            wrong += _power(ctx, name, gpu["watts"], {"min": params["min_watts"], "max": params["max_watts"]})
        if wrong:
            raise Failed("; ".join(wrong))


def told(gpu):
    """What a GPU tells of its health; None for what it does not tell."""
    return {
        "product": field(gpu, "product_name"),
        "serial": field(gpu, "serial"),
        **{name: field(gpu, *paths) for name, (paths, _healthy, _action) in STATES.items()},
        **{name: field(gpu, *(start + name for start in REASONS)) for name in SLOWDOWNS},
        "uncorrected": _sum(gpu, [f"ecc_errors/volatile/{name}" for name in UNCORRECTED]),
        "corrected": _sum(gpu, [f"ecc_errors/volatile/{name}" for name in CORRECTED]),
        "retired": _sum(gpu, [f"retired_pages/{name}/retired_count" for name in RETIRED]),
        "celsius": number(gpu, "temperature/gpu_temp"),
        "slows_at_celsius": number(gpu, "temperature/gpu_temp_slow_threshold"),
        "memory_celsius": number(gpu, "temperature/memory_temp"),
        "watts": number(gpu, *POWER),
    }


def _sum(gpu, paths):
    known = [value for value in (number(gpu, path) for path in paths) if value is not None]
    return int(sum(known)) if known else None


def _states(ctx, name, gpu):
    """Judge what waits for a reset and what slows a GPU down; yields what is wrong."""
    for state, (_paths, healthy, action) in STATES.items():
        if gpu[state] is not None and ctx.check(f"{state}.{name}", gpu[state], eq=healthy) == "failed":
            yield f"GPU {name}: {state.replace('_', ' ')} is {gpu[state]}: {action}"
    for reason, action in SLOWDOWNS.items():
        if gpu[reason] is not None and ctx.check(f"{reason}.{name}", gpu[reason], eq="Not Active") == "failed":
            yield f"GPU {name}: its clocks are lowered ({reason.replace('_', ' ')}): {action}"


def _counts(ctx, name, gpu, params):
    """Judge what a GPU has counted; yields what is wrong."""
    for key, what, action in (
        ("uncorrected", "memory errors that were not corrected", RESET),
        ("corrected", "corrected memory errors", "run the memory test; replace the GPU if the number grows"),
        ("retired", "retired pages of memory", "drain the node and replace the GPU"),
    ):
        limit = params[f"max_{key}"]
        if gpu[key] is not None and judge(ctx, f"{key}.{name}", gpu[key], UNITS[key], max=limit) == "failed":
            yield f"GPU {name}: {gpu[key]} {what}: {action}"


def _heat(ctx, name, gpu, params):
    """Judge the temperature; yields what is wrong."""
    limit = gpu["slows_at_celsius"] if params["max_celsius"] is None else params["max_celsius"]
    if gpu["celsius"] is not None and judge(ctx, f"celsius.{name}", gpu["celsius"], "C", max=limit) == "failed":
        yield f"GPU {name}: {gpu['celsius']:g} °C (limit: max {limit:g} °C): look at the fans, the coolant and the air"


def _power(ctx, name, watts, given):
    """Judge the power; yields what is wrong. Raises ValueError where that is wanted and the GPU does not tell it."""
    limits = {word: limit for word, limit in given.items() if limit is not None}
    if watts is None:
        if limits:
            raise ValueError(f"GPU {name} does not tell its power: leave min_watts and max_watts out")
        return
    if judge(ctx, f"watts.{name}", watts, "W", **limits) == "failed":
        yield f"GPU {name} takes {watts:g} W, expected {in_words(limits)}: look at its load and its power limit"
