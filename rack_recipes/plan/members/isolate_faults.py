# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the node, link or uplink to blame in a few rounds of tests between hosts. It asks for rounds and reads results.

The steps are those of adaptive group testing (Du and Hwang, "Combinatorial Group Testing", 1993), as NVIDIA's Cluster
Readiness Engine uses them for nodes: each domain by itself, one node of each domain together, halves of what failed
until two nodes are left, and each suspect beside a good node, where it is cleared or convicted. Three things are added.
Where both halves of a failed group pass, the fault is between them, and is looked for there. Several nodes that
are convicted and pass among themselves are not to blame, but what joins them to the others. At the end all that are
not convicted are tested together (of pairs: a matching), since a fault of one pair alone may have escaped.

A test with a faulty member is taken to fail. So a fault that comes and goes may be missed, and an error is no failure.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from rack_recipes.plan.members.match_members import MemberTest, domains_of, drawn_pairs, numbered_groups

PAIR = 2
NODE, LINK, UPLINK = "node", "link", "uplink"
SCREENING, BETWEEN, HALVING = "screening", "between domains", "halving"
CROSSING, CONFIRMATION, REPETITION, FINAL = "between halves", "confirmation", "repetition", "all together"
AMONG, DOUBT = "among those to blame", "doubt"


class Outcome(NamedTuple):
    """How a test ended: True passed, False failed, None not measured. `absent` are the members that were not there."""

    passed: bool | None
    absent: frozenset[str] = frozenset()


NOT_MEASURED = Outcome(None)


class Conviction(NamedTuple):
    """Who is to blame: a node, the two ends of a link, or the domain behind an uplink; and the tests that say so.

    Where the nodes behind an uplink are no domain, that is empty.
    """

    kind: str
    members: tuple[str, ...]
    domain: str
    tests: tuple[int, ...]


@dataclass(slots=True)
class Tried:
    """A test that was asked for: its number, its round, and how it ended."""

    number: int
    round: int
    test: MemberTest
    outcome: Outcome = NOT_MEASURED


Then = Callable[[Tried], None]


