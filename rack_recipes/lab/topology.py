# SPDX-License-Identifier: GPL-3.0-or-later

"""What a virtual rack consists of: nodes with their places and addresses, and the cables between their ports.

Every leaf has a cable to every spine; each server has one to its leaf. Two leaves and their servers stand in one rack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from rack_recipes.errors import UsageError

SPINE, LEAF, SERVER = "spine", "leaf", "server"
PLURALS = {SPINE: "spines", LEAF: "leaves", SERVER: "servers"}
MANAGEMENT = "192.168.255"
"""The first three bytes of the management network, which is inside of the rack's own namespace."""

MANAGER = f"{MANAGEMENT}.254"
FIRST = {SPINE: 1, LEAF: 21, SERVER: 61}
"""The last byte of the management address of the first node of each role."""

FIRST_BMC = 129
"""The last byte of the management address of the first server's BMC."""

MOST = {SPINE: 8, LEAF: 32, SERVER: 64}
SPINE_AS, FIRST_LEAF_AS = 65000, 65011
LEAVES_IN_RACK, SERVERS_IN_RACK = 2, 40
FIRST_UNIT = {SPINE: 40, LEAF: 41, SERVER: 1}
"""The height unit of the first node of a role in its rack."""

FABRIC_MTU = 9000


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a node."""

    node: str
    name: str

    def __str__(self) -> str:
        return f"{self.node}:{self.name}"


@dataclass(frozen=True, slots=True)
class Cable:
    """A cable between two ports; that of the node nearer to the spines comes first."""

    upper: Port
    lower: Port

    def end_at(self, node: str) -> Port | None:
        """The port of a node that this cable is in, if there is one."""
        return next((port for port in (self.upper, self.lower) if port.node == node), None)

    def other(self, port: Port) -> Port:
        """The port at the other end."""
        return self.lower if port == self.upper else self.upper


@dataclass(frozen=True, slots=True)
class Node:
    """One node: where it stands, how it is reached, and what it has in the fabric.

    `asn` is the number of its autonomous system, 0 for servers. `prefix` is the network of a leaf and its servers.
    `bmc` is the management address of a server's BMC.
    """

    name: str
    role: str
    rack: str
    unit: int
    management: str
    loopback: str = ""
    asn: int = 0
    prefix: str = ""
    address: str = ""
    bmc: str = ""


@dataclass(frozen=True)
class Topology:
    """All nodes by name, and all cables."""

    nodes: Mapping[str, Node]
    cables: tuple[Cable, ...]
    counts: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def ports(self) -> Mapping[Port, Cable]:
        """The cable in each port."""
        return {port: cable for cable in self.cables for port in (cable.upper, cable.lower)}

    def of_role(self, role: str) -> list[Node]:
        """The nodes of a role, in their order."""
        return [node for node in self.nodes.values() if node.role == role]

    def ports_of(self, node: str) -> list[Port]:
        """The ports of a node that have a cable, in the order of their names."""
        return [port for cable in self.cables if (port := cable.end_at(node))]

    def leaf_of(self, server: str) -> Node:
        """The leaf of a server."""
        return self.nodes[self.ports[Port(server, "eth1")].upper.node]


LEAVES, SERVERS = 4, 8


def build(spines: int = 2, leaves: int | None = None, servers: int | None = None) -> Topology:
    """A rack with so many nodes of each role, of servers one for each leaf or more.

    What is not given fits the rest: LEAVES and SERVERS, or fewer leaves or more servers. Raises UsageError where there
    are too few or too many.
    """
    leaves = min(LEAVES, max(1, servers or SERVERS)) if leaves is None else leaves
    servers = max(SERVERS, leaves) if servers is None else servers
    counts = {SPINE: spines, LEAF: leaves, SERVER: servers}
    for role, count in counts.items():
        if not 1 <= count <= MOST[role]:
            raise UsageError(f"--{PLURALS[role]} {count}: expected a number from 1 to {MOST[role]}")
    if servers < leaves:
        raise UsageError(f"--servers {servers}: expected at least one for each of the {leaves} leaves")
    room = SERVERS_IN_RACK * -(-leaves // LEAVES_IN_RACK)
    if servers > room:
        raise UsageError(f"--servers {servers}: the racks of {leaves} leaves have room for {room}")
    nodes = [*_spines(spines), *_leaves(leaves), *_servers(servers, leaves)]
    return Topology({node.name: node for node in nodes}, tuple(_cables(spines, leaves, servers)), counts)


def _management(role: str, number: int) -> str:
    return f"{MANAGEMENT}.{FIRST[role] + number - 1}"


def _spines(count: int) -> Iterator[Node]:
    for number in range(1, count + 1):
        yield Node(
            f"spine{number}", SPINE, "rack0", FIRST_UNIT[SPINE] + number, _management(SPINE, number),
            loopback=f"10.0.255.{number}", asn=SPINE_AS,
        )  # fmt: skip


def _rack(leaf: int) -> str:
    return f"rack{(leaf - 1) // LEAVES_IN_RACK + 1}"


def _leaves(count: int) -> Iterator[Node]:
    for number in range(1, count + 1):
        yield Node(
            f"leaf{number}", LEAF, _rack(number), FIRST_UNIT[LEAF] + (number - 1) % LEAVES_IN_RACK,
            _management(LEAF, number), loopback=f"10.0.255.{20 + number}", asn=FIRST_LEAF_AS + number - 1,
            prefix=f"10.1.{number}.0/24", address=f"10.1.{number}.1",
        )  # fmt: skip


def _servers(count: int, leaves: int) -> Iterator[Node]:
    units: dict[str, int] = {}
    for number in range(1, count + 1):
        leaf = leaf_number(number, count, leaves)
        rack = _rack(leaf)
        unit = units[rack] = units.get(rack, FIRST_UNIT[SERVER] - 1) + 1
        yield Node(
            f"server{number}", SERVER, rack, unit, _management(SERVER, number),
            prefix=f"10.1.{leaf}.0/24", address=f"10.1.{leaf}.{10 + number}",
            bmc=f"{MANAGEMENT}.{FIRST_BMC + number - 1}",
        )  # fmt: skip


def leaf_number(server: int, servers: int, leaves: int) -> int:
    """The number of a server's leaf: neighbours share one, and all leaves have as many as possible alike."""
    return (server - 1) * leaves // servers + 1


def _cables(spines: int, leaves: int, servers: int) -> Iterator[Cable]:
    for leaf in range(1, leaves + 1):
        for spine in range(1, spines + 1):
            yield Cable(Port(f"spine{spine}", f"swp{leaf}"), Port(f"leaf{leaf}", f"swp{spine}"))
    used = dict.fromkeys(range(1, leaves + 1), spines)
    for server in range(1, servers + 1):
        leaf = leaf_number(server, servers, leaves)
        used[leaf] += 1
        yield Cable(Port(f"leaf{leaf}", f"swp{used[leaf]}"), Port(f"server{server}", "eth1"))
