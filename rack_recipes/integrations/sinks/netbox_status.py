# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a device in NetBox, and an entry in its journal that says why."""

from __future__ import annotations

from dataclasses import dataclass

from rack_recipes.cabling.netbox_api import KEYED
from rack_recipes.errors import UsageError
from rack_recipes.integrations.sinks.json_server import JsonServer

FAILED = "failed"  # a status that NetBox has by itself
DEVICES, JOURNAL = "/api/dcim/devices/", "/api/extras/journal-entries/"


def netbox_server(url: str, token: str) -> JsonServer:
    """NetBox at a URL; its tokens of version 4.5 and newer are of another scheme."""
    return JsonServer(url, token, "Bearer" if token.startswith(KEYED) else "Token")


@dataclass(frozen=True, slots=True)
class NetBoxStatus:
    """`server` is NetBox, with a token that may change devices and add journal entries."""

    server: JsonServer
    name: str = "netbox"

    def plan(self, host: str, told: str) -> str:
        """The status and the entry in words."""
        return f"status {FAILED} of device {host}, and in its journal: {told}"

    def apply(self, host: str, told: str) -> str:
        """Set the status and add the entry, first the entry. Raises UsageError where NetBox has not one such device."""
        found = self.server.ask("GET", f"{DEVICES}?name={host}&limit=2")
        devices = found.get("results") if isinstance(found, dict) else None
        if not isinstance(devices, list) or len(devices) != 1 or not isinstance(devices[0].get("id"), int):
            number = len(devices) if isinstance(devices, list) else "no list of"
            raise UsageError(f"NetBox has {number} devices with the name {host}, expected one")
        number, status = devices[0]["id"], (devices[0].get("status") or {}).get("value")
        entry = {
            "assigned_object_type": "dcim.device",
            "assigned_object_id": number,
            "kind": "danger",
            "comments": told,
        }
        self.server.ask("POST", JOURNAL, entry)
        if status == FAILED:
            return f"is {FAILED} already; a journal entry was added"
        self.server.ask("PATCH", f"{DEVICES}{number}/", {"status": FAILED})
        return f"status {FAILED} (was {status}), with a journal entry"
