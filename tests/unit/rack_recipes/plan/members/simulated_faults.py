# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts with faults, as a search between hosts sees them: a test fails where a faulty node, link or uplink is in it.

A test of a group sends between all of its members (as an all-to-all does), so it fails on a fault of one pair of them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rack_recipes.plan.members.isolate_faults import Isolation, Outcome, domains_for, merge_uplinks
from rack_recipes.plan.members.match_members import MemberTest

MOST_ROUNDS = 100


@dataclass(frozen=True)
class Faults:
    """Slow nodes, links that are slow by themselves, and domains behind a slow uplink."""

    nodes: frozenset[str] = frozenset()
    links: frozenset[frozenset[str]] = frozenset()
    uplinks: frozenset[str] = frozenset()

    def fails(self, test: MemberTest, domains: Mapping[str, str]) -> bool:
        """Whether a test fails by these faults."""
        members = {*test.members}
        crossed = {domains[host] for host in members}
        return bool(
            members & self.nodes
            or any(link <= members for link in self.links)
            or (len(crossed) > 1 and crossed & self.uplinks)
        )

    def named(self) -> set[tuple[str, Any]]:
        """Kind and name of each."""
        nodes = {("node", (host,)) for host in self.nodes}
        return nodes | {("link", tuple(sorted(link))) for link in self.links} | {("uplink", at) for at in self.uplinks}


def _in_one_domain(domains: Mapping[str, str], chance: random.Random) -> list[str]:
    domain = chance.choice(sorted({*domains.values()}))
    return chance.sample([host for host, own in domains.items() if own == domain], 2)


def _apart(domains: Mapping[str, str], chance: random.Random) -> list[str]:
    while True:
        pair = chance.sample([*domains], 2)
        if domains[pair[0]] != domains[pair[1]]:
            return pair


Draw = Callable[[Mapping[str, str], random.Random], Faults]
DRAWN: Mapping[str, Draw] = {
    "no fault": lambda _domains, _chance: Faults(),
    "one slow node": lambda domains, chance: Faults(nodes=frozenset(chance.sample([*domains], 1))),
    "one slow link inside a rack": lambda domains, chance: Faults(
        links=frozenset([frozenset(_in_one_domain(domains, chance))])
    ),
    "two slow nodes of one rack": lambda domains, chance: Faults(nodes=frozenset(_in_one_domain(domains, chance))),
    "slow uplink of a rack": lambda domains, chance: Faults(
        uplinks=frozenset([chance.choice(sorted({*domains.values()}))])
    ),
    "one pair alone, across racks": lambda domains, chance: Faults(
        links=frozenset([frozenset(_apart(domains, chance))])
    ),
    "five slow nodes": lambda domains, chance: Faults(nodes=frozenset(chance.sample([*domains], 5))),
}


@dataclass(frozen=True)
class Searched:
    """What a search has found: right findings of so many faults, wrong ones, and what it took."""

    right: int
    faults: int
    wrong: int
    tests: int
    rounds: int


def search(hosts: Sequence[str], domains: Mapping[str, str], faults: Faults, largest: int, seed: int) -> Searched:
    """Search among these hosts until the end."""
    isolation = Isolation(hosts, domains, largest, seed)
    rounds = 0
    while tests := isolation.next_round():
        rounds += 1
        busy = [host for test in tests for host in test.members]
        assert len(busy) == len({*busy}), "a host is in two tests of one round"
        assert rounds < MOST_ROUNDS
        isolation.take([Outcome(not faults.fails(test, domains)) for test in tests])
    found = merge_uplinks(isolation.convicted, domains)
    named = {(one.kind, one.domain if one.kind == "uplink" else tuple(sorted(one.members))) for one in found}
    return Searched(
        len(named & faults.named()), len(faults.named()), len(named - faults.named()), len(isolation.tried), rounds
    )


def searched(count: int, racks: int, fault: str, scope: str, seeds: int) -> dict[str, Any]:
    """A row of the table: the same fault drawn by each seed. Without racks there are groups of about the root."""
    hosts = [f"n{number:03d}" for number in range(count)]
    domains = {host: f"rack{place * racks // count}" for place, host in enumerate(hosts)} if racks else {}
    domains = domains_for(hosts, domains)
    found = []
    for seed in range(seeds):
        chance = random.Random(f"{fault} {seed}")
        found.append(search(hosts, domains, DRAWN[fault](domains, chance), 2 if scope == "pair" else 0, seed))
    faults = found[0].faults
    return {
        "hosts": count,
        "racks": racks,
        "scope": scope,
        "fault": fault,
        "found": f"{sum(one.right for one in found)} of {sum(one.faults for one in found)}",
        "wrong": sum(one.wrong for one in found),
        "tests": max(one.tests for one in found),
        "rounds": max(one.rounds for one in found),
        "all_pairs": count * (count - 1) // 2,
        "lower_bound": math.ceil(math.log2(math.comb(count, faults))) if "node" in fault else None,
    }
