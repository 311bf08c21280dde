# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.errors import UsageError
from rack_recipes.lab.topology import MANAGER, MOST, Port, build

COUNTS = [st.integers(1, most) for most in MOST.values()]


@given(*COUNTS)
def test_every_cable_has_two_ports_of_its_own_and_every_node_an_address(spines: int, leaves: int, servers: int) -> None:
    servers = max(leaves, min(servers, 20 * leaves))
    topology = build(spines, leaves, servers)
    assert len(topology.ports) == 2 * len(topology.cables) == 2 * (spines * leaves + servers)
    addresses = [MANAGER, *(node.management for node in topology.nodes.values())]
    addresses += [node.bmc for node in topology.of_role("server")]
    assert len({*addresses}) == len(addresses) == 1 + spines + leaves + 2 * servers
    assert all(int(address.rpartition(".")[2]) < 255 for address in addresses)
    assert len({(node.rack, node.unit) for node in topology.nodes.values()}) == spines + leaves + servers
    assert {topology.ports[port].other(port).node for port in topology.ports_of("spine1")} == {
        node.name for node in topology.of_role("leaf")
    }


def test_neighbouring_servers_share_a_leaf_and_two_leaves_a_rack() -> None:
    topology = build()
    assert [topology.leaf_of(f"server{number}").name for number in (1, 2, 3, 8)] == ["leaf1", "leaf1", "leaf2", "leaf4"]
    assert {node.name for node in topology.nodes.values() if node.rack == "rack2"} == {
        "leaf3", "leaf4", "server5", "server6", "server7", "server8",
    }  # fmt: skip
    assert topology.ports[Port("server1", "eth1")].upper == Port("leaf1", "swp3")


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((0, 1, 1), "--spines 0: expected a number from 1 to 8"),
        ((1, 33, 1), "--leaves 33: expected a number from 1 to 32"),
        ((1, 1, -1), "--servers -1: expected a number from 1 to 64"),
        ((1, 2, 1), "--servers 1: expected at least one for each of the 2 leaves"),
        ((1, 2, 41), "--servers 41: the racks of 2 leaves have room for 40"),
    ],
)
def test_counts_that_make_no_rack(counts: tuple[int, int, int], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        build(*counts)


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ({}, (4, 8)),
        ({"servers": 1}, (1, 1)),
        ({"leaves": 1}, (1, 8)),
        ({"leaves": 12}, (12, 12)),
        ({"servers": 3}, (3, 3)),
    ],
)
def test_what_is_not_given_fits_the_rest(given: dict[str, int], counts: tuple[int, int]) -> None:
    topology = build(**given)
    assert (len(topology.of_role("leaf")), len(topology.of_role("server"))) == counts
