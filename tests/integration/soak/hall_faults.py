# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of a simulated hall, drawn at random, and where a judge has to name them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """A fault as simhall takes it. `at` are the devices that a finding may name, `also` those that suffer from it.

    `words` are what a finding on one of `at` has to say; an empty one says nothing in particular. A fault that is none
    for whoever knows both ways of naming a port has no `at`.
    """

    body: Mapping[str, Any]
    at: frozenset[str]
    words: tuple[str, ...] = ()
    also: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """What it is called."""
        return str(self.body["kind"])


class Draw:
    """Draws faults for a hall, of which `intent` is the plan."""

    def __init__(self, intent: Mapping[str, Any], chance: random.Random) -> None:
        self.chance = chance
        self.cables = list(intent["cables"])
        self.devices = {device["name"]: device for device in intent["devices"]}
        self.nodes = [name for name, own in self.devices.items() if own["role"] == "gpu-node"]
        self.leaves = [name for name, own in self.devices.items() if own["role"] == "leaf-switch"]
        self._taken = {(cable["b"]["device"], cable["b"]["interface"]) for cable in self.cables}

    def of(self, kind: str) -> Fault:
        """A fault of this kind, at a place that is drawn."""
        return KINDS[kind](self, kind)

    def cable(self) -> Fields:
        """A cable of the plan."""
        found: Fields = self.chance.choice(self.cables)
        return found

    def node(self) -> str:
        """A node."""
        return self.chance.choice(self.nodes)

    def spare(self) -> tuple[str, str]:
        """A port of a leaf that the plan leaves empty."""
        ports = [(leaf, port["name"]) for leaf in self.leaves for port in self.devices[leaf]["interfaces"]]
        return self.chance.choice([place for place in ports if place not in self._taken])


def _cable_fault(draw: Draw, kind: str, **fields: Any) -> Fault:
    cable = draw.cable()
    return Fault(
        {"kind": kind, "cable": cable["label"], **fields},
        frozenset((cable["a"]["device"],)),
        (cable["a"]["interface"],),
        frozenset((cable["b"]["device"],)),
    )


def _wrong_port(draw: Draw, kind: str) -> Fault:
    leaf, port = draw.spare()
    return _cable_fault(draw, kind, to_device=leaf, to_interface=port)


def _swap(draw: Draw, kind: str) -> Fault:
    one, other = draw.chance.sample(draw.cables, 2)
    at = frozenset((one["a"]["device"], other["a"]["device"]))
    also = frozenset((one["b"]["device"], other["b"]["device"]))
    return Fault({"kind": kind, "cable_a": one["label"], "cable_b": other["label"]}, at, (), also)


def _degraded(draw: Draw, kind: str) -> Fault:
    return _cable_fault(draw, kind, speed_gbps=draw.chance.choice([100, 200, "down"]))


def _away(draw: Draw, kind: str) -> Fault:
    device = draw.chance.choice([*draw.nodes, *draw.leaves * 4])
    scope = draw.chance.choice(["all", "redfish", "dcgm"]) if device in draw.nodes else "all"
    body = {
        "kind": kind,
        "node": device,
        "mode": draw.chance.choice(["timeout", "http_500", "refused"]),
        "scope": scope,
    }
    return Fault(body, frozenset((device,)), (), frozenset(draw.nodes if device in draw.leaves else ()))


def _firmware(draw: Draw, kind: str) -> Fault:
    component, version = draw.chance.choice(["bmc", "bios", "nic"]), f"0.{draw.chance.randrange(100)}.1"
    node = draw.node()
    return Fault(
        {"kind": kind, "node": node, "component": component, "version": version}, frozenset((node,)), (version,)
    )


def _gpu(draw: Draw, kind: str) -> Fault:
    node = draw.node()
    gpu = draw.chance.randrange(draw.devices[node]["gpu_count"])
    more = {"xid": draw.chance.choice([31, 48, 74, 79, 94, 119, 137])} if kind == "gpu_unhealthy" else {}
    return Fault({"kind": kind, "node": node, "gpu": gpu, **more}, frozenset((node,)), ("GPU",))


def _node(draw: Draw, kind: str) -> Fault:
    node = draw.node()
    return Fault({"kind": kind, "node": node}, frozenset((node,)))


def _leak(draw: Draw, kind: str) -> Fault:
    node = draw.node()
    return Fault({"kind": kind, "node": node}, frozenset((node,)), ("leak",))


def _mac(draw: Draw, kind: str) -> Fault:
    return Fault({"kind": kind, "leaf": draw.chance.choice(draw.leaves)}, frozenset())


KINDS: Mapping[str, Callable[[Draw, str], Fault]] = {
    "wrong_port": _wrong_port,
    "missing_link": _cable_fault,
    "swap_pair": _swap,
    "unreachable_node": _away,
    "partial_redfish": _node,
    "firmware_off_baseline": _firmware,
    "gpu_unhealthy": _gpu,
    "gpu_missing": _gpu,
    "nvlink_degraded": _node,
    "link_degraded": _degraded,
    "node_health_warning": _node,
    "coolant_leak": _leak,
    "pdu_outlet_off": _node,
    "lldp_port_id_mac": _mac,
}


def pairs(draw: Draw, count: int) -> Sequence[tuple[Fault, Fault]]:
    """Pairs of faults of different kinds, at different devices."""
    found: list[tuple[Fault, Fault]] = []
    while len(found) < count:
        one, other = (draw.of(kind) for kind in draw.chance.sample([*KINDS], 2))
        if not (one.at | one.also) & (other.at | other.also):
            found.append((one, other))
    return found
