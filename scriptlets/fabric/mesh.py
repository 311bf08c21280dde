# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loss, delay and jitter from a host to others over all equal paths, and how large frames may be on the way."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.fabric.reach import read
from scriptlets.tools import pings
from scriptlets.tools.probes import figures, probe

HEADERS = 28  # bytes of IPv4 and ICMP
SIZES = (9216, 9000, 8000, 4000, 2000, 1500, 1450, 1400, 1280, 576)
"""Sizes of packets that networks are set to, and with room for tunnels; 576 bytes every IPv4 host takes (RFC 791)."""


class Mesh(Scriptlet):
    """Loss, delay, jitter and path MTU from a host to others, over many flows.

    Each flow is a TCP connection to a closed port of the target, whose kernel answers; no program needs to run
    there. A port that a firewall drops does not answer. The probability that 64 flows miss one of four equal paths
    is 4 * 0.75 ** 64, below 1 in 10 million. Delay and jitter are measured; give limits to have them judged.
    """

    options = {
        "targets": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The addresses that are asked",
        },
        "port": {
            "type": "int",
            "default": 7,
            "description": "The port that is asked, closed or open",
            "unit": "TCP port",
            "source": "echo (RFC 862), which hardly any host has",
        },
        "flows": {
            "type": "int",
            "default": 64,
            "description": "How many flows each target gets",
            "unit": "flows",
        },
        "interval": {
            "type": "float",
            "default": 0.002,
            "description": "The time between two flows",
            "unit": "s",
        },
        "timeout": {
            "type": "float",
            "default": 0.9,
            "description": "When a flow counts as lost",
            "unit": "s",
            "source": "before TCP sends it again, after 1 s (RFC 6298)",
        },
        "max_loss": {
            "type": "float",
            "default": 0,
            "description": "How many flows may be lost",
            "unit": "%",
            "source": "a healthy network loses none",
        },
        "max_p99_ms": {
            "type": "float",
            "description": "The longest delay of 99 in 100 flows",
            "unit": "ms",
        },
        "max_jitter_ms": {
            "type": "float",
            "description": "The greatest mean difference between two delays",
            "unit": "ms",
        },
        "mtu": {
            "type": "int",
            "description": (
                "Packets of this size must arrive uncut; else the next of the usual sizes that does is told"
            ),
            "unit": "bytes",
        },
    }
    reads = ()
    writes = {
        "fabric.mesh_v1": (
            "For each target loss (%), p50_ms, p95_ms, p99_ms, max_ms, jitter_ms (ms), and mtu (bytes) where "
            "it was asked for"
        )
    }
    needs = ()
    verdicts = {
        "failed": "flows are lost, or too slow, or the frames are smaller than mtu",
        "error": "an address is none",
    }
    example = """
        - name: mesh
          module: fabric.mesh
          args: {targets: [10.1.2.11, 10.1.3.11], mtu: 9000, max_p99_ms: 1}
    """

    def run(self, ctx, params):
        found = {target: self.measured(target, params) for target in params["targets"]}
        ctx.set("fabric.mesh_v1", found)
        wrong = [said for target in found for said in _judge(ctx, target, found[target], params)]
        if wrong:
            raise Failed("; ".join(wrong))

    def measured(self, target, params):
        """The figures of one target; without any answer, no MTU."""
        own = figures(probe(target, params["port"], params["flows"], params["interval"], params["timeout"]))
        wants_mtu = params["mtu"] and own["loss"] < 100
        return {**own, **({"mtu": path_mtu(target, params["mtu"])} if wants_mtu else {})}


def path_mtu(target, most):
    """The largest packet that arrives uncut: `most` bytes, or the next of the usual sizes; 0 where none does."""
    sizes = (most, *(size for size in SIZES if size < most))
    return next((size for size in sizes if arrives(target, size)), 0)


def arrives(target, size):
    """Whether one of three packets of this size is answered."""
    words = ("-n", "-q", "-c", "3", "-i", "0.05", "-W", "0.3", "-s", str(size - HEADERS))
    return read(pings.ping((*words, target)))["loss"] < 100


def _judge(ctx, target, found, params):
    """Judge one target; yields what is wrong with the way to it."""
    if ctx.check(f"loss.{target}", found["loss"], "%", max=params["max_loss"]) == "failed":
        yield f"{target}: {found['loss']:g} % of {params['flows']} flows are lost: {advice(found['loss'])}"
    for name, limit in (("p99_ms", params["max_p99_ms"]), ("jitter_ms", params["max_jitter_ms"])):
        if limit is None or found[name] is None:
            ctx.measure(f"{name}.{target}", found[name], "ms")
        elif ctx.check(f"{name}.{target}", found[name], "ms", max=limit) == "failed":
            yield f"{target}: {name.partition('_')[0]} is {found[name]:g} ms, at most {limit:g}: look for a busy link"
    if "mtu" in found and ctx.check(f"mtu.{target}", found["mtu"], "bytes", min=params["mtu"]) == "failed":
        yield f"{target}: packets of {found['mtu']} bytes arrive, not of {params['mtu']}: compare MTUs on the way"


def advice(loss):
    """What a share of lost flows tells."""
    if loss >= 100:
        return "look at routes and cables of both ends"
    return "one of several paths loses packets, look at the step that tests each cable"
