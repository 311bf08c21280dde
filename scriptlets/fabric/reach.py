# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loss and delay from a host to others, and whether long frames come through."""

from __future__ import annotations

import re

from rack_recipes import Failed, Scriptlet
from scriptlets.tools import pings

LOSS = re.compile(r"([\d.]+)% packet loss")
TIMES = re.compile(r"= ([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+) ms")
HEADERS = 28  # bytes of IPv4 and ICMP


class Reach(Scriptlet):
    """Loss and delay of pings to other hosts, short ones and ones that fill a frame and may not be cut."""

    options = {
        "targets": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The addresses that are pinged",
        },
        "count": {
            "type": "int",
            "default": 20,
            "description": "How many of each kind are sent",
            "unit": "pings",
        },
        "interval": {
            "type": "float",
            "default": 0.01,
            "description": ("The time between two pings; less than 0.2 needs root with some versions of ping"),
            "unit": "s",
        },
        "max_loss": {
            "type": "float",
            "default": 0,
            "description": "How many may be lost",
            "unit": "%",
            "source": "a healthy network loses none",
        },
        "mtu": {
            "type": "int",
            "description": "The size of the long ones; without it only short ones are sent",
            "unit": "bytes",
        },
    }
    reads = ()
    writes = {
        "fabric.reach_v1": ("For each target and for `short` and `long` the loss (%), min_ms, mean_ms and max_ms (ms)")
    }
    needs = ("ping (Debian: iputils-ping)",)
    verdicts = {
        "failed": "pings are lost, or long ones do not arrive",
        "error": "ping does not answer",
    }
    example = """
        - name: reach
          module: fabric.reach
          args: {targets: [10.1.2.11], mtu: 9000}
    """

    def run(self, ctx, params):
        sizes = {"short": 56, **({"long": params["mtu"] - HEADERS} if params["mtu"] else {})}
        found = {
            target: {name: ping(target, size, params["count"], params["interval"]) for name, size in sizes.items()}
            for target in params["targets"]
        }
        ctx.set("fabric.reach_v1", found)
        wrong = [said for target in found for said in _judge(ctx, target, found[target], params["max_loss"])]
        if wrong:
            raise Failed("; ".join(wrong))


def ping(target, size, count, interval):
    """Loss in percent, least, mean and greatest time in ms of pings of `size` bytes that may not be cut."""
    words = ("-n", "-q", "-c", str(count), "-i", str(interval), "-W", "1", "-s", str(size))
    return pings.better_of_two(lambda: read(pings.ping((*words, target))))


def read(text):
    """What the end of ping's output says. Raises ValueError where it says nothing."""
    loss, times = LOSS.search(text), TIMES.search(text)
    if not loss:
        raise ValueError(f"ping says nothing about loss: {text[-200:]!r}")
    names = ("min_ms", "mean_ms", "max_ms")
    return {"loss": float(loss[1]), **(dict(zip(names, map(float, times.groups()))) if times else {})}


def _judge(ctx, target, found, limit):
    """Judge one target; yields what is wrong with it."""
    short = found["short"]["loss"]
    if ctx.check(f"loss.{target}", short, "%", max=limit) == "failed":
        yield f"{target}: {short:g} % lost"
    elif "long" in found and ctx.check(f"loss_long.{target}", found["long"]["loss"], "%", max=limit) == "failed":
        yield f"{target}: short frames arrive, of long ones {found['long']['loss']:g} % are lost: compare MTUs"
    if "mean_ms" in found["short"]:
        ctx.measure(f"time.{target}", found["short"]["mean_ms"], "ms")
