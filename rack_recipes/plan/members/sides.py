# SPDX-License-Identifier: GPL-3.0-or-later

"""Who passes with whom, and what follows: which node, link or uplink is to blame, and where the tests cannot tell.

Two hosts that pass together are on one side of every slow uplink, and neither is slow itself. So hosts that passed with
each other, also by way of others, are one side. The largest one is the anchor. A host that never passed is a side of
its own: it is slow, if it fails beside the anchor and beside all other sides. Several hosts of one side that fail
beside the anchor are good themselves: what joins them to it is slow. Two hosts of one side that fail together have a
slow link. Nothing here trusts the domains of a recipe, which need not be those of the fabric.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rack_recipes.plan.members.match_members import MemberTest

NODE, LINK, UPLINK = "node", "link", "uplink"
CLEARLY_MORE = 1.5  # so many times as large is the anchor where it is another side that is cut off


class Outcome(NamedTuple):
    """How a test ended: True passed, False failed, None not measured. `absent` are the members that were not there."""

    passed: bool | None
    absent: frozenset[str] = frozenset()


NOT_MEASURED = Outcome(None)


@dataclass(slots=True)
class Tried:
    """A test that was asked for: its number, its round, and how it ended."""

    number: int
    round: int
    test: MemberTest
    outcome: Outcome = NOT_MEASURED


class Conviction(NamedTuple):
    """Who is to blame: a node, the two ends of a link, or the hosts behind an uplink; and the tests that say so.

    `domain` is set where the hosts behind an uplink are all good ones of that domain. A candidate may be to blame: the
    tests cannot tell whether it is this one or another.
    """

    kind: str
    members: tuple[str, ...]
    domain: str
    tests: tuple[int, ...]
    is_candidate: bool = False


@dataclass(slots=True)
class Sides:
    """The side of each host. Hosts of one side share one set."""

    hosts: Sequence[str]
    of: dict[str, set[str]] = field(init=False)

    def __post_init__(self) -> None:
        """Nobody has passed yet."""
        self.of = {host: {host} for host in self.hosts}

    def join(self, members: Iterable[str]) -> None:
        """These hosts passed together."""
        found = {id(self.of[host]): self.of[host] for host in members}
        largest = max(found.values(), key=len)
        for side in found.values():
            if side is not largest:
                largest |= side
                self.of.update(dict.fromkeys(side, largest))

    def all(self) -> list[set[str]]:
        """The sides, the largest first, and else in the order of the hosts."""
        return sorted({id(side): side for side in self.of.values()}.values(), key=len, reverse=True)

    @property
    def anchor(self) -> set[str]:
        """The largest side; empty where no two hosts passed together."""
        found = self.all()
        return found[0] if found and len(found[0]) > 1 else set()

    def apart(self, suspects: Sequence[str]) -> list[set[str]]:
        """The sides of suspects, and where there are some all others of several hosts; without the anchor."""
        anchor, known = self.anchor, {*suspects}
        others = (side for side in self.all() if known and side is not anchor)
        return [side for side in others if len(side) > 1 or not side.isdisjoint(known)]


def failures_between(tried: Iterable[Tried], one: set[str], other: set[str]) -> list[Tried]:
    """The tests that failed with members of both sides and of no other."""
    both = one | other
    return [
        each
        for each in tried
        if each.outcome.passed is False
        and both.issuperset(each.test.members)
        and not one.isdisjoint(each.test.members)
        and not other.isdisjoint(each.test.members)
    ]


def is_by_one_pair(tests: Sequence[Tried], one: set[str], other: set[str]) -> bool:
    """Whether one pair, with an end on either side, is in all of these tests: then its link may be what fails."""
    common = set[str].intersection(*({*each.test.members} for each in tests)) if tests else one | other
    return not common.isdisjoint(one) and not common.isdisjoint(other)


def name_faults(
    sides: Sides,
    domains: Mapping[str, str],
    tried: Sequence[Tried],
    suspects: Sequence[str],
    links: Iterable[tuple[str, ...]],
) -> list[Conviction]:
    """Who is to blame, of the hosts that failed beside a good one and of the pairs that failed again."""
    apart, anchor = sides.apart(suspects), sides.anchor
    lone = {host for side in apart if len(side) == 1 for host in side}
    cut = [side for side in apart if len(side) > 1 and failures_between(tried, side, anchor)]
    others = [anchor, *cut] if anchor else []
    found = [_of_node(side, others, tried) for side in apart if len(side) == 1]
    found += _of_uplinks(sides.hosts, domains, tried, others, lone)
    for link in links:
        if sides.of[link[0]] is sides.of[link[1]]:
            failed = [each for each in tried if each.outcome.passed is False and {*link} <= {*each.test.members}]
            found.append(Conviction(LINK, link, "", tuple(each.number for each in failed)))
    return found


def _of_node(own: set[str], others: Sequence[set[str]], tried: Sequence[Tried]) -> Conviction:
    """A host that never passed: it is sure where it failed beside each side, and beside more than one host."""
    beside = [failures_between(tried, own, side) for side in others]
    is_open = any(is_by_one_pair(some, own, side) for some, side in zip(beside, others, strict=True))
    (host,) = own
    failed = [each for each in tried if each.outcome.passed is False and host in each.test.members]
    against = [each for some in beside for each in some] or failed
    numbers = tuple(sorted({each.number for each in against}))
    return Conviction(NODE, (host,), "", numbers, is_open or not others)


def _of_uplinks(
    hosts: Sequence[str],
    domains: Mapping[str, str],
    tried: Sequence[Tried],
    others: Sequence[set[str]],
    lone: set[str],
) -> Iterator[Conviction]:
    """The sides that fail beside the anchor, the first of `others`. A small anchor is in question, too."""
    if not others:
        return
    anchor, *apart = others
    spans = len({domains[host] for host in anchor}) > 1
    unsure = [side for side in apart if not spans or CLEARLY_MORE * len(side) > len(anchor)]
    for side in [*apart, *([anchor] if unsure else [])]:
        against = {
            each.number for other in others if other is not side for each in failures_between(tried, side, other)
        }
        (domain, *more) = {domains[host] for host in side}
        whole = {host for host in hosts if domains[host] == domain} - lone
        named = domain if not more and side == whole else ""
        members = tuple(host for host in hosts if host in side)
        yield Conviction(UPLINK, members, named, tuple(sorted(against)), bool(unsure))


def unexplained(sides: Sides, tried: Sequence[Tried], convicted: Sequence[Conviction]) -> list[Tried]:
    """The tests that failed without anything in them that is to blame, those with the fewest members first."""
    nodes = {one.members[0] for one in convicted if one.kind == NODE}
    links = [{*one.members} for one in convicted if one.kind == LINK]
    cut = [{*one.members} for one in convicted if one.kind == UPLINK]
    left = []
    for each in tried:
        members = {*each.test.members}
        known = not nodes.isdisjoint(members) or any(link <= members for link in links)
        known = known or any(not side.isdisjoint(members) and not members <= side for side in cut)
        if each.outcome.passed is False and not known:
            left.append(each)
    return sorted(left, key=lambda each: len(each.test.members))
