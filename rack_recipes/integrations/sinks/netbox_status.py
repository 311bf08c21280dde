# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a device in NetBox, and an entry in its journal that says why."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rack_recipes.cabling.netbox_api import KEYED
from rack_recipes.errors import UsageError
from rack_recipes.integrations.sinks.json_client import JsonServer

FAILED = "failed"  # a status that NetBox has by itself
WAS = re.compile(r"\(status was ([A-Za-z0-9_-]+)\)\Z")
"""The end of an entry: to which status it is taken back."""

OWN = "rack-recipes "  # how all of our entries begin
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
        number, status = self._device(host)
        self._note(number, "danger", f"{told} (status was {status})")
        if status == FAILED:
            return f"is {FAILED} already; a journal entry was added"
        self.server.ask("PATCH", f"{DEVICES}{number}/", {"status": FAILED})
        return f"status {FAILED} (was {status}), with a journal entry"

    def undo(self, host: str, mark: str, *, is_dry: bool) -> str:
        """Set the status that the device had, where the last of our entries begins so. Raises UsageError."""
        number, status = self._device(host)
        of = f"assigned_object_type=dcim.device&assigned_object_id={number}&ordering=-created&limit=100"
        listed = self.server.ask("GET", f"{JOURNAL}?{of}") if status == FAILED else {}
        entries = listed.get("results") if isinstance(listed, dict) else None
        own = [text for one in entries or () if (text := str(one.get("comments"))).startswith(OWN)]
        if not own or not own[0].startswith(mark):
            return ""
        before = WAS.search(own[0])
        if before is None:
            raise UsageError(f"the journal of {host} does not say which status it had: set it by hand")
        if before[1] == FAILED:
            return ""
        if not is_dry:
            self.server.ask("PATCH", f"{DEVICES}{number}/", {"status": before[1]})
            self._note(number, "success", f"{mark}taken back (status was {FAILED})")
        return f"status {before[1]} of device {host} ({own[0]})"

    def _note(self, number: int, kind: str, text: str) -> None:
        entry = {"assigned_object_type": "dcim.device", "assigned_object_id": number, "kind": kind, "comments": text}
        self.server.ask("POST", JOURNAL, entry)

    def _device(self, host: str) -> tuple[int, str]:
        """The number and the status of the one device with this name."""
        found = self.server.ask("GET", f"{DEVICES}?name={host}&limit=2")
        devices = found.get("results") if isinstance(found, dict) else None
        if not isinstance(devices, list) or len(devices) != 1 or not isinstance(devices[0].get("id"), int):
            number = len(devices) if isinstance(devices, list) else "no list of"
            raise UsageError(f"NetBox has {number} devices with the name {host}, expected one")
        return devices[0]["id"], str((devices[0].get("status") or {}).get("value"))
