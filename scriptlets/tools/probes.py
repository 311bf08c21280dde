# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Probes that the kernel of any host answers: the opening of a TCP connection, each from a port of its own.

No program needs to listen: a closed port answers with a reset. Each probe is a flow of its own, so many of them go over
all equal paths; pings do not, since ICMP has no ports.
"""

from __future__ import annotations

import errno
import select
import socket
import time

ANSWERS = (0, errno.ECONNREFUSED)
AT_ONCE = 16  # probes on their way


def probe(target, port, count, interval, timeout):
    """The delay of each of `count` probes in ms, in the order of their start; None for a lost one. Times in seconds."""
    delays, waiting, started, due = [None] * count, {}, 0, time.monotonic()
    while started < count or waiting:
        now = time.monotonic()
        while started < count and now >= due and len(waiting) < AT_ONCE:
            made = _started(target, port)
            if made:
                waiting[made.fileno()] = (made, started, now)
            started, due = started + 1, due + interval
        pause = timeout if started == count else max(0.0005, min(timeout, due - now))
        _collect(waiting, delays, timeout, pause)
    return delays


def _started(target, port):
    """A socket on its way; None where the host knows no way, so that the probe is lost at once."""
    made = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    if made.connect_ex((target, port)) in (errno.EINPROGRESS, *ANSWERS):
        return made
    made.close()
    return None


def _collect(waiting, delays, timeout, pause):
    """Take what has been answered, and what is too late."""
    ready = select.select((), list(waiting), (), pause)[1]
    now = time.monotonic()
    for number in list(waiting):
        made, index, begun = waiting[number]
        if number in ready:
            answer = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            delays[index] = round(1000 * (now - begun), 3) if answer in ANSWERS else None
        elif now - begun < timeout:
            continue
        made.close()
        del waiting[number]


def figures(delays):
    """Loss in percent; median, 95th and 99th percentile, greatest delay and jitter in ms, None where none came back.

    Jitter is the mean difference between neighbouring probes (RFC 3393, one-way replaced by the way there and back).
    """
    known = [delay for delay in delays if delay is not None]
    loss = round(100 * (len(delays) - len(known)) / len(delays), 2)
    if not known:
        return {"loss": loss, "p50_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": None, "jitter_ms": None}
    steps = [abs(later - earlier) for earlier, later in zip(known, known[1:])]
    at = {f"p{share}_ms": percentile(known, share) for share in (50, 95, 99)}
    jitter = round(sum(steps) / len(steps), 3) if steps else 0.0
    return {"loss": loss, **at, "max_ms": max(known), "jitter_ms": jitter}


def percentile(values, share):
    """The smallest value that at least `share` percent of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]
