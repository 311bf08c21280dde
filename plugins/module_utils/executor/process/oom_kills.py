# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many processes the kernel has killed for lack of memory, of the whole machine or of a control group."""

from __future__ import annotations

VMSTAT = "/proc/vmstat"
UNKNOWN = -1


def oom_kills() -> int:
    """How many processes the kernel has killed since boot; `UNKNOWN` before Linux 4.13, which does not count them."""
    try:
        with open(VMSTAT, "rb") as file:
            told = file.read().partition(b"\noom_kill ")[2].split(None, 1)
    except OSError:
        return UNKNOWN
    return int(told[0]) if told else UNKNOWN


def since(before: int) -> str:
    """A remark in brackets: how many processes were killed since `oom_kills` returned `before`; empty for none."""
    more = oom_kills() - before
    if before == UNKNOWN or more <= 0:
        return ""
    return f" (out of memory: the kernel killed {more} process{'es' if more > 1 else ''} meanwhile)"
