# SPDX-License-Identifier: GPL-3.0-or-later

"""How many files this process may have open."""

from __future__ import annotations

import resource
from pathlib import Path

OF_CONNECTION = 6  # descriptors of a program that is waited for: three pipes, what waits for them, a terminal
MORE = 64  # descriptors besides, of those that are opened for a moment


def raise_open_files(wanted: int) -> int:
    """Have the system let this process open so many files, as far as it may; returns how many it may open then.

    Not more than that, since the programs that it starts inherit the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted if soft == resource.RLIM_INFINITY else soft
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    return max(soft, allowed)


def connections_within(wanted: int) -> int:
    """How many programs on other hosts this process can wait for at a time: `wanted`, or what its files allow."""
    used = sum(1 for _file in Path("/proc/self/fd").iterdir()) + MORE
    return max(1, min(wanted, (raise_open_files(used + wanted * OF_CONNECTION) - used) // OF_CONNECTION))
