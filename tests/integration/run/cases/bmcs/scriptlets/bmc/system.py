# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a BMC for the state of its system, by Redfish."""

from __future__ import annotations

import json
from urllib.request import urlopen

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet


class System(Scriptlet):
    """Writes the power state and the health of the one system that a BMC manages."""

    options = {"url": {"type": "str", "required": True, "description": "The address of the Redfish service."}}
    writes = ("bmc.system_v1",)

    def run(self, ctx, params):
        members = self._get(params["url"] + "/Systems")["Members"]
        if len(members) != 1:
            raise Failed(f"the BMC manages {len(members)} systems")
        base = params["url"].rpartition("/redfish/")[0]
        system = self._get(base + members[0]["@odata.id"])
        ctx.set("bmc.system_v1", {"power": system["PowerState"], "health": system["Status"]["Health"]})

    def _get(self, url):
        try:
            with urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except OSError as error:
            raise Failed(f"{url}: {error}") from None
