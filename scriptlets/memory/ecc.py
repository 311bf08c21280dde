# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory errors that the memory controllers have counted (EDAC)."""

from __future__ import annotations

from rack_recipes import Failed, HostFiles, Scriptlet
from scriptlets.tools.absent_hardware import is_missing

CONTROLLERS = "sys/devices/system/edac/mc/"  # Documentation/ABI/testing/sysfs-devices-edac of Linux
DAY = 86400


class MemoryEcc(Scriptlet):
    """Corrected and uncorrected errors of each memory module, as the memory controllers have counted them (EDAC)."""

    options = {
        "max_corrected": {
            "type": "float",
            "default": 50,
            "description": (
                "How many corrected errors a module may have in a day; a count younger than a day is taken as "
                "that of a day. A single one is marginal"
            ),
            "unit": "1/d",
            "source": (
                "where rasdaemon gives a page up: PAGE_CE_THRESHOLD, 50 in 24 hours "
                "(https://github.com/mchehab/rasdaemon/blob/master/misc/rasdaemon.env)"
            ),
        },
        "max_uncorrected": {
            "type": "int",
            "default": 0,
            "description": "How many uncorrected errors",
            "unit": "errors",
            "source": "a healthy module has none",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {
            "type": "path",
            "default": "/",
            "description": "The folder that has /sys; another one for tests",
        },
    }
    reads = ()
    writes = {
        "memory.ecc_v1": (
            "For each controller its driver, the `seconds` that it has counted for (s), and `modules` with "
            "corrected and uncorrected (errors)"
        )
    }
    needs = ("a driver of the memory controller (EDAC), which most virtual machines do not have",)
    verdicts = {
        "failed": "a module has too many errors",
        "marginal": "a module has corrected errors, fewer than the limit",
        "skipped": "no controller counts errors (failed with `absent: fail`)",
        "error": "a controller tells no counters",
    }
    example = """
        - name: ecc
          module: memory.ecc
    """

    def run(self, ctx, params):
        tree = HostFiles(params["root"])
        names = [name for name in tree.names(CONTROLLERS) if name.startswith("mc")]
        found = {name: controller(tree, f"{CONTROLLERS}{name}/") for name in names}
        if not found:
            is_missing("a memory controller that counts errors (EDAC)", params)
        ctx.set("memory.ecc_v1", found)
        silent = [name for name, own in found.items() if own["seconds"] is None or not own["modules"]]
        if silent:
            raise ValueError(f"{', '.join(silent)} tells no counters: look at its driver in the kernel's log")
        wrong = [said for own in found.values() for said in _judge(ctx, own, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def controller(tree, folder):
    """The driver of a controller, for how many `seconds` it has counted, and its modules by label."""
    modules = {}
    for name in tree.names(folder):
        if name.startswith(("dimm", "rank")):
            modules.update(_module(tree, f"{folder}{name}/dimm_", name))
        elif name.startswith("csrow"):
            modules.update(_channels(tree, f"{folder}{name}/", name))
    modules["(unknown)"] = {
        "corrected": tree.number(f"{folder}ce_noinfo_count") or 0,
        "uncorrected": tree.number(f"{folder}ue_noinfo_count") or 0,
    }
    known = {label: counts for label, counts in modules.items() if label != "(unknown)"}
    return {
        "driver": tree.text(f"{folder}mc_name"),
        "seconds": tree.number(f"{folder}seconds_since_reset"),
        "modules": modules if known else {},
    }


def _module(tree, start, name):
    """One module of Linux 3.6 and later, with its label."""
    counts = {"corrected": tree.number(f"{start}ce_count"), "uncorrected": tree.number(f"{start}ue_count")}
    return {tree.text(f"{start}label") or name: counts} if None not in counts.values() else {}


def _channels(tree, folder, name):
    """The channels of a row, in a kernel that has only them; uncorrected errors count for the row."""
    if any(each.startswith(("dimm", "rank")) for each in tree.names(folder.rsplit("/", 2)[0])):
        return {}
    channels = [each[: -len("_ce_count")] for each in tree.names(folder) if each.endswith("_ce_count")]
    found = {}
    for channel in (each for each in channels if each.startswith("ch")):
        label = tree.text(f"{folder}{channel}_dimm_label") or f"{name}.{channel}"
        found[label] = {
            "corrected": tree.number(f"{folder}{channel}_ce_count"), "uncorrected": tree.number(f"{folder}ue_count")
        }  # fmt: skip
    return found


def _judge(ctx, own, params):
    """Judge the modules of one controller; yields what is wrong."""
    days = max(own["seconds"], DAY) / DAY
    for label, counts in own["modules"].items():
        rate, lost = round(counts["corrected"] / days, 2), counts["uncorrected"]
        warn = {"max": 0}
        if ctx.check(f"uncorrected.{label}", lost, "errors", max=params["max_uncorrected"]) == "failed":
            yield f"{label} has {lost} uncorrected memory errors: take the host out of service and replace the module"
        if ctx.check(f"corrected.{label}", rate, "1/d", max=params["max_corrected"], warn=warn) == "failed":
            yield f"{label} corrects {rate:g} memory errors a day: reseat the module; replace it if they come back"
