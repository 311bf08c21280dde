# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State, frame size, errors and flaps of a host's ports."""

from __future__ import annotations

import time
from pathlib import Path

from rack_recipes import Failed, HostFiles, Scriptlet

# Dropped frames are not among them: a healthy bridge drops what is not meant for it.
ERRORS = ("rx_errors", "tx_errors", "rx_crc_errors", "rx_frame_errors", "rx_length_errors")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
FRAMES = ("rx_packets", "tx_packets")


class LinkPorts(Scriptlet):
    """Whether ports are up, take frames of the right size, and count neither errors nor flaps meanwhile.

    Counters are read twice, since what they have counted before says nothing about now.
    """

    options = {
        "ports": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The ports that must be up",
        },
        "mtu": {
            "type": "int",
            "description": "The size of the frames that they must take",
            "unit": "bytes",
        },
        "seconds": {
            "type": "float",
            "default": 1,
            "min": 0,
            "max": 86_400,
            "description": "The time between two looks at the counters",
            "unit": "s",
        },
        "max_errors": {
            "type": "int",
            "default": 0,
            "description": "How many errors a port may count meanwhile",
            "unit": "frames",
            "source": "a healthy link has hardly any (IEEE 802.3: at most one wrong bit in 10^12)",
        },
        "max_flaps": {
            "type": "int",
            "description": (
                "How often a port may have lost its carrier since the host started; by default that is only measured"
            ),
            "unit": "times",
        },
        "root": {
            "type": "path",
            "default": "/sys/class/net",
            "description": "The kernel's folder of ports; another one for tests",
        },
    }
    reads = ()
    writes = {
        "links.ports_v1": (
            "For each port state, mtu (bytes), downs (times), errors (frames) and `counters` that have grown (frames)"
        ),
        "host.start_v1": "boot_id, which is another one at each start of the host: counters begin anew then",
    }
    needs = ()
    verdicts = {
        "failed": "a port is not there, down, has another MTU, counts errors or has flapped",
    }
    example = """
        - name: ports
          module: link.ports
          args: {ports: [eth0], mtu: 1500}
    """

    def run(self, ctx, params):
        root, ports = Path(params["root"]), params["ports"]
        missing = [port for port in ports if not (root / port).is_dir()]
        if missing:
            raise Failed(f"there is no port {', '.join(missing)}")
        before = {port: read_port(root / port) for port in ports}
        time.sleep(params["seconds"])
        found = {port: compared(before[port], read_port(root / port)) for port in ports}
        ctx.set("links.ports_v1", found)
        ctx.set("host.start_v1", {"boot_id": BOOT_ID.read_text(encoding="ascii").strip()})
        wrong = [said for port in ports for said in _judge(ctx, port, found[port], params)]
        if wrong:
            raise Failed("; ".join(wrong))


def read_port(folder):
    """What a port is now; a counter that its driver lacks is None."""
    files = HostFiles(folder)
    counters = {name: files.number(f"statistics/{name}") for name in (*ERRORS, *FRAMES)}
    return {
        "state": files.text("operstate") or "unknown",
        "mtu": files.number("mtu"),
        "downs": files.number("carrier_down_count"),
        **counters,
    }


def compared(before, after):
    """What a port is now, and what it has counted since."""
    grown = {name: after[name] - before[name] for name in ERRORS if None not in (before[name], after[name])}
    return {
        "state": after["state"], "mtu": after["mtu"], "downs": after["downs"],
        "errors": sum(grown.values()), "counters": {name: count for name, count in grown.items() if count},
    }  # fmt: skip


def _judge(ctx, port, found, params):
    """Judge one port; yields what is wrong with it."""
    if ctx.check(f"state.{port}", found["state"], one_of=["up", "unknown"]) == "failed":
        yield f"{port} is {found['state']}"
    if params["mtu"] is not None and ctx.check(f"mtu.{port}", found["mtu"], "bytes", eq=params["mtu"]) == "failed":
        yield f"{port} takes frames of {found['mtu']} bytes, expected {params['mtu']}"
    if ctx.check(f"errors.{port}", found["errors"], "frames", max=params["max_errors"]) == "failed":
        counted = ", ".join(f"{name} {count}" for name, count in found["counters"].items())
        yield f"{port} has counted {counted} within {params['seconds']:g} s"
    if params["max_flaps"] is None or found["downs"] is None:
        ctx.measure(f"downs.{port}", found["downs"], "times")
    elif ctx.check(f"downs.{port}", found["downs"], "times", max=params["max_flaps"]) == "failed":
        yield f"{port} has lost its carrier {found['downs']} times"
