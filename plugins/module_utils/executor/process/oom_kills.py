# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the kernel has killed processes for want of memory, of the whole machine or of a control group."""

from __future__ import annotations

VMSTAT = "/proc/vmstat"
UNKNOWN = -1


def oom_kills() -> int:
    """How many processes the kernel has killed since its start. `UNKNOWN` before Linux 4.13, which does not count."""
    try:
        with open(VMSTAT, "rb") as file:
            told = file.read().partition(b"\noom_kill ")[2].split(None, 1)
    except OSError:
        return UNKNOWN
    return int(told[0]) if told else UNKNOWN


def since(before: int) -> str:
    """For people, in brackets: how many it has killed since it had killed `before`; empty for none."""
    more = oom_kills() - before
    if before == UNKNOWN or more <= 0:
        return ""
    return f" (out of memory: the kernel killed {more} process{'es' if more > 1 else ''} meanwhile)"
