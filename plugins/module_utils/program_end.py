# SPDX-License-Identifier: GPL-3.0-or-later

"""How a program ended, in words.

By exit code or signal, and whether the kernel killed processes meanwhile for lack of memory.
"""

from __future__ import annotations

import signal

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


def oom_kills_since(before: int) -> str:
    """A remark in brackets: how many processes were killed since `oom_kills` returned `before`; empty for none."""
    more = oom_kills() - before
    if before == UNKNOWN or more <= 0:
        return ""
    return f" (out of memory: the kernel killed {more} process{'es' if more > 1 else ''} meanwhile)"


BY_SIGNAL = 128  # a shell's exit code for a signal that ended its child, less the signal


def signal_name(number: int) -> str:
    """The name of a signal, such as SIGSEGV."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time one


def exit_in_words(code: int) -> str:
    """An exit code, with the signal that it may stand for: `exit code 139 (SIGSEGV)`."""
    killed = code - BY_SIGNAL in {*signal.Signals}
    return f"exit code {code} ({signal_name(code - BY_SIGNAL)})" if killed else f"exit code {code}"


def end_in_words(code: int) -> str:
    """`ended with exit code 3`, or `was killed by SIGSEGV` where the code is below 0, as Python has it for a signal."""
    return f"ended with {exit_in_words(code)}" if code >= 0 else f"was killed by {signal_name(-code)}"
