# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last record in the event log of a server's BMC, by IPMI: a mark for a later look."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from scriptlets.tools.ipmi_events import raw_records


class IpmiEventMark(Scriptlet):
    """The number of the last record in the event log, 0 in an empty one, and how many records there are."""

    options = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 623},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "privilege": {"type": "str", "choices": ["USER", "OPERATOR", "ADMINISTRATOR"], "default": "USER"},
        "cipher_suite": {"type": "int"},  # by default the best that the BMC has; some old ones need 3
        "timeout": {"type": "int", "default": 1},  # seconds for one answer
        "tries": {"type": "int", "default": 4},
    }
    reads = ()
    writes = ("ipmi.event_mark_v1",)

    def run(self, ctx, params):
        found = raw_records(params)
        ctx.set("ipmi.event_mark_v1", {"last": found[-1][0] if found else 0, "count": len(found)})
