# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The highest rate that each port of a router reaches while hosts send as fast as they can: a slow port is named."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from rack_recipes import Failed, Scriptlet

PAUSE = 0.2  # seconds between two looks: long enough that a burst out of a buffer counts little
BUSY = 1.0  # Mbit/s, from which on a port is used
ACKNOWLEDGEMENT = 120  # bytes: the most that a TCP packet without data takes, with IPv6, options and a VLAN's tag


class LinkPeaks(Scriptlet):
    """The highest rate that each port of a router sends while hosts send as fast as they can: a slow port is named.

    The step begins to count when one of the ports is busy. Run it beside `fabric.throughput`, and nothing else.
    Ports that differ by design, such as 25 and 100 Gbit/s, belong into different steps.
    """

    options = {
        "ports": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The ports that are watched",
        },
        "min_share": {
            "type": "float",
            "default": 0.05,
            "description": "The least peak, as a part of the median of all ports of this router",
            "source": ("our choice: a port at a tenth of its speed stays far below, a busy host does not"),
            "unit": "part of the median",
        },
        "min_use": {
            "type": "float",
            "default": 0.2,
            "description": (
                "A port that was in use for a smaller part of the time is not judged: what it could send was not "
                "tried. Acknowledgements alone are no use"
            ),
            "unit": "part of the time",
            "source": "our choice: in less time a busy host has not sent what its port can carry",
        },
        "wait": {
            "type": "float",
            "default": 60,
            "description": "How long is waited for traffic",
            "unit": "s",
        },
        "idle": {
            "type": "float",
            "default": 4,
            "description": "It ends after this time without traffic",
            "unit": "s",
        },
        "seconds": {
            "type": "float",
            "default": 300,
            "min": 0,
            "max": 86_400,
            "description": "It ends after this time in any case",
            "unit": "s",
        },
        "root": {
            "type": "path",
            "default": "/sys/class/net",
            "description": "The kernel's folder of ports; another one for tests",
        },
    }
    reads = ()
    writes = {"fabric.peaks_v1": "A list with port, mbits (its peak, Mbit/s) and use (a part of the time)"}
    needs = ()
    verdicts = {
        "failed": "a port stays far below the others",
        "error": "no port has sent much",
    }
    example = """
        - name: throughput
          module: fabric.throughput
          hosts: servers
          parallel: true
          args:
            peers: {server1: 10.1.1.11, server2: 10.1.2.12}
        - name: peaks
          module: link.peaks
          hosts: "leaves:spines"
          parallel: true
          args: {ports: [swp1, swp2]}
    """

    def run(self, ctx, params):
        seen = watched({port: Path(params["root"], port, "statistics") for port in params["ports"]}, params)
        peaks = {port: max(rates, default=0.0) for port, rates in seen.items()}
        uses = {port: round(use(rates), 2) for port, rates in seen.items()}
        ctx.set("fabric.peaks_v1", [{"port": port, "mbits": peaks[port], "use": uses[port]} for port in peaks])
        used = {port: peak for port, peak in peaks.items() if uses[port] and uses[port] >= params["min_use"]}
        if not used:
            raise ValueError(f"no port has sent much within {params['wait']:g} s: run it beside fabric.throughput")
        usual = round(median(used.values()), 1)
        least = round(usual * params["min_share"], 1)
        for port in set(peaks) - set(used):
            ctx.measure(f"peak.{port}", peaks[port], "Mbit/s")
        wrong = [said for port in used if (said := _judge(ctx, port, peaks[port], usual, least))]
        if wrong:
            raise Failed("; ".join(wrong))


def watched(counters, params):
    """What each port has sent, in Mbit/s, look by look, from the first traffic to the last."""
    seen = {port: [] for port in counters}
    started = last_busy = time.monotonic()
    before, then = counted(counters), started
    while time.monotonic() - started < (params["seconds"] if any(seen.values()) else params["wait"]):
        time.sleep(PAUSE)
        after, now = counted(counters), time.monotonic()
        rates = {port: rate(before[port], after[port], now - then) for port in counters}
        is_busy = max(rates.values()) >= BUSY
        last_busy = now if is_busy else last_busy
        if is_busy or any(seen.values()):
            for port, mbits in rates.items():
                seen[port].append(mbits)
            if now - last_busy > params["idle"]:
                break
        before, then = after, now
    return seen


def rate(before, after, seconds):
    """What a port has sent between two looks, in Mbit/s: 0 where these were acknowledgements and little else."""
    sent, packets = after[0] - before[0], after[1] - before[1]
    mbits, data = (number * 8 / 1e6 / seconds for number in (sent, sent - packets * ACKNOWLEDGEMENT))
    return round(mbits, 1) if data >= BUSY else 0.0


def use(rates):
    """For which share of the time a port was in use, from 0 to 1."""
    return sum(mbits >= BUSY for mbits in rates) / len(rates) if rates else 0.0


def counted(counters):
    """The bytes and the packets that each port has sent."""
    try:
        return {
            port: [int((folder / name).read_text(encoding="ascii")) for name in ("tx_bytes", "tx_packets")]
            for port, folder in counters.items()
        }
    except OSError as error:
        raise ValueError(f"there is no port {Path(error.filename).parent.parent.name}") from None


def _judge(ctx, port, peak, usual, least):
    """Judge one port; returns what is wrong with it."""
    if ctx.check(f"peak.{port}", peak, "Mbit/s", min=least) == "passed":
        return ""
    return (
        f"{port} sends {peak:g} Mbit/s at most, half of the ports {usual:g}: compare the speed of both ends, "
        "then replace cable or optics"
    )
