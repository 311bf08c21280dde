# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's kernel takes the time from."""

from __future__ import annotations

from pathlib import Path

from rack_recipes import Failed, Scriptlet


class ClockSource(Scriptlet):
    """The clock source that is in use must be one of `allowed`.

    A kernel that finds the time stamp counter unstable falls back to one that is tens of times as slow to read
    (hpet, acpi_pm); everything that looks at the clock often then becomes slow.
    """

    options = {
        "allowed": {
            "type": "list",
            "elements": "str",
            "default": ["tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page"],
            "description": "The clock sources that may be in use",
            "source": ("those that a program reads without a system call (vDSO, arch/*/include/asm/vdso of Linux)"),
        },
        "root": {
            "type": "path",
            "default": "/sys/devices/system/clocksource/clocksource0",
            "description": "The kernel's folder of the clock source; another one for tests",
        },
    }
    reads = ()
    writes = {"clock.source_v1": "`current`, the clock source in use, and the `available` ones"}
    needs = ()
    verdicts = {
        "failed": "another clock source is in use",
        "error": "the kernel shows none",
    }
    example = """
        - name: clock_source
          module: clock.source
    """

    def run(self, ctx, params):
        root = Path(params["root"])
        current = (root / "current_clocksource").read_text(encoding="ascii").strip()
        available = (root / "available_clocksource").read_text(encoding="ascii").split()
        ctx.set("clock.source_v1", {"current": current, "available": available})
        if ctx.check("source", current, one_of=params["allowed"]) == "failed":
            raise Failed(
                f"the kernel takes the time from {current}, expected {' or '.join(params['allowed'])}: look for "
                "`clocksource` in the kernel's log, update the firmware, and restart the host"
            )
