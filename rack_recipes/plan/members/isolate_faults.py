# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the node, link or uplink to blame in a few rounds of tests between hosts. It asks for rounds and reads results.

The steps are those of adaptive group testing (Du and Hwang, "Combinatorial Group Testing", 1993), as NVIDIA's Cluster
Readiness Engine uses them for nodes: each domain by itself, one node of each domain together, halves of what failed
until two nodes are left, and each suspect beside a good node, where it is cleared. Three things are added. Where both
halves of a failed group pass, the fault is between them, and is looked for there. All that are not suspected are tested
together (of pairs: a matching), since a fault of one pair alone may have escaped. At the end suspects are tested beside
each other and beside hosts that are surely good, until the tests tell (`sides.py`) a slow node from one that is behind
a slow uplink: the domains of a recipe may not be those of the fabric.

A test with a faulty member is taken to fail. So a fault that comes and goes may be missed, and an error is no failure.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, product

from rack_recipes.plan.members.match_members import MemberTest, domains_of, drawn_pairs, numbered_groups
from rack_recipes.plan.members.sides import (
    Conviction,
    Outcome,
    Sides,
    Tried,
    failures_between,
    is_by_one_pair,
    name_faults,
)

PAIR = 2
MISSED_BY_PAIRS = "a fault of one pair alone is mostly missed"
SCREENING, BETWEEN, HALVING = "screening", "between domains", "halving"
CROSSING, CONFIRMATION, REPETITION, FINAL = "between halves", "confirmation", "repetition", "all together"
AMONG, DOUBT = "among suspects", "doubt"
MOST_PAIRS = 4  # of two sides that are tested beside each other
FEW = 4  # of so many suspects each is tested beside each other one, of more in pairs once
SOME, PART = 12, 20  # also of so many, where an uplink is slow, or more than one of `PART` hosts is a suspect


Then = Callable[[Tried], None]


