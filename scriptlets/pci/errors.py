# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors that PCIe devices have counted (Advanced Error Reporting)."""

from __future__ import annotations

import time

from rack_recipes import Failed, HostFiles, Scriptlet
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.limits import judge
from scriptlets.tools.pci_devices import devices

# Documentation/ABI/testing/sysfs-bus-pci-devices-aer_stats of Linux: a file a severity, its last line is the sum.
FILES = {"correctable": "aer_dev_correctable", "nonfatal": "aer_dev_nonfatal", "fatal": "aer_dev_fatal"}
TOTAL = "TOTAL_ERR_"
ADVICE = {
    "correctable": "reseat the card and its riser, and clean the contacts; watch it",
    "nonfatal": "reseat the card and its riser; if errors come back, replace the card",
    "fatal": "take the host out of service, reseat the card and its riser; if errors come back, replace the card",
}


class PciErrors(Scriptlet):
    """Errors that PCIe devices have counted (Advanced Error Reporting), by severity.

    They are those since the host was started, or with `seconds` those within this time, best under load. Errors
    that were corrected cost only time.
    """

    options = {
        "max_correctable": {
            "type": "int",
            "description": "Where corrected errors fail; one of them is marginal",
            "unit": "errors",
        },
        "max_nonfatal": {
            "type": "int",
            "default": 0,
            "description": "How many uncorrected errors that left the device in use",
            "unit": "errors",
            "source": "a healthy device has none",
        },
        "max_fatal": {
            "type": "int",
            "default": 0,
            "description": "How many fatal errors",
            "unit": "errors",
            "source": "a healthy device has none",
        },
        "seconds": {
            "type": "float",
            "default": 0,
            "min": 0,
            "max": 86_400,
            "description": "For how long is looked; 0 takes what was counted since the start",
            "unit": "s",
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Addresses, or VENDOR:DEVICE, of devices that do not count",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/"},
    }
    reads = ()
    writes = {
        "pci.errors_v1": (
            "For each device with errors its id, `correctable`, `nonfatal` and `fatal` (errors), and `kinds`: "
            "the errors by SEVERITY.NAME"
        )
    }
    needs = ("PCIe devices that report errors (AER)",)
    verdicts = {
        "failed": "a device has counted too many errors",
        "marginal": "a device has corrected errors",
        "skipped": "no device counts errors (failed with `absent: fail`)",
    }
    example = """
        - name: pci_errors
          module: pci.errors
    """

    def run(self, ctx, params):
        before = counted(params["root"])
        if not before:
            is_missing("a PCIe device that counts errors (AER)", params)
        if params["seconds"]:
            time.sleep(params["seconds"])
        found = grown(before, counted(params["root"])) if params["seconds"] else before
        found = {name: device for name, device in found.items() if not {name, device["id"]} & set(params["ignore"])}
        ctx.set("pci.errors_v1", {name: device for name, device in found.items() if any(device["kinds"].values())})
        wrong = [said for severity in FILES for said in _judge(ctx, severity, found, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def counted(root):
    """ADDRESS -> `id`, the sum of each severity, and `kinds`: the errors by SEVERITY.NAME that are more than none."""
    tree, found = HostFiles(root), {}
    for name, device in devices(root).items():
        counters = {severity: tree.fields(device["folder"] + file, " ") for severity, file in FILES.items()}
        sums = {severity: total(lines) for severity, lines in counters.items()}
        if None not in sums.values():
            found[name] = {"id": device["id"], **sums, "kinds": kinds(counters)}
    return found


def total(lines):
    """The sum of a severity; None where the device does not count it."""
    return next((int(value) for name, value in lines if name.startswith(TOTAL) and value.isdecimal()), None)


def kinds(counters):
    """What was counted, by SEVERITY.NAME."""
    return {
        f"{severity}.{name}": int(value)
        for severity, lines in counters.items()
        for name, value in lines
        if value.isdecimal() and int(value) and not name.startswith(TOTAL)
    }


def grown(before, after):
    """What has been counted between two looks; a device that has come or gone meanwhile is left out."""
    return {
        name: {
            "id": device["id"],
            **{severity: device[severity] - before[name][severity] for severity in FILES},
            "kinds": {kind: many - before[name]["kinds"].get(kind, 0) for kind, many in device["kinds"].items()},
        }
        for name, device in after.items()
        if name in before
    }


def _judge(ctx, severity, found, params):
    """Judge one severity over all devices; yields what is wrong, by device."""
    limit = params[f"max_{severity}"]
    warn = {"max": 0} if severity == "correctable" else None
    judge(ctx, severity, sum(device[severity] for device in found.values()), "errors", **_limits(limit, warn))
    if limit is None or sum(device[severity] for device in found.values()) <= limit:
        return
    for name, device in found.items():
        if device[severity]:
            told = ", ".join(
                f"{kind.partition('.')[2]} {many}"
                for kind, many in device["kinds"].items()
                if many and kind.startswith(f"{severity}.")
            )
            yield f"{name} ({device['id']}) has counted {severity} PCIe errors ({told}): {ADVICE[severity]}"


def _limits(limit, warn):
    """A limit with what is marginal below it; without a limit any number is at most marginal."""
    return {"max": limit, "warn": warn} if limit is not None else {"min": 0, "warn": warn}
