# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host is made of the same parts as a golden one."""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase

from rack_recipes import Failed, Scriptlet, Skipped

WHOLE = ("dmi", "cpu")
"""Sections that are one part; those of PARTS hold several, each under its name."""

PARTS = ("memory", "pci", "disks", "nics")
SERIALS = ("*serial", "*_uuid", "*_asset_tag", "nics.*.mac")
"""Fields that differ from host to host of the same kind."""

NEW = "or take a new golden hardware"
MISSING = {
    "memory": "reseat the module in this slot, else replace it",
    "pci": "reseat the card, and look whether the firmware's set-up has its slot off",
    "disks": "reseat the disk and its cable, else replace it",
    "nics": "look whether the kernel has its driver, then reseat the card",
}
ADDITIONAL = f"take it out, {NEW}"
DIFFERENT = {
    "memory.*.configured_mts": "look at the memory's speed in the firmware's set-up, and at mixed modules",
    "memory.*": f"replace the module by one of the golden kind, {NEW}",
    "pci.*.link_width": "reseat the card and its riser: lanes are lost",
    "pci.*.driver": "load the golden driver",
    "nics.*.driver*": "install the golden driver",
    "*.firmware": "update the firmware of this part",
    "dmi.bios_*": "update the firmware of the host",
    "cpu.microcode": "update the microcode, by the firmware or by its package",
    "cpu.*": "look at the CPUs in the firmware's set-up, then at their sockets",
    "*": f"replace the part, {NEW}",
}
"""What to do, by a pattern of the field; the first that matches counts."""

NAMED = 10


class HostGolden(Scriptlet):
    """Whether a host is made of the same parts as a golden one.

    Only the sections and, of `dmi` and `cpu`, only the fields that `golden` has are compared.
    """

    options = {
        "golden": {
            "type": "dict",
            "default": {},
            "description": "The key `host.hardware_v1` of a host that is as it should be, or parts of it",
        },
        "serials": {
            "type": "bool",
            "default": False,
            "description": "Whether serial numbers, UUIDs, asset tags and MAC addresses count as well",
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": ["pci.*.link_speed"],
            "description": "Patterns of fields that do not count, such as `pci.*.driver`",
            "source": "cards lower the speed of their PCI link while they have nothing to do",
        },
    }
    reads = ("host.hardware_v1",)
    writes = {
        "host.golden_v1": (
            "`missing`, `additional` and `different`: lists of parts and fields with their names and what to do"
        )
    }
    needs = ("host.hardware_v1 of an earlier step (host.hardware)",)
    verdicts = {
        "failed": "a part is missing, additional or different",
        "skipped": "no golden hardware is given",
        "error": "there is no hardware to compare, or a section of `golden` was not taken",
    }
    example = """
        - name: hardware
          module: host.hardware
          become: true
          success: {ctx_has_keys: [host.hardware_v1]}
        - name: golden
          module: host.golden
          depends_on: [hardware]
          args: {golden: "{{ hardware_golden }}"}
    """

    def run(self, ctx, params):
        golden = params["golden"]
        if not golden:
            raise Skipped("no golden hardware is given: keep host.hardware_v1 of a host that is as it should be")
        hardware = ctx.get("host.hardware_v1")
        if not hardware:
            raise ValueError("there is no host.hardware_v1: put a step with host.hardware before this one")
        check_form(golden, hardware)
        ignored = (*params["ignore"], *(() if params["serials"] else SERIALS))
        found = compare(golden, hardware, ignored)
        ctx.set("host.golden_v1", found)
        verdicts = [ctx.check(kind, len(found[kind]), max=0) for kind in ("missing", "additional", "different")]
        if "failed" in verdicts:
            raise Failed(told(found))


def check_form(golden, hardware):
    """Raises ValueError where a golden hardware is none, or has a section that was not taken."""
    for section, value in golden.items():
        if section not in (*WHOLE, *PARTS):
            near = difflib.get_close_matches(str(section), (*WHOLE, *PARTS), 1)
            expected = f"did you mean {near[0]}?" if near else f"expected one of {', '.join((*WHOLE, *PARTS))}"
            raise ValueError(f"golden: there is no section {section}: {expected}")
        if not isinstance(value, dict) or (
            section in PARTS and not all(isinstance(part, dict) for part in value.values())
        ):
            raise ValueError(f"golden: {section}: expected what host.hardware_v1 has there, found {str(value)[:60]!r}")
        if section not in hardware:
            raise ValueError(f"golden: {section}: this part of the hardware was not taken: add it to `sections`")


def compare(golden, hardware, ignored):
    """What is `missing`, `additional` and `different`: each with its name and what to do."""
    found = {"missing": [], "additional": [], "different": []}
    for section, expected in golden.items():
        own = hardware[section]
        if section in WHOLE:
            found["different"] += differences(section, expected, own, ignored)
            continue
        found["missing"] += [
            _part(section, name, MISSING[section], expected[name]) for name in expected if name not in own
        ]
        found["additional"] += [_part(section, name, ADDITIONAL, own[name]) for name in own if name not in expected]
        for name in expected.keys() & own.keys():
            found["different"] += differences(f"{section}.{name}", expected[name], own[name], ignored)
    left = {kind: [each for each in parts if not _matches(each["name"], ignored)] for kind, parts in found.items()}
    return {kind: sorted(parts, key=lambda each: each["name"]) for kind, parts in left.items()}


def _part(section, name, do, part):
    return {"name": f"{section}.{name}", "do": do, "part": part}


def differences(name, expected, own, ignored):
    """The fields of a part that differ and do not match a pattern of `ignored`."""
    fields = {f"{name}.{field}": (value, own.get(field)) for field, value in expected.items()}
    return [
        {"name": field, "golden": golden, "found": found, "do": advice(field)}
        for field, (golden, found) in fields.items()
        if str(golden) != str(found) and not _matches(field, ignored)  # YAML makes a number of a text such as 1.0
    ]


def advice(field):
    """What to do about a field that differs."""
    return next(do for pattern, do in DIFFERENT.items() if fnmatchcase(field, pattern))


def _matches(name, patterns):
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def told(found):
    """What is wrong, in words, with what to do."""
    said = [
        *(f"{each['name']} is missing: {each['do']}" for each in found["missing"]),
        *(f"{each['name']} is additional: {each['do']}" for each in found["additional"]),
        *(f"{each['name']} is {each['found']}, expected {each['golden']}: {each['do']}" for each in found["different"]),
    ]
    more = [f"and {len(said) - NAMED} more"] if len(said) > NAMED else []
    return "; ".join([*said[:NAMED], *more])
