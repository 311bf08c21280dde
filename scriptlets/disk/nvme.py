# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health of NVMe drives, by their SMART / Health Information log."""

from __future__ import annotations

from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.commands import run_json
from scriptlets.tools.smartctl import report

KELVIN = 273  # nvme-cli tells the log's own unit
# bit of the critical warning -> what it means, what to do (NVM Express Base Specification 2.0, log page 02h)
WARNINGS = (
    ("its spare blocks are below the threshold", "copy its data, then replace the drive"),
    ("its temperature is beyond a threshold", "look at fans, filters and blanking panels"),
    ("it is unreliable after errors of its media", "copy its data, then replace the drive"),
    ("it can only be read", "copy its data, then replace the drive"),
    ("what keeps its memory over a loss of power has failed", "replace the drive"),
    ("its persistent memory region can only be read", "replace the drive"),
)
# our name -> that of nvme-cli, that of smartctl
FIELDS = {
    "critical_warning": ("critical_warning", "critical_warning"),
    "spare": ("avail_spare", "available_spare"),
    "min_spare": ("spare_thresh", "available_spare_threshold"),
    "used": ("percent_used", "percentage_used"),
    "media_errors": ("media_errors", "media_errors"),
    "celsius": ("temperature", "temperature"),
}


class DiskNvme(Scriptlet):
    """Critical warning, spare blocks, wear, media errors and temperature of each NVMe drive.

    The spare is held against the drive's own threshold.
    """

    options = {
        "devices": {
            "type": "list",
            "elements": "str",
            "description": ("Drives that must be there, such as /dev/nvme0; by default all that the kernel has"),
        },
        "tool": {
            "type": "str",
            "choices": ["nvme", "smartctl"],
            "default": "nvme",
            "description": "Who asks the drives",
        },
        "max_used": {
            "type": "int",
            "default": 99,
            "description": "How much of its wear a drive may have had",
            "unit": "%",
            "source": (
                "at 100 % it has had the writes that it is made for (NVM Express, log page 02h, Percentage Used)"
            ),
        },
        "max_media_errors": {
            "type": "int",
            "default": 0,
            "description": "How many errors of the media may have been counted",
            "unit": "errors",
            "source": "a healthy drive has none",
        },
        "max_celsius": {
            "type": "float",
            "default": 70,
            "description": "The highest temperature",
            "unit": "Cel",
            "source": (
                "our choice, the limit of one drive for servers (Oracle 3.2 TB NVMe SSD, "
                "https://docs.oracle.com/cd/E65386_01/html/E65389/gokfv.html): others have other ones, in their data "
                "sheets"
            ),
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {
            "type": "path",
            "default": "/sys/class/nvme",
            "description": "The kernel's folder of NVMe drives; another one for tests",
        },
    }
    reads = ()
    writes = {
        "disk.nvme_v1": ("For each drive critical_warning, spare and min_spare (%), used (%), media_errors and celsius")
    }
    needs = (
        "root",
        "nvme-cli (Debian: nvme-cli), or smartctl (Debian: smartmontools)",
    )
    verdicts = {
        "failed": "a drive warns, is worn out, too hot, has media errors or too few spare blocks",
        "skipped": "there is no NVMe drive (failed with `absent: fail`)",
        "error": "a drive could not be read",
    }
    example = """
        - name: nvme
          module: disk.nvme
          become: true
          args: {max_used: 80}
    """

    def run(self, ctx, params):
        there = sorted(f"/dev/{path.name}" for path in Path(params["root"]).glob("nvme[0-9]*"))
        drives = params["devices"] or there
        if not drives:
            is_missing("an NVMe drive", params)
        found, unread = _asked(drives, {"nvme": ask_nvme, "smartctl": ask_smartctl}[params["tool"]])
        ctx.set("disk.nvme_v1", found)
        wrong = [said for name, drive in found.items() for said in _judge(ctx, name, drive, params)]
        if wrong:
            raise Failed("; ".join([*wrong, *unread]))
        if unread:
            raise ValueError("; ".join(unread))


def _asked(drives, ask):
    """What each drive tells, by its name, and a sentence for each that could not be read."""
    found, unread = {}, []
    for device in drives:
        try:
            found[device] = ask(device)
        except ValueError as error:
            unread.append(str(error))
    return found, unread


def ask_nvme(device):
    """The log by nvme-cli. Raises ValueError where it cannot be read."""
    told = run_json(("nvme", "smart-log", device, "-o", "json"), (0, 1)) or {}
    if "error" in told:  # nvme-cli 2
        raise ValueError(
            f"nvme cannot ask {device} ({told['error']}): run the step as root, and look whether it is there"
        )
    found = read(device, told, 0)
    return {**found, "celsius": found["celsius"] - KELVIN}


def ask_smartctl(device):
    """The log by smartctl. Raises ValueError where it cannot be read."""
    return read(device, report(device, "nvme", ("-A",)).get("nvme_smart_health_information_log", {}), 1)


def read(device, told, column):
    """The fields of a log, under our names. Raises ValueError, with what is missing.

    nvme-cli 2.7 writes `Temperature`.
    """
    told = {key.lower(): value for key, value in told.items()}
    missing = [names[column] for names in FIELDS.values() if names[column] not in told]
    if missing:
        raise ValueError(f"{device}: the log has no {', '.join(missing)}: look at it by hand (nvme smart-log {device})")
    return {name: int(told[names[column]]) for name, names in FIELDS.items()}


def _judge(ctx, name, drive, params):
    """Judge one drive; yields what is wrong with it."""
    if ctx.check(f"critical_warning.{name}", drive["critical_warning"], eq=0) == "failed":
        yield from (f"{name}: {said}: {action}" for said, action in _warnings(drive["critical_warning"]))
    if ctx.check(f"spare.{name}", drive["spare"], "%", min=drive["min_spare"]) == "failed":
        yield f"{name} has {drive['spare']} % of its spare blocks, at least {drive['min_spare']}: replace the drive"
    for key, unit, option, action in (
        ("used", "%", "max_used", "it is worn out: replace the drive"),
        ("media_errors", "errors", "max_media_errors", "copy its data, then replace the drive"),
        ("celsius", "C", "max_celsius", "look at fans, filters and blanking panels"),
    ):
        if ctx.check(f"{key}.{name}", drive[key], unit, max=params[option]) == "failed":
            yield f"{name}: {key} {drive[key]} {unit}, at most {params[option]:g}: {action}"


def _warnings(bits):
    """What the bits of a critical warning say; a bit that is not known is told by its number."""
    known = [each for number, each in enumerate(WARNINGS) if bits >> number & 1]
    rest = bits >> len(WARNINGS) << len(WARNINGS)
    return [*known, (f"critical warning {rest:#x}", "look it up in the specification of NVMe")] if rest else known
