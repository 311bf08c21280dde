# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time from which a later step reads the kernel's log."""

from __future__ import annotations

import time

from rack_recipes import Scriptlet


class KernelLogMark(Scriptlet):
    """Notes the host's time for a later host.kernel_log, which then reads only what has come since; put it first."""

    options = {}
    reads = ()
    writes = {
        "host.kernel_log_mark_v1": "A time as `since` of host.kernel_log takes it: `@` and the seconds since 1970 (s)"
    }
    needs = ()
    example = """
        - name: mark
          module: host.kernel_log_mark
          success: {ctx_has_keys: [host.kernel_log_mark_v1]}
    """

    def run(self, ctx, params):
        ctx.set("host.kernel_log_mark_v1", f"@{int(time.time())}")
