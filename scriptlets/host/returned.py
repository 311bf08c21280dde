# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host has started anew, and is the same machine as before."""

from __future__ import annotations

from rack_recipes import Failed, HostFiles, Scriptlet, Skipped
from scriptlets.host.identity import identity
from scriptlets.tools.identity import KEY, compare, host_side

POWER_CYCLES = ("ipmi.power_cycle_v1", "redfish.power_cycle_v1")


class HostReturned(Scriptlet):
    """A host after a restart: it is the same machine as before, and it has really started anew."""

    options = {
        "after": {
            "type": "str",
            "choices": ["restart", "power_cycle"],
            "default": "restart",
            "description": "What came before; after a power cycle that switched nothing, the step is skipped",
        },
        "root": {
            "type": "path",
            "default": "/",
            "description": "The folder that has /sys; another one for a container or tests",
        },
    }
    reads = ("host.identity_v1", "ipmi.power_cycle_v1", "redfish.power_cycle_v1")
    writes = {"host.return_v1": "boot_id of this start, and `before`, that of the start before"}
    needs = ("host.identity_v1 of an earlier step", "root, for serial numbers and the UUID")
    verdicts = {
        "failed": "the host has not started anew, or another machine answers at its address",
        "skipped": "there is no identity of before, or nothing was switched",
        "error": "what only root may read",
    }
    example = """
        - name: identity
          module: host.identity
          become: true
          success: {ctx_has_keys: [host.identity_v1]}
        - name: reboot
          type: ansible
          success: none
          module: ansible.builtin.reboot
          become: true
        - name: returned
          module: host.returned
          become: true
          depends_on: [identity, reboot]
    """

    def run(self, ctx, params):
        before = ctx.get(KEY)
        if before is None:
            raise Skipped("it is not known what was before: put a step with host.identity before the restart")
        if params["after"] == "power_cycle" and not any(key in ctx for key in POWER_CYCLES):
            raise Skipped("nothing was switched")
        now = identity(HostFiles(params["root"]))
        ctx.set("host.return_v1", {"boot_id": now["boot_id"], "before": before["boot_id"]})
        if compare(host_side(before), host_side(now)) is False:
            raise Failed(
                f"another machine answers at this address: {before['host_name']} had serial {before['serial']}, this "
                f"one has {now['serial']} ({now['host_name']}): correct the addresses"
            )
        if ctx.check("restarted", now["boot_id"] != before["boot_id"], eq=True) == "failed":
            raise Failed(
                f"{now['host_name']} has not started anew (boot id {now['boot_id']}), though its power was switched: "
                "another server lost its power"
            )