@dataclass(slots=True)
class Isolation:
    """A search between hosts. `domains` has a value for each host; with `largest` no test has more members.

    Call `next_round` and `take` in turn until a round is empty. Then `convicted` is what was found, `untested` are the
    hosts that took part in no test that was measured. `links` are pairs that failed again, though each end passed.
    """

    hosts: Sequence[str]
    domains: Mapping[str, str]
    largest: int = 0
    seed: int = 0
    tried: list[Tried] = field(default_factory=list)
    suspects: list[str] = field(default_factory=list)
    links: list[tuple[str, ...]] = field(default_factory=list)
    sides: Sides = field(init=False)
    _waiting: list[tuple[tuple[str, ...], str, str, Then]] = field(default_factory=list)
    _running: list[tuple[Tried, Then]] = field(default_factory=list)
    _inside: set[str] = field(default_factory=set)  # passed a test in which all were of its domain
    _outside: set[str] = field(default_factory=set)  # passed a test with other domains
    _absent: set[str] = field(default_factory=set)
    _round: int = 0
    _stage: int = 0

    def __post_init__(self) -> None:
        """Nobody has passed yet."""
        self.sides = Sides(self.hosts)

    @property
    def convicted(self) -> list[Conviction]:
        """Who is to blame, by the tests so far."""
        return name_faults(self.sides, self.domains, self.tried, self.suspects, self.links)

    def next_round(self) -> list[MemberTest]:
        """The tests of the next round, none of which shares a host with another one; none at the end."""
        blamed = self._blamed()
        self._waiting = [each for each in self._waiting if each[2] != CONFIRMATION or each[0][0] not in blamed]
        stages = (self._screen, self._between, self._final, self._loose_ends)
        while not self._waiting and self._stage < len(stages):
            stages[self._stage]()
            self._stage += 1
        if not self._waiting:
            self._tell_apart()
        if self._stage == 1 and self._round == 1:  # what failed is halved while the others are tested between domains
            self._between()
            self._stage = 2
        self._round += 1
        self._running, busy, later = [], set[str](), []
        for members, label, phase, then in self._waiting:
            filled = self._filled(members, busy)
            if filled is None or not busy.isdisjoint(filled):
                later.append((members, label, phase, then))
                continue
            busy.update(filled)
            tried = Tried(len(self.tried) + 1, self._round, MemberTest(filled, label, phase))
            self.tried.append(tried)
            self._running.append((tried, then))
        self._waiting = later if self._running else []
        if later and not self._running:  # nobody is left to test them beside
            self.suspects += [each[0][0] for each in later if len(each[0]) == 1 and each[0][0] not in self.suspects]
            return self.next_round()
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
        self.sides.join(members)

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

    # All that are not suspected, together or by a matching.
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

    def _tell_apart(self) -> None:
        """Suspects beside good hosts and beside each other, as far as nobody knows how that ends."""
        anchor = self.sides.anchor
        for link in self.links:
            if self.sides.of[link[0]] is not self.sides.of[link[1]]:
                self.suspects += [host for host in link if host not in anchor and host not in self.suspects]
        apart = self.sides.apart(self.suspects)
        busy = {id(side) for side in apart if anchor and self._ask_unless_known(side, anchor, DOUBT)}
        for pairs in self._turns(apart):
            for one, other in pairs:
                if busy.isdisjoint((id(one), id(other))) and self._ask_unless_known(one, other, AMONG):
                    busy |= {id(one), *([id(other)] if len(one) > 1 or len(other) == 1 else [])}
            if self._waiting:
                return

    def _turns(self, apart: Sequence[set[str]]) -> Iterator[Iterable[tuple[set[str], set[str]]]]:
        """Which sides are tested beside each other: first it must be known who is together."""
        lone, several = ([side for side in apart if (len(side) > 1) == is_several] for is_several in (False, True))
        is_few = len(lone) <= (SOME if several or len(self.hosts) < PART * len(lone) else FEW)
        yield combinations(several, 2)
        yield product(lone, several)
        yield combinations(lone, 2) if is_few else zip(lone[::2], lone[1::2], strict=False)

    def _ask_unless_known(self, one: set[str], other: set[str], phase: str) -> bool:
        """Whether a pair is asked for: where two sides failed beside each other, and not by one link, nothing is."""
        failed = failures_between(self.tried, one, other)
        if failed and (len(one) == len(other) == 1 or not is_by_one_pair(failed, one, other)):
            return False
        return self._ask_between(one, other, phase)

    def _ask_between(self, one: set[str], other: set[str], phase: str) -> bool:
        """Ask for a pair of two sides that was not tested; False where that was asked for often enough."""
        known = {frozenset(each.test.members) for each in self.tried}
        waiting = Counter(host for members, *_more in self._waiting for host in members)
        rest = [[host for host in self.hosts if host in side and host not in self._absent] for side in (one, other)]
        new = [pair for pair in product(*rest) if frozenset(pair) not in known]
        if len([*product(*rest)]) - len(new) >= MOST_PAIRS or not new:
            return False
        self._ask(min(new, key=lambda pair: waiting[pair[0]] + waiting[pair[1]]), phase, lambda _tried: None)
        return True

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
        if not tried.outcome.passed and tried.test.members not in self.links:
            self.links.append(tried.test.members)

    def _after_single(self, tried: Tried) -> None:
        """A node failed beside a good one: it is a suspect."""
        host = tried.test.members[0]
        if not tried.outcome.passed and host not in self.suspects:
            self.suspects.append(host)

    def _blamed(self) -> set[str]:
        """The suspects, and all that have passed with one, but not where these are most of the hosts."""
        behind = (self.sides.of[host] for host in self.suspects)
        return {host for side in behind if 2 * len(side) <= len(self.hosts) for host in side}

    def _unblamed(self) -> list[str]:
        """Of a link that is convicted, one end: together they would fail again."""
        ends = {members[0] for members in self.links}
        left_out = self._blamed() | ends | self._absent
        return [host for host in self.hosts if host not in left_out]

    def _filled(self, members: tuple[str, ...], busy: set[str]) -> tuple[str, ...] | None:
        """A single member with a good node beside it; None where none is free."""
        if len(members) > 1:
            return members
        host = members[0]
        suspects = {each for waiting in self._waiting for each in waiting[0]} | busy | self._blamed() | self._absent
        passed = self._outside | self._inside
        outside = [each for each in self.hosts if each in passed and each not in suspects]
        inside = [each for each in outside if self.domains[each] == self.domains[host]]
        was_inside = host in self._inside
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
