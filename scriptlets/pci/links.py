# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether PCIe devices are all there, and their links as wide and as fast as both ends can do."""

from __future__ import annotations

import re

from rack_recipes import Failed, HostFiles, Scriptlet
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.pci_devices import devices

SPEED = re.compile(r"([\d.]+) GT/s")
KNOWN = {"count": "devices", "width": "lanes", "gts": "GT/s"}
RESEAT = "reseat the card and its riser; if it stays, try the card in another slot"


class PciLinks(Scriptlet):
    """Whether PCIe devices are all there, and their links as wide and as fast as both ends can do.

    A card that has lost lanes still works, and is slow. Functions of one card share a link, which is judged once.
    """

    options = {
        "expected": {
            "type": "dict",
            "default": {},
            "description": (
                "What counts instead, by VENDOR:DEVICE as `lspci -n` prints them, or by address: `count` "
                "devices, `width` in lanes, `gts` in GT/s"
            ),
        },
        "judge_speed": {
            "type": "bool",
            "default": True,
            "description": "Whether the speed is judged; many devices lower it while they are idle",
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
    writes = {"pci.links_v1": "For each link its id, width and max_width (lanes), gts and max_gts (GT/s)"}
    needs = ("PCIe links that the kernel shows",)
    verdicts = {
        "failed": "a device is missing, or its link is narrower or slower than it can be",
        "skipped": "there is no PCIe link (failed with `absent: fail`)",
        "error": "`expected` has a word that is not known",
    }
    example = """
        - name: pci_links
          module: pci.links
          args:
            expected: {"10de:2330": {count: 8, width: 16}}
    """

    def validate(self, ctx, params):
        for name, wanted in params["expected"].items():
            if not isinstance(wanted, dict) or not set(wanted) <= set(KNOWN):
                raise ValueError(f"expected: {name} must have {', '.join(KNOWN)} and nothing else, got {wanted!r}")

    def run(self, ctx, params):
        there = devices(params["root"])
        found = links(HostFiles(params["root"]), there)
        wrong = [*_counted(ctx, there, params["expected"])]
        judged = {name: link for name, link in found.items() if not {name, link["id"]} & set(params["ignore"])}
        if not judged and not wrong:
            is_missing("a PCIe link", params)
        ctx.set("pci.links_v1", found)
        for name, link in judged.items():
            wrong += _judge(ctx, name, link, params)
        if wrong:
            raise Failed("; ".join(wrong))


def links(tree, there):
    """The links by the address of the device below: what they are now and what both ends can do, in lanes and GT/s."""
    found = {}
    for name, device in there.items():
        width = tree.number(f"{device['folder']}current_link_width")
        if not width or not _is_below(name, there):
            continue
        ends = [device["folder"], *([there[device["parent"]]["folder"]] if device["parent"] in there else [])]
        found[name] = {
            "id": device["id"],
            "width": width,
            "gts": speed(tree, f"{device['folder']}current_link_speed"),
            "max_width": _slower(tree.number(f"{end}max_link_width") for end in ends),
            "max_gts": _slower(speed(tree, f"{end}max_link_speed") for end in ends),
        }
    return found


def _is_below(name, there):
    """Whether a device is the lower end of its link, and the first function of its card.

    A port of a root complex or of a switch is the upper end. The upper side of a switch is a bridge, too; bridges are
    below it and a port is above it.
    """
    if not name.endswith(".0") and f"{name[:-1]}0" in there:
        return False
    if not there[name]["is_bridge"]:
        return True
    has_bridges = any(device["is_bridge"] and device["parent"] == name for device in there.values())
    return has_bridges and there[name]["parent"] in there


def speed(tree, path):
    """A speed in GT/s (`16.0 GT/s PCIe`; `8 GT/s` before Linux 5.7); None where the device does not tell it."""
    told = SPEED.match(tree.text(path) or "")
    return float(told[1]) if told else None


def _slower(values):
    """What the slower end can do; the largest number of lanes that sysfs shows for unknown, 255, is none."""
    known = [value for value in values if value and value != 255]
    return min(known) if known else None


def _counted(ctx, there, expected):
    """Judge how many devices there are of each kind; yields what is wrong."""
    for name, wanted in expected.items():
        if "count" not in wanted:
            continue
        number = sum(name in (address, device["id"]) for address, device in there.items())
        if ctx.check(f"devices.{name}", number, "devices", eq=wanted["count"]) == "failed":
            yield (
                f"{number} PCI devices {name}, expected {wanted['count']}: power the host off and on, "
                "then reseat or replace the card that is missing"
            )


def _judge(ctx, name, link, params):
    """Judge one link; yields what is wrong with it."""
    wanted = {**params["expected"].get(link["id"], {}), **params["expected"].get(name, {})}
    for key, most, unit, is_judged in (
        ("width", "max_width", "lanes", True),
        ("gts", "max_gts", "GT/s", params["judge_speed"] or "gts" in wanted),
    ):
        value, least = link[key], wanted.get(key, link[most])
        if value is None or least is None or not is_judged:
            ctx.measure(f"{key}.{name}", value, unit)
        elif ctx.check(f"{key}.{name}", value, unit, min=least) == "failed":
            yield f"the PCIe link of {name} ({link['id']}) has {value:g} of {least:g} {unit}: {RESEAT}"
