# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loss, delay and jitter from a host to others over all equal paths, and how large frames may be on the way."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from scriptlets.fabric.reach import read
from scriptlets.tools import pings
from scriptlets.tools.probes import figures, probe

HEADERS = 28  # bytes of IPv4 and ICMP
SIZES = (9216, 9000, 8000, 4000, 2000, 1500, 1450, 1400, 1280, 576)
"""Sizes of packets that networks are set to, and with room for tunnels; 576 bytes every IPv4 host takes (RFC 791)."""


class Mesh(Scriptlet):
    """Opens `flows` TCP connections to a closed port of each target, each a flow of its own.

    A port that is closed or open answers alike; one that a firewall drops does not. The probability that 64 flows miss
    one of four equal paths is 4 * 0.75 ** 64, below 1 in 10 million. A probe counts as lost after `timeout` seconds,
    before TCP sends it again (after 1 s, RFC 6298). Delay and jitter are measured; give limits to have them judged.
    With `mtu` packets of so many bytes must arrive uncut; else the next of the usual sizes that does is told.
    """

    options = {
        "targets": {"type": "list", "elements": "str", "required": True},
        "port": {"type": "int", "default": 7},
        "flows": {"type": "int", "default": 64},
        "interval": {"type": "float", "default": 0.002},
        "timeout": {"type": "float", "default": 0.9},
        "max_loss": {"type": "float", "default": 0},
        "max_p99_ms": {"type": "float"},
        "max_jitter_ms": {"type": "float"},
        "mtu": {"type": "int"},
    }
    reads = ()
    writes = ("fabric.mesh_v1",)

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