@dataclass(slots=True)
class Isolation:
    """A search between hosts. `domains` has a value for each host; with `largest` no test has more members.

    Call `next_round` and `take` in turn until a round is empty. Then `convicted` is what was found, `untested` are the
    hosts that took part in no test that was measured.
    """

    hosts: Sequence[str]
    domains: Mapping[str, str]
    largest: int = 0
    seed: int = 0
    tried: list[Tried] = field(default_factory=list)
    convicted: list[Conviction] = field(default_factory=list)
    _waiting: list[tuple[tuple[str, ...], str, str, Then]] = field(default_factory=list)
    _running: list[tuple[Tried, Then]] = field(default_factory=list)
    _inside: set[str] = field(default_factory=set)  # passed a test in which all were of its domain
    _outside: set[str] = field(default_factory=set)  # passed a test with other domains
    _absent: set[str] = field(default_factory=set)
    _round: int = 0
    _stage: int = 0

    def next_round(self) -> list[MemberTest]:
        """The tests of the next round, none of which shares a host with another one; none at the end."""
        blamed = self._blamed()
        self._waiting = [each for each in self._waiting if each[2] != CONFIRMATION or each[0][0] not in blamed]
        stages = (self._screen, self._between, self._final, self._among_convicted, self._doubt, self._loose_ends)
        while not self._waiting and self._stage < len(stages):
            stages[self._stage]()
            self._stage += 1
        if self._stage == 1 and self._round == 1:  # what failed is halved while the others are tested between domains
            self._between()
            self._stage = 2
        self._round += 1
        self._running, busy, later = [], set[str](), []
        for members, label, phase, then in self._waiting:
            filled = self._filled(members, busy, is_far=phase == DOUBT)
            if filled is None or not busy.isdisjoint(filled):
                later.append((members, label, phase, then))
                continue
            busy.update(filled)
            tried = Tried(len(self.tried) + 1, self._round, MemberTest(filled, label, phase))
            self.tried.append(tried)
            self._running.append((tried, then))
        self._waiting = later if self._running else []
        return [tried.test for tried, _then in self._running]

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Read how the tests of the round ended, in their order."""
        for (tried, _then), outcome in zip(self._running, outcomes, strict=True):
            tried.outcome = outcome
            if outcome.passed:
                self._note_good(tried.test.members)
        for tried, then in self._running:
            if tried.outcome.passed is None:
                self._without_absent(tried, then)
            else:
                then(tried)

    @property
    def untested(self) -> list[str]:
        """The hosts that took part in no test that was measured."""
        measured = {host for tried in self.tried if tried.outcome.passed is not None for host in tried.test.members}
        return [host for host in self.hosts if host not in measured]

    def _ask(self, members: Sequence[str], phase: str, then: Then, label: str = "") -> None:
        if members:
            self._waiting.append((tuple(members), label, phase, then))

    def _without_absent(self, tried: Tried, then: Then) -> None:
        """Test again without the members that were not there; what was not measured otherwise stays so."""
        left = [host for host in tried.test.members if host not in tried.outcome.absent]
        self._absent |= tried.outcome.absent
        if tried.outcome.absent and len(left) >= PAIR:
            self._ask(left, tried.test.phase, then, tried.test.label)

    def _note_good(self, members: Sequence[str]) -> None:
        is_inside = len({self.domains[host] for host in members}) == 1
        (self._inside if is_inside else self._outside).update(members)

    # Screening: each domain by itself. What has one host only waits for the tests between domains.
    def _screen(self) -> None:
        for domain, own in domains_of(self.hosts, self.domains).items():
            for part, label in self._parts(own, domain):
                self._ask(part, SCREENING, self._after_group, label)

    def _parts(self, own: Sequence[str], label: str) -> Iterator[tuple[Sequence[str], str]]:
        if self.largest != PAIR:
            yield from [(own, label)] if len(own) >= PAIR else ()
            return
        for start in range(0, len(own) - 1, PAIR):
            yield own[start : start + PAIR], ""
        if len(own) % PAIR and len(own) > 1:
            yield (own[-1], own[0]), ""

    # Between domains: one good node of each, or pairs of nodes of two.
    def _between(self) -> None:
        found = domains_of(self._unblamed(), self.domains)
        if len(found) < PAIR:
            return
        if self.largest == PAIR:
            for pair in self._pairs_across(found):
                self._ask(pair, BETWEEN, self._after_group)
            return
        alone = {domain for domain, own in domains_of(self.hosts, self.domains).items() if len(own) == 1}
        chosen = [
            next((each for each in own if each in self._inside or domain in alone), "") for domain, own in found.items()
        ]
        if len([*filter(None, chosen)]) >= PAIR:
            self._ask([*filter(None, chosen)], BETWEEN, self._after_group, BETWEEN)

    def _pairs_across(self, found: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
        """Each host with one of another domain, as far as there are enough: the largest domains stand opposite.

        Of an odd number the one in the middle is left out: it is of a large domain.
        """
        order = [host for own in sorted(found.values(), key=len, reverse=True) for host in own]
        half = len(order) // 2
        for one, other in zip(order[:half], order[len(order) - half :], strict=True):
            if self.domains[one] != self.domains[other]:
                yield one, other

    # At the end: all that are not convicted, together or by a matching.
    def _final(self) -> None:
        left = self._unblamed()
        if len(left) < PAIR or (self.largest != PAIR and self._is_known_together(left)):
            return
        if self.largest == PAIR:
            chance = random.Random(self.seed)  # noqa: S311 - the same pairs for the same seed
            known = {frozenset(tried.test.members) for tried in self.tried}
            for pair in (pair for matched in drawn_pairs(left, chance) for pair in matched):
                if frozenset(pair) not in known:
                    self._ask(pair, FINAL, self._after_group)
            return
        self._ask(left, FINAL, self._after_group, FINAL)

    def _among_convicted(self) -> None:
        """Those that are convicted, among themselves: where they pass, what joins them to the others is to blame."""
        nodes = [one.members[0] for one in self.convicted if one.kind != LINK]
        if not any(one.kind == NODE for one in self.convicted):
            return
        parts = [nodes]
        if self.largest == PAIR:
            parts = [nodes[start : start + PAIR] for start in range(0, len(nodes) - 1, PAIR)]
            parts += [[nodes[-1], nodes[0]]] if len(nodes) % PAIR and len(nodes) > 1 else []
        for part in parts if len(nodes) >= PAIR else ():
            self._ask(part, AMONG, self._after_among)

    def _after_among(self, tried: Tried) -> None:
        if tried.outcome.passed:
            self.convicted = [
                one._replace(kind=UPLINK, domain="") if {*one.members} <= {*tried.test.members} else one
                for one in self.convicted
            ]
            return
        own = [host for host in tried.test.members if host in self._inside]  # one beside them may be faulty itself
        if PAIR <= len(own) < len(tried.test.members):
            self._ask(own, AMONG, self._after_among)

    def _doubt(self) -> None:
        """Those that failed only beside others that are convicted, each beside a good one: who passes is cleared."""
        self._name_uplinks()
        blamed = self._blamed()
        for one in [each for each in self.convicted if each.kind == NODE]:
            host = one.members[0]
            failed = [{*each.test.members} for each in self.tried if each.outcome.passed is False]
            if all((members - {host}) & blamed for members in failed if host in members):
                self._ask([host], DOUBT, self._after_doubt)

    def _name_uplinks(self) -> None:
        """A node that passed inside of its domain, where only another node fails, failed by the domain's uplink."""
        alone = {one.members[0] for one in self.convicted if one.kind == NODE} - self._inside
        for place, one in enumerate(self.convicted):
            own = {host for host in self.hosts if self.domains[host] == self.domains[one.members[0]]}
            failed = [{*each.test.members} for each in self.tried if each.outcome.passed is False]
            if (
                one.kind == NODE
                and one.members[0] in self._inside
                and all(alone & each for each in failed if each <= own)
            ):
                self.convicted[place] = one._replace(kind=UPLINK, domain=self.domains[one.members[0]])

    def _after_doubt(self, tried: Tried) -> None:
        if tried.outcome.passed:
            host = tried.test.members[0]
            self.convicted = [one for one in self.convicted if one.kind != NODE or one.members != (host,)]

    def _is_known_together(self, left: Sequence[str]) -> bool:
        return any(tried.outcome.passed and {*left} <= {*tried.test.members} for tried in self.tried)

    def _loose_ends(self) -> None:
        """Hosts that no test has measured, each beside a good one."""
        for host in self.untested:
            if host not in self._absent:
                self._ask([host], CONFIRMATION, self._after_single)

    def _after_group(self, tried: Tried) -> None:
        if tried.outcome.passed:
            return
        members = [host for host in tried.test.members if host not in self._blamed()]
        if len(members) > PAIR:
            self._halve(members)
        elif len(members) == PAIR:
            self._suspect(members[0], members[1])

    def _halve(self, members: Sequence[str]) -> None:
        """Test both halves. Domains stay together where there are several."""
        order = sorted(members, key=lambda host: self.domains[host])
        middle = (len(order) + 1) // 2
        halves = order[:middle], order[middle:]
        ended: list[Tried] = []

        def after(tried: Tried, own: Sequence[str]) -> None:
            ended.append(tried)
            if not tried.outcome.passed:
                self._after_single(tried) if len(own) == 1 else self._after_group(tried)
            if len(ended) == len(halves) and all(each.outcome.passed for each in ended):
                self._cross(*halves)

        for half in halves:
            self._ask(half, HALVING, partial(after, own=half))

    def _cross(self, one: Sequence[str], other: Sequence[str]) -> None:
        """Both halves pass by themselves and fail together: look for the two ends, one in each half."""
        if len(one) == len(other) == 1:
            self._ask([*one, *other], REPETITION, self._after_group)
            return
        ones = [one[: (len(one) + 1) // 2], one[(len(one) + 1) // 2 :]]
        others = [other[: (len(other) + 1) // 2], other[(len(other) + 1) // 2 :]]
        turns = [[(0, 0), (1, 1)], [(0, 1), (1, 0)]]

        def turn(number: int) -> None:
            wanted = [(ones[a], others[b]) for a, b in turns[number] if ones[a] and others[b]]
            left, has_failed = [len(wanted)], [False]

            def after(tried: Tried, parts: tuple[Sequence[str], Sequence[str]]) -> None:
                left[0] -= 1
                if not tried.outcome.passed:
                    has_failed[0] = True
                    self._suspect(*parts[0], *parts[1]) if len(tried.test.members) == PAIR else self._cross(*parts)
                if not left[0] and not has_failed[0] and number == 0:
                    turn(1)

            for parts in wanted:
                self._ask([*parts[0], *parts[1]], CROSSING, partial(after, parts=parts))
            if not wanted and number == 0:
                turn(1)

        turn(0)

    def _suspect(self, one: str, other: str) -> None:
        """Two nodes failed together: each is tested beside a good one. Where both pass there, it is their link."""
        cleared: list[str] = []

        def after(tried: Tried, host: str) -> None:
            if tried.outcome.passed:
                cleared.append(host)
                if len(cleared) == PAIR:
                    self._ask([one, other], REPETITION, self._after_repetition)
            else:
                self._after_single(tried)

        for host in (one, other):
            self._ask([host], CONFIRMATION, partial(after, host=host))

    def _after_repetition(self, tried: Tried) -> None:
        if not tried.outcome.passed:
            self._convict(LINK, tried.test.members, "")

    def _after_single(self, tried: Tried) -> None:
        """A node failed beside a good one: it is to blame, or what is between its domain and the others.

        A domain in which something failed, too, is not what is behind one uplink: `_among_convicted` tells then.
        """
        if tried.outcome.passed:
            return
        host, good = tried.test.members[0], tried.test.members[-1]
        own = {each for each in self.hosts if self.domains[each] == self.domains[host]}
        has_failed_inside = any(each.outcome.passed is False and {*each.test.members} <= own for each in self.tried)
        if good not in own and host in self._inside and not has_failed_inside:
            self._convict(UPLINK, (host,), self.domains[host])
        else:
            self._convict(NODE, (host,), "")

    def _convict(self, kind: str, members: tuple[str, ...], domain: str) -> None:
        against = [
            each.number for each in self.tried if each.outcome.passed is False and {*members} <= {*each.test.members}
        ]
        if not any(one.kind == kind and one.members == members for one in self.convicted):
            self.convicted.append(Conviction(kind, members, domain, tuple(against)))

    def _blamed(self) -> set[str]:
        """The nodes that are convicted, and all of a domain behind a bad uplink."""
        nodes = {host for one in self.convicted if one.kind != LINK and not one.domain for host in one.members}
        behind = {one.domain for one in self.convicted if one.kind == UPLINK}
        return nodes | {host for host in self.hosts if self.domains[host] in behind}

    def _unblamed(self) -> list[str]:
        """Of a link that is convicted, one end: together they would fail again."""
        ends = {one.members[0] for one in self.convicted if one.kind == LINK}
        left_out = self._blamed() | ends | self._absent
        return [host for host in self.hosts if host not in left_out]

    def _filled(self, members: tuple[str, ...], busy: set[str], *, is_far: bool) -> tuple[str, ...] | None:
        """A single member with a good node beside it, of another domain if it is to be far; None where none is free."""
        if len(members) > 1:
            return members
        host = members[0]
        suspects = {each for waiting in self._waiting for each in waiting[0]} | busy | self._blamed() | self._absent
        outside = [each for each in self.hosts if each in self._outside | self._inside and each not in suspects]
        inside = [each for each in outside if self.domains[each] == self.domains[host]]
        was_inside = host in self._inside or is_far
        known = {each for tried in self.tried if host in tried.test.members for each in tried.test.members}
        fitting = [each for each in (outside if was_inside else inside or outside) if each != host]
        if was_inside:  # best one that has passed with other domains, and never one of a domain in question
            doubtful = {self.domains[each] for waiting in self._waiting for each in waiting[0]} | {self.domains[host]}
            fitting = [each for each in fitting if self.domains[each] not in doubtful] or fitting
            fitting = [each for each in fitting if each in self._outside] or fitting
        fresh = [each for each in fitting if each not in known] or fitting
        return (host, fresh[0]) if fresh else None


def domains_for(hosts: Sequence[str], values: Mapping[str, str]) -> dict[str, str]:
    """The domain of each host: its value, or a group of about the root of their number where not all have one."""
    if hosts and all(host in values for host in hosts) and len({values[host] for host in hosts}) > 1:
        return {host: values[host] for host in hosts}
    return {host: name for name, own in numbered_groups(hosts).items() for host in own}


def merge_uplinks(found: Sequence[Conviction], domains: Mapping[str, str]) -> list[Conviction]:
    """The convictions, with those of one uplink as one."""
    by_domain: dict[str, list[Conviction]] = {}
    kept = []
    known = {one.domain for one in found if one.kind == UPLINK}
    for one in found:
        if one.kind == UPLINK and not one.domain and domains[one.members[0]] in known:
            continue
        if one.kind == UPLINK:
            by_domain.setdefault(one.domain, []).append(one)
        else:
            kept.append(one)
    for domain, some in by_domain.items():
        members = tuple(dict.fromkeys(host for one in some for host in one.members))
        tests = tuple(dict.fromkeys(number for one in some for number in one.tests))
        alone = sum(value == domain for value in domains.values()) == 1
        kept.append(Conviction(NODE if alone else UPLINK, members, domain, tests))
    return kept
