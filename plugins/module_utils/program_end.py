# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a program ended, in words."""

from __future__ import annotations

import signal

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
