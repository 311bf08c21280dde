# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firmware of a server against a golden list, as its BMC tells by Redfish."""

from __future__ import annotations

import fnmatch

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.redfish import ROOT, Missing, client_of


class RedfishFirmware(Scriptlet):
    """The versions of all that runs firmware in a server, against golden ones."""

    options = {
        "url": {"type": "str", "required": True},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "verify": {"type": "bool", "default": True},
        "ca": {"type": "str", "default": ""},
        "timeout": {"type": "float", "default": 10},
        "missing": {
            "type": "str",
            "choices": ["failed", "skipped"],
            "default": "failed",
            "description": "What the step is where the BMC has no inventory of firmware",
        },
        "golden": {
            "type": "dict",
            "default": {},
            "description": ("Pattern of a name or an id -> the version that it must have, or a list of them"),
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": ["Previous-*", "Available-*"],
            "description": "Patterns of entries that do not run",
            "source": "Dell's former and staged versions",
        },
    }
    reads = ()
    writes = {"redfish.firmware_v1": "For each entry, by its id, its name and version"}
    needs = (
        "a BMC with Redfish",
        "it runs on another machine",
    )
    verdicts = {
        "failed": "a version is not a golden one, an entry is missing, or there is no inventory",
        "skipped": "there is no inventory, with `missing: skipped`",
        "error": "the BMC does not answer, or refuses the user or the certificate",
    }
    example = """
        - name: firmware
          module: redfish.firmware
          hosts: servers
          delegate_to: localhost
          args:
            url: "https://{{ bmc_address }}"
            user: "{{ bmc_user }}"
            password: "{{ bmc_password }}"
            golden: {"BIOS*": 2.19.1}
    """

    def run(self, ctx, params):
        try:
            with client_of(params) as device:
                found = firmware(device, params["ignore"])
        except Missing as error:
            raise (Skipped if params["missing"] == "skipped" else Failed)(
                f"no firmware inventory: {error}: update the BMC, or restart it"
            ) from None
        ctx.set("redfish.firmware_v1", found)
        if ctx.check("components", len(found), min=1) == "failed":
            raise Failed("the BMC lists no firmware: update the BMC, or restart it")
        wrong = [said for pattern, value in params["golden"].items() for said in _judge(ctx, found, pattern, value)]
        if wrong:
            raise Failed("; ".join(wrong))


def firmware(device, ignore):
    """Name and version of each entry that does not match a pattern of `ignore`, by its id."""
    inventory = device.follow(device.follow(device.get(ROOT + "/"), "UpdateService"), "FirmwareInventory")
    return {
        str(each.get("Id")): {"name": each.get("Name"), "version": each.get("Version")}
        for each in device.members(inventory)
        if not any(fnmatch.fnmatchcase(str(each.get("Id")), pattern) for pattern in ignore)
    }


def _judge(ctx, found, pattern, value):
    """Compare each entry that a pattern names; yields what is wrong."""
    allowed = [str(each) for each in (value if isinstance(value, list) else [value])]
    named = {key: own for key, own in found.items() if _matches(key, own, pattern)}
    if not named:
        ctx.check(f"firmware.{pattern}", "absent", one_of=allowed)
        yield f"no firmware is called {pattern}: is the part plugged in, and the golden list right?"
    for key, own in named.items():
        label = pattern if len(named) == 1 else key
        if ctx.check(f"firmware.{label}", own["version"], one_of=allowed) == "failed":
            yield f"{own['name']} has {own['version']}, expected {' or '.join(allowed)}: update it"


def _matches(key, own, pattern):
    return any(fnmatch.fnmatch(str(each).lower(), pattern.lower()) for each in (key, own["name"]))
