# SPDX-License-Identifier: GPL-3.0-or-later

"""A step of a host that writes a key of the run, when all hosts have come so far."""

import time
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Share(Scriptlet):
    """Sets a field of the host's own, and one that all hosts set."""

    options = {
        "key": {"type": "str", "required": True},
        "meet": {"type": "path", "required": True},
        "hosts": {"type": "int", "required": True},
    }
    writes = ("power.last_v1", "power.first_v1", "power.all_v1", "power.joined_v1")

    def run(self, ctx, params):
        meet = Path(params["meet"])
        (meet / ctx.host).touch()
        until = time.monotonic() + 120
        while len([*meet.iterdir()]) < params["hosts"] and time.monotonic() < until:
            time.sleep(0.05)
        ctx.set(params["key"], {"common": ctx.host, ctx.host: 1}, scope="run")
