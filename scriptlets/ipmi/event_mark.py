# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last record in the event log of a server's BMC, by IPMI: a mark for a later look."""

from __future__ import annotations

from rack_recipes import Scriptlet
from scriptlets.tools.ipmi_events import raw_records


class IpmiEventMark(Scriptlet):
    """Notes the last record in the event log of a BMC, for a later ipmi.event_log."""

    options = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 623},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "privilege": {"type": "str", "choices": ["USER", "OPERATOR", "ADMINISTRATOR"], "default": "USER"},
        "cipher_suite": {"type": "int"},
        "timeout": {"type": "int", "default": 1},
        "tries": {"type": "int", "default": 4},
    }
    reads = ()
    writes = {
        "ipmi.event_mark_v1": (
            "`last`, the number of the last record, 0 in an empty log, and `count`, how many there are"
        )
    }
    needs = (
        "ipmitool (Debian: ipmitool)",
        "a BMC with IPMI 2.0",
        "it runs on another machine",
    )
    verdicts = {
        "error": "the BMC does not answer, or refuses the user",
    }
    example = """
        - name: mark
          module: ipmi.event_mark
          hosts: servers
          delegate_to: localhost
          args: {address: "{{ bmc_address }}", user: "{{ bmc_user }}", password: "{{ bmc_password }}"}
          success: {ctx_has_keys: [ipmi.event_mark_v1]}
    """

    def run(self, ctx, params):
        found = raw_records(params)
        ctx.set("ipmi.event_mark_v1", {"last": found[-1][0] if found else 0, "count": len(found)})
