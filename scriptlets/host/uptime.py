# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a host has been up."""

from __future__ import annotations

from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.limits import judge

HOUR = 3600


class HostUptime(Scriptlet):
    """The hours since a host was started, against a least and a largest number of them."""

    options = {
        "min_hours": {
            "type": "float",
            "description": "For how long the host must have been up: one that has just started has perhaps restarted",
            "unit": "h",
        },
        "max_hours": {
            "type": "float",
            "description": "For how long the host may have been up: one that has been up for years lacks its updates",
            "unit": "h",
        },
        "root": {"type": "path", "default": "/", "description": "The folder that has /proc; another one for tests"},
    }
    reads = ()
    writes = {"host.uptime_v1": "`hours` since the start, and `boot_id`, which is another one at each start"}
    needs = ()
    verdicts = {"failed": "the host has not been up for long enough, or for too long"}
    example = """
        - name: uptime
          module: host.uptime
          args: {min_hours: 1, max_hours: 8760}
    """

    def run(self, ctx, params):
        root = Path(params["root"], "proc")
        hours = round(float((root / "uptime").read_text(encoding="ascii").split()[0]) / HOUR, 3)
        boot_id = (root / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        ctx.set("host.uptime_v1", {"hours": hours, "boot_id": boot_id})
        least, most = params["min_hours"], params["max_hours"]
        if judge(ctx, "uptime", hours, "h", min=least, max=most) == "failed":
            if least is not None and hours < least:
                raise Failed(
                    f"the host has been up for {hours:g} h, expected {least:g} h at least: look in its BMC's event log "
                    "for why it restarted"
                )
            raise Failed(f"the host has been up for {hours:g} h, expected {most:g} h at most: update and restart it")
