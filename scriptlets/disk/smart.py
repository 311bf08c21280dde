# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health of SATA and SAS drives, by what they tell of themselves (SMART)."""

from __future__ import annotations

import re

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.smartctl import report, scan

WORDS = ("-i", "-H", "-A", "-l", "error", "-l", "ssd")
# attributes of SATA drives -> what they count
SECTORS = {5: "reallocated", 197: "pending", 198: "uncorrectable"}
# Attributes of SATA SSDs whose value goes down from 100, for versions of smartctl that do not tell the wear.
LIFE_LEFT = ("Media_Wearout_Indicator", "Percent_Lifetime_Remain", "SSD_Life_Left", "Wear_Leveling_Count")
# key -> its unit, the option with its limit, what to do
LIMITS = {
    "reallocated": ("sectors", "max_reallocated", "copy its data, then replace the drive"),
    "pending": ("sectors", "max_pending", "write over the drive and look again; if they stay, replace it"),
    "uncorrectable": ("errors", "max_uncorrectable", "copy its data, then replace the drive"),
    "used": ("%", "max_used", "it is worn out: replace the drive"),
}


class DiskSmart(Scriptlet):
    """Health, failing attributes, bad sectors, wear and temperature of each SATA and SAS drive.

    A drive that does not tell its health is an error. What else it does not tell is not judged.
    """

    options = {
        "devices": {
            "type": "list",
            "elements": "str",
            "description": (
                'Drives that must be there: /dev/sda, or "/dev/bus/0 megaraid,4" behind a controller; by '
                "default all that smartctl finds"
            ),
        },
        "max_reallocated": {
            "type": "int",
            "default": 0,
            "description": "How many sectors may have been replaced",
            "unit": "sectors",
            "source": (
                "any is a reason to look closer "
                "(https://www.backblaze.com/blog/what-smart-stats-indicate-hard-drive-failures/)"
            ),
        },
        "max_pending": {
            "type": "int",
            "default": 0,
            "description": "How many sectors may wait to be replaced",
            "unit": "sectors",
            "source": "as for max_reallocated",
        },
        "max_uncorrectable": {
            "type": "int",
            "default": 0,
            "description": "How many sectors may have been lost",
            "unit": "errors",
            "source": "as for max_reallocated",
        },
        "max_used": {
            "type": "int",
            "default": 99,
            "description": "How much of its wear an SSD may have had",
            "unit": "%",
            "source": (
                "at 100 % it has had the writes up to which it meets its requirements, its endurance rating (JESD218, "
                "https://docslib.org/doc/5557459/jedec-ssd-specifications-explained)"
            ),
        },
        "max_celsius": {
            "type": "float",
            "default": 60,
            "description": "The highest temperature of a drive that tells no limit of its own",
            "unit": "Cel",
            "source": (
                "disks for servers are made for 5 to 60 ("
                "https://www.datacenterdynamics.com/en/opinions/the-effects-of-high-temperatures-on-hard-drives/)"
            ),
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
    }
    reads = ()
    writes = {
        "disk.smart_v1": (
            "For each drive model, serial, is_healthy, failing (attributes), reallocated, pending and "
            "uncorrectable (sectors), used (%), celsius, own_max_celsius and power_on_hours (h); null for "
            "what it does not tell"
        )
    }
    needs = (
        "root",
        "smartctl 7 or newer (Debian: smartmontools)",
    )
    verdicts = {
        "failed": "a drive is not healthy, has bad sectors, is worn out or too hot",
        "skipped": "there is no such drive (failed with `absent: fail`)",
        "error": "a drive could not be read",
    }
    example = """
        - name: smart
          module: disk.smart
          become: true
          args: {absent: fail}
    """

    def run(self, ctx, params):
        given = [(device, kind) for device, _space, kind in (name.partition(" ") for name in params["devices"] or ())]
        drives = given or [each for each in scan() if each[1] != "nvme"]
        if not drives:
            is_missing("a SATA or SAS drive", params)
        found, unread = _asked(drives)
        ctx.set("disk.smart_v1", found)
        wrong = [said for name, drive in found.items() for said in _judge(ctx, name, drive, params)]
        if wrong:
            raise Failed("; ".join([*wrong, *unread]))
        if unread:
            raise ValueError("; ".join(unread))


def _asked(drives):
    """What each drive tells, by its name, and a sentence for each that tells nothing of its health."""
    found, unread = {}, []
    for device, kind in drives:
        name = f"{device} {kind}" if "," in kind else device
        try:
            found[name] = read(report(device, kind, WORDS))
        except ValueError as error:
            unread.append(str(error) if device in str(error) else f"{name}: {error}")
    return found, unread


def read(told):
    """What a report of smartctl says of a drive. Raises ValueError where it says nothing of its health."""
    health = told.get("smart_status", {}).get("passed")
    if health is None:
        raise ValueError("it does not tell its health: leave it out (devices), or turn on SMART (smartctl -s on)")
    table = told.get("ata_smart_attributes", {}).get("table", [])
    heat = told.get("temperature", {})
    return {
        "model": told.get("model_name") or told.get("scsi_model_name") or "",
        "serial": told.get("serial_number", ""),
        "is_healthy": health,
        "failing": [each["name"] for each in table if each["when_failed"] == "now"],
        "used": _wear(told, table),
        "celsius": heat.get("current"),
        "own_max_celsius": heat.get("drive_trip") or heat.get("op_limit_max"),
        "power_on_hours": told.get("power_on_time", {}).get("hours"),
        **(_sectors(table) if table else _defects(told)),
    }


def _sectors(table):
    """Counts of a SATA drive: the first number of what smartctl makes of the raw value."""
    raw = {each["id"]: re.match(r"\d+", each["raw"]["string"]) for each in table}
    return {name: int(raw[number][0]) if raw.get(number) else None for number, name in SECTORS.items()}


def _defects(told):
    """Counts of a SAS drive, which has no pending sectors."""
    errors = [way.get("total_uncorrected_errors", 0) for way in told.get("scsi_error_counter_log", {}).values()]
    return {
        "reallocated": told.get("scsi_grown_defect_list"),
        "pending": None,
        "uncorrectable": sum(errors) if errors else None,
    }


def _wear(told, table):
    """How much of an SSD is worn out, in percent of what it is made for; None for a disk."""
    percent = told.get("endurance_used", {}).get("current_percent")
    if percent is None:
        percent = told.get("scsi_percentage_used_endurance_indicator")
    left = [each["value"] for each in table if each["name"] in LIFE_LEFT]
    return 100 - min(left) if percent is None and left else percent


def _judge(ctx, name, drive, params):
    """Judge one drive; yields what is wrong with it."""
    label = " ".join(word for word in (name, drive["model"], drive["serial"]) if word)
    if ctx.check(f"healthy.{name}", drive["is_healthy"], eq=True) == "failed":
        yield f"{label} says that it fails: copy its data, then replace the drive"
    if ctx.check(f"failing.{name}", len(drive["failing"]), "attributes", max=0) == "failed":
        yield f"{label}: {', '.join(drive['failing'])} below the threshold: replace the drive"
    for key, (unit, option, action) in LIMITS.items():
        if drive[key] is not None and ctx.check(f"{key}.{name}", drive[key], unit, max=params[option]) == "failed":
            yield f"{label}: {drive[key]} {unit} {key}, at most {params[option]}: {action}"
    limit = drive["own_max_celsius"] or params["max_celsius"]
    if drive["celsius"] is not None and ctx.check(f"celsius.{name}", drive["celsius"], "C", max=limit) == "failed":
        yield f"{label} has {drive['celsius']} C, at most {limit:g}: look at fans, filters and blanking panels"
