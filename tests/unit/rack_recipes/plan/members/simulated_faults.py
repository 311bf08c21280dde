# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts with faults, as a search between hosts sees them: a test fails where a faulty node, link or uplink is in it.

A test of a group sends between all of its members (as an all-to-all does), so it fails on a fault of one pair of them;
as a star it sends between the first one and each other (as `fabric.incast` does). `fabric` says behind which uplink
each host is, `domains` what a recipe says of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rack_recipes.plan.members.isolate_faults import PAIR, Isolation, domains_for
from rack_recipes.plan.members.match_members import MemberTest
from rack_recipes.plan.members.sides import NODE, UPLINK, Conviction, Outcome

MOST_ROUNDS = 100
COLUMNS: Mapping[str, str] = {
    "fault": "fault",
    "scope": "scope",
    "hosts": "hosts",
    "found": "found",
    "wrong": "wrong findings",
    "tests": "tests at most",
    "rounds": "rounds at most",
    "all_pairs": "all pairs",
    "lower_bound": "lower bound",
}


@dataclass(frozen=True)
class Faults:
    """Slow nodes, links that are slow by themselves, and the names of slow uplinks."""

    nodes: frozenset[str] = frozenset()
    links: frozenset[frozenset[str]] = frozenset()
    uplinks: frozenset[str] = frozenset()

    def fails(self, test: MemberTest, fabric: Mapping[str, str], *, is_star: bool = False) -> bool:
        """Whether a test fails by these faults."""
        members = {*test.members}
        crossed = {fabric[host] if fabric[host] in self.uplinks else "" for host in members}
        links = [link for link in self.links if link <= members and (not is_star or test.members[0] in link)]
        return bool(members & self.nodes or links or len(crossed) > 1)

    def named(self) -> set[tuple[str, Any]]:
        """Kind and name of each."""
        nodes = {("node", (host,)) for host in self.nodes}
        return nodes | {("link", tuple(sorted(link))) for link in self.links} | {("uplink", at) for at in self.uplinks}

    def is_innocent(self, one: Conviction, fabric: Mapping[str, str]) -> bool:
        """Whether what is named has none of these faults. A host alone behind a slow uplink is as good as slow."""
        behind = [{host for host, at in fabric.items() if at == uplink} - self.nodes for uplink in self.uplinks]
        members = {*one.members}
        if one.kind == NODE:
            return not (members <= self.nodes or members in behind)
        if one.kind == UPLINK:
            return not any(members <= hosts for hosts in behind)
        return members not in self.links


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


Measured = Callable[[Sequence[MemberTest]], Sequence[Outcome]]
"""How the tests of a round end."""


def end(isolation: Isolation, measured: Measured) -> Isolation:
    """Search to the end."""
    rounds = 0
    while tests := isolation.next_round():
        rounds += 1
        busy = [host for test in tests for host in test.members]
        assert len(busy) == len({*busy}), "a host is in two tests of one round"
        assert rounds < MOST_ROUNDS
        isolation.take(measured(tests))
    return isolation


def simulated(faults: Faults, fabric: Mapping[str, str], *, is_star: bool = False) -> Measured:
    """How tests end by these faults."""
    return lambda tests: [Outcome(not faults.fails(test, fabric, is_star=is_star)) for test in tests]


def judged(isolation: Isolation, faults: Faults) -> Searched:
    """What a search by the domains of the fabric has found."""
    found = {
        (one.kind, one.domain if one.kind == UPLINK else tuple(sorted(one.members)))
        for one in isolation.convicted
        if not one.is_candidate
    }
    told = faults.named()
    rounds = max((each.round for each in isolation.tried), default=0)
    return Searched(len(found & told), len(told), len(found - told), len(isolation.tried), rounds)


@contextmanager
def _simulation(faults: Faults, domains: Mapping[str, str]) -> Iterator[Measured]:
    yield simulated(faults, domains)


def searched(
    count: int,
    racks: int,
    fault: str,
    scope: str,
    seeds: int,
    broken: Callable[[Faults, Mapping[str, str]], AbstractContextManager[Measured]] = _simulation,
) -> dict[str, Any]:
    """A row of the table: the same fault drawn by each seed. Without racks there are groups of about the root.

    `broken` makes the faults and measures.
    """
    hosts = [f"n{number:03d}" for number in range(count)]
    domains = domains_for(hosts, {host: f"rack{place * racks // count}" for place, host in enumerate(hosts)})
    found = []
    for seed in range(seeds):
        faults = DRAWN[fault](domains, random.Random(f"{fault} {seed}"))
        with broken(faults, domains) as measured:
            isolation = Isolation(hosts, domains, PAIR if scope == "pair" else 0, seed)
            found.append(judged(end(isolation, measured), faults))
    faults_each = found[0].faults
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
        "lower_bound": math.ceil(math.log2(math.comb(count, faults_each))) if "node" in fault else None,
    }


def table(page: Path, rows: Sequence[Mapping[str, Any]], begin: str, end_: str, note: str = "") -> str:
    """A page with these rows between two of its lines, and a sentence below them."""
    head, rest = page.read_text().split(begin)
    lines = [f"| {' | '.join(COLUMNS.values())} |", f"|{' --- |' * len(COLUMNS)}"]
    lines += [f"| {' | '.join('' if row[name] is None else str(row[name]) for name in COLUMNS)} |" for row in rows]
    return "\n".join([head + begin, *lines, "", *([note, ""] if note else []), end_ + rest.split(end_)[1]])
