# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loss on each cable between two routers, so that a bad one is named and not only the ways that lead over it."""

from __future__ import annotations

import re
from statistics import median

from rack_recipes import Failed, Scriptlet
from scriptlets.fabric.reach import read
from scriptlets.tools import pings
from scriptlets.tools.commands import run_json

TIME = re.compile(r"time[=<]([\d.]+) ms")
HEADERS = 48  # bytes of IPv6 and ICMPv6


class CableLoss(Scriptlet):
    """Loss and delay on each cable between two routers, by pings with short and with long frames.

    The router at the other end is pinged by its link-local address. The long frames come faster than 10 Mbit/s
    take, so they wait on a cable that has become slow.
    """

    options = {
        "ports": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The ports at whose other end a router is",
        },
        "mtu": {
            "type": "int",
            "default": 1500,
            "description": "The size of the long frames",
            "unit": "bytes",
        },
        "count": {
            "type": "int",
            "default": 100,
            "description": "How many of each kind are sent",
            "unit": "pings",
        },
        "interval": {
            "type": "float",
            "default": 0.005,
            "description": "The time between two pings",
            "unit": "s",
        },
        "max_loss": {
            "type": "float",
            "default": 0,
            "description": "How many may be lost",
            "unit": "%",
            "source": "a healthy cable loses none",
        },
        "max_ms": {
            "type": "float",
            "default": 10,
            "description": ("Half of the long ones take at most so long; a single one may take longer on a busy host"),
            "unit": "ms",
            "source": (
                "far above what a cable in a hall adds (microseconds), far below what a queue of a slow one adds"
            ),
        },
    }
    reads = ()
    writes = {
        "fabric.cables_v1": (
            "For each port its `neighbour` (an address), and for `short` and `long` the `loss` (%) and `median_ms` (ms)"
        )
    }
    needs = (
        "root",
        "ping (Debian: iputils-ping)",
        "IPv6 on the ports",
    )
    verdicts = {
        "failed": "a cable has no neighbour, loses frames or delays them",
        "error": "ping does not answer",
    }
    example = """
        - name: cables
          module: fabric.cables
          hosts: leaves
          become: true
          args: {ports: [swp1, swp2], mtu: 9000}
    """

    def run(self, ctx, params):
        found = {port: cable(port, params) for port in params["ports"]}
        ctx.set("fabric.cables_v1", found)
        wrong = [said for port in found if (said := _judge(ctx, port, found[port], params))]
        if wrong:
            raise Failed("; ".join(wrong))


def cable(port, params):
    """What pings over one cable come to; without a neighbour there is nothing to ping."""
    address = neighbour(run_json(("ip", "-j", "-6", "neigh", "show", "dev", port)))
    if not address:
        return {"neighbour": None}
    sizes = {"short": 56, "long": params["mtu"] - HEADERS}
    return {
        "neighbour": address,
        **{name: ping(f"{address}%{port}", size, params) for name, size in sizes.items()},
    }


def neighbour(told):
    """The link-local address of the router at the other end, from the JSON of `ip neigh`; None where none is known."""
    found = [each["dst"] for each in told or () if "router" in each and each["dst"].startswith("fe80:")]
    return found[0] if len(found) == 1 else None


def ping(target, size, params):
    """Loss in percent and the median time in ms of pings of one size; the time is None if none came back."""
    words = ("-6", "-n", "-W", "1", "-c", str(params["count"]), "-i", str(params["interval"]), "-s", str(size), target)
    return pings.better_of_two(lambda: _figures(pings.ping(words, exit_codes=(0, 1, 2))))


def _figures(text):
    times = [float(found) for found in TIME.findall(text)]
    return {"loss": read(text)["loss"], "median_ms": median(times) if times else None}


def _judge(ctx, port, found, params):
    """Judge one cable; returns what is wrong with it."""
    limit, most = params["max_loss"], params["max_ms"]
    if found["neighbour"] is None:
        ctx.check(f"loss.{port}", 100.0, "%", max=limit)
        return f"{port}: no router is known at the other end"
    short, long = found["short"], found["long"]
    if ctx.check(f"loss.{port}", short["loss"], "%", max=limit) == "failed":
        return f"{port}: {short['loss']:g} % of short frames are lost: clean or replace the cable"
    if ctx.check(f"loss_long.{port}", long["loss"], "%", max=limit) == "failed":
        return f"{port}: {long['loss']:g} % of long frames are lost: compare MTU and speed of both ends"
    if ctx.check(f"time_long.{port}", long["median_ms"], "ms", max=most) == "failed":
        return f"{port}: long frames take {long['median_ms']:g} ms: compare the speed of both ends"
    return ""
