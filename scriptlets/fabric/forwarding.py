# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a Linux router forwards at its ports, and what in its settings would lose packets there."""

from __future__ import annotations

from rack_recipes import Failed, HostFiles, Scriptlet
from scriptlets.tools.commands import run_json

STRICT = 1  # Documentation/networking/ip-sysctl.rst: the way back must be the best one
CONF = "proc/sys/net/ipv4/conf/"


class Forwarding(Scriptlet):
    """Whether a Linux router forwards at its ports, drops nothing there by its settings, and has its own address.

    Sessions and routes are fine on a router that forwards nothing: only what is sent through it is lost.
    """

    options = {
        "ports": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The ports that it forwards at",
        },
        "loopback": {
            "type": "str",
            "default": "",
            "description": "The address of the router itself, that it must have; empty for not judged",
        },
        "min_queue": {
            "type": "int",
            "default": 10,
            "description": "How many packets a queue must take that counts packets",
            "unit": "packets",
            "source": "our choice: a burst of TCP is 10 packets (RFC 6928)",
        },
        "root": {
            "type": "path",
            "default": "/",
            "description": "The folder that has /proc; another one for tests",
        },
    }
    reads = ()
    writes = {
        "fabric.forwarding_v1": (
            "For each port `forwards` and `strict` (whether rp_filter drops what comes over another path), and `queue` "
            "(packets; null where it counts none)"
        )
    }
    needs = ("iproute2 on a Linux router",)
    verdicts = {
        "failed": "a port does not forward, or has too short a queue, or the address is gone",
        "marginal": "a port drops what comes over another path (net.ipv4.conf.PORT.rp_filter is 1, not 0 or 2)",
        "error": "the kernel does not answer",
    }
    example = """
        - name: forwarding
          module: fabric.forwarding
          hosts: "leaves:spines"
          args: {ports: [swp1, swp2]}
    """

    def run(self, ctx, params):
        tree, queues = HostFiles(params["root"]), queues_of(run_json(("tc", "-j", "qdisc", "show")))
        found = {port: {**settings(tree, port), "queue": queues.get(port)} for port in params["ports"]}
        ctx.set("fabric.forwarding_v1", found)
        wrong = [said for port in params["ports"] for said in _judge(ctx, port, found[port], params)]
        if params["loopback"]:
            wrong += _missing_address(ctx, run_json(("ip", "-j", "-4", "address", "show")), params["loopback"])
        if wrong:
            raise Failed("; ".join(wrong))


def settings(tree, port):
    """Whether a port forwards, and whether its filter of sources is strict. Raises ValueError for an unknown port.

    The kernel takes the stricter filter of the port's own and that of all ports.
    """
    forwards, own = tree.number(f"{CONF}{port}/forwarding"), tree.number(f"{CONF}{port}/rp_filter")
    if forwards is None or own is None:
        raise ValueError(f"the kernel tells nothing of the port {port} ({CONF}{port})")
    return {"forwards": bool(forwards), "strict": max(own, tree.number(f"{CONF}all/rp_filter") or 0) == STRICT}


def queues_of(told):
    """How many packets the shortest queue at each port takes, from the JSON of `tc qdisc`; those that count packets."""
    found = {}
    for each in told or ():
        limit = (each.get("options") or {}).get("limit")
        if each.get("kind") in ("pfifo", "fq", "fq_codel", "netem") and isinstance(limit, int):
            found[each["dev"]] = min(limit, found.get(each["dev"], limit))
    return found


def _judge(ctx, port, found, params):
    """Judge one port; yields what is wrong with it."""
    if ctx.check(f"forwards.{port}", found["forwards"], eq=True) == "failed":
        yield f"{port} does not forward: set net.ipv4.ip_forward, and net.ipv4.conf.{port}.forwarding, to 1"
    ctx.check(f"strict.{port}", found["strict"], one_of=[True, False], warn={"eq": False})
    least, queue = params["min_queue"], found["queue"]
    if queue is not None and ctx.check(f"queue.{port}", queue, "packets", min=least) == "failed":
        yield f"the queue of {port} takes {queue} packets, expected {least}: look at `tc qdisc show dev {port}`"


def _missing_address(ctx, told, address):
    """Judge the router's own address; gives what is wrong."""
    held = [each.get("local") for port in told or () for each in port.get("addr_info") or ()]
    if ctx.check("loopback", address if address in held else "absent", eq=address) == "failed":
        return [f"the router does not have its address {address}: put it back (`ip address add {address}/32 dev lo`)"]
    return []
