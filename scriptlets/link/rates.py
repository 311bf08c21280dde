# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors and drops of ports while the step looks, as rates."""

from __future__ import annotations

import time
from pathlib import Path

from rack_recipes import Failed, Scriptlet

ERRORS = ("rx_errors", "tx_errors", "rx_crc_errors", "rx_frame_errors", "rx_length_errors", "rx_over_errors")
DROPS = ("rx_dropped", "tx_dropped")
FRAMES = ("rx_packets", "tx_packets")


class LinkRates(Scriptlet):
    """Errors and dropped frames a second on each port.

    What a counter has gathered before says nothing about now, so only its growth counts. A port of a bridge drops
    each frame that is not to be forwarded, such as LLDP's; on such a port `rx_dropped` is measured and not judged.
    The kernel's own names of the counters are used (Documentation/ABI/testing/sysfs-class-net-statistics).
    """

    options = {
        "ports": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The ports that are watched",
        },
        "seconds": {
            "type": "float",
            "default": 2,
            "min": 0,
            "max": 86_400,
            "description": "For how long",
            "unit": "s",
        },
        "max_errors": {
            "type": "float",
            "default": 0,
            "description": "How many errors",
            "unit": "1/s",
            "source": "a healthy link has hardly any (IEEE 802.3: at most one wrong bit in 10^12)",
        },
        "max_drops": {
            "type": "float",
            "default": 5,
            "description": "How many dropped frames",
            "unit": "1/s",
            "source": "our choice: frames of protocols that nobody listens to are dropped, too",
        },
        "root": {
            "type": "path",
            "default": "/sys/class/net",
            "description": "The kernel's folder of ports; another one for tests",
        },
    }
    reads = ()
    writes = {"links.rates_v1": "For each port `rates`: how much each counter grows a second (1/s)"}
    needs = ()
    verdicts = {
        "failed": "a port is not there, counts errors, or drops too much",
        "error": "a port has no counters",
    }
    example = """
        - name: rates
          module: link.rates
          args: {ports: [eth0], seconds: 10}
    """

    def run(self, ctx, params):
        folders = {port: Path(params["root"], port) for port in params["ports"]}
        missing = [port for port, folder in folders.items() if not folder.is_dir()]
        if missing:
            raise Failed(f"there is no port {', '.join(missing)}")
        before, started = {port: counters(folder) for port, folder in folders.items()}, time.monotonic()
        time.sleep(params["seconds"])
        seconds = max(time.monotonic() - started, 0.001)
        found = {port: rates(before[port], counters(folder), seconds) for port, folder in folders.items()}
        ctx.set("links.rates_v1", {port: {"rates": own} for port, own in found.items()})
        wrong = [said for port in found for said in _judge(ctx, port, found[port], folders[port], params)]
        if wrong:
            raise Failed("; ".join(wrong))


def counters(folder):
    """What a port has counted; a counter that its driver lacks is left out. Raises ValueError where it has none."""
    found = {}
    for name in (*ERRORS, *DROPS, *FRAMES):
        try:
            found[name] = int((folder / "statistics" / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    if not found:
        raise ValueError(f"{folder.name}: the counters cannot be read")
    return found


def rates(before, after, seconds):
    """How much each counter has grown a second. One that went back has started anew, and is left out."""
    grown = {name: after[name] - before[name] for name in before if name in after}
    return {name: round(count / seconds, 2) for name, count in grown.items() if count >= 0}


def _judge(ctx, port, found, folder, params):
    """Judge one port; yields what is wrong with it."""
    errors = {name: found[name] for name in ERRORS if found.get(name)}
    if ctx.check(f"errors.{port}", round(sum(errors.values()), 2), "1/s", max=params["max_errors"]) == "failed":
        said = ", ".join(f"{name} {rate:g} a second" for name, rate in errors.items())
        yield f"{port}: {said}: clean or replace cable and optics, then try the other port"
    is_bridged = (folder / "brport").exists()
    for name in DROPS:
        rate = found.get(name, 0.0)
        if is_bridged and name == "rx_dropped":
            ctx.measure(f"{name}.{port}", rate, "1/s")
        elif ctx.check(f"{name}.{port}", rate, "1/s", max=params["max_drops"]) == "failed":
            yield f"{port}: {name} {rate:g} a second: compare the MTU of both ends, look for a full queue (tc -s qdisc)"
