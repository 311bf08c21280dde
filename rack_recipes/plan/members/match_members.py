# SPDX-License-Identifier: GPL-3.0-or-later

"""The rounds of a step between hosts by the rule of its `members`. In a round each host is in one test at most."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, zip_longest
from math import isqrt
from typing import NamedTuple

from rack_recipes.recipe.recipe_model import Members

Pair = tuple[str, str]
Cables = Mapping[str, Iterable[str]]
"""By host, the names of the nodes that it is cabled to."""


class MemberTest(NamedTuple):
    """A test between hosts. The first member runs the serving side.

    `label` names a group, `phase` says why a search has asked for the test.
    """

    members: tuple[str, ...]
    label: str = ""
    phase: str = ""


Round = tuple[MemberTest, ...]


def rounds_of(
    scope: str, members: Members, hosts: Sequence[str], attributes: Mapping[str, Mapping[str, object]], cables: Cables
) -> list[Round]:
    """The rounds of a step of scope pair or group between these hosts.

    A host without the attribute that the rule looks at takes part in nothing.
    """
    if scope == "group":
        rounds = [_groups(members, hosts, attributes)]
    else:
        rounds = [
            tuple(MemberTest(pair) for pair in matched) for matched in _matchings(members, hosts, attributes, cables)
        ]
    width = members.at_once or max(1, len(hosts))
    cut = (tests[start : start + width] for tests in rounds for start in range(0, len(tests), width))
    return [*filter(None, cut)]


def _matchings(
    members: Members, hosts: Sequence[str], attributes: Mapping[str, Mapping[str, object]], cables: Cables
) -> list[list[Pair]]:
    values = values_of(members.by, hosts, attributes)
    if members.rule == "neighbours":
        known = {*hosts}
        linked = {frozenset((host, other)) for host in hosts for other in cables.get(host, ()) if other in known}
        return _first_fit([pair for pair in combinations(hosts, 2) if frozenset(pair) in linked])
    if members.rule == "within":
        inside = (round_robin(own) for own in domains_of(hosts, values).values())
        return [[pair for part in parts for pair in part or ()] for parts in zip_longest(*inside)]
    if members.rule == "across":
        having = [host for host in hosts if host in values]
        whole = [[pair for pair in each if values[pair[0]] != values[pair[1]]] for each in round_robin(having)]
        other = _first_fit([pair for pair in combinations(having, 2) if values[pair[0]] != values[pair[1]]])
        return min(([*filter(None, whole)], other), key=len)
    if members.rule == "random":
        chance = random.Random(members.seed)  # noqa: S311 - the same pairs for the same seed
        return [each for _round in range(members.rounds) for each in drawn_pairs(hosts, chance)]
    return round_robin(hosts)


def round_robin(hosts: Sequence[str]) -> list[list[Pair]]:
    """All pairs in the fewest rounds, by turning all hosts but one around a circle. Each serves about half the time."""
    ring: list[str | None] = [*hosts, *([None] if len(hosts) % 2 else [])]
    rounds = []
    for number in range(len(ring) - 1):
        facing = zip(ring[: len(ring) // 2], reversed(ring[len(ring) // 2 :]), strict=True)
        pairs = [(one, other) for one, other in facing if one is not None and other is not None]
        rounds.append([pair if (number + place) % 2 else pair[::-1] for place, pair in enumerate(pairs)])
        ring = [ring[0], ring[-1], *ring[1:-1]]
    return rounds


def drawn_pairs(hosts: Sequence[str], chance: random.Random) -> list[list[Pair]]:
    """Each host with another one. Of an odd number, the last one is tested with the first, behind the others."""
    order = [*hosts]
    chance.shuffle(order)
    pairs = [*zip(order[::2], order[1::2], strict=False)]
    left = [(order[-1], order[0])] if len(order) % 2 and len(order) > 1 else []
    return [each for each in (pairs, left) if each]


def _first_fit(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Each pair in the first round that has neither of its hosts."""
    rounds: list[tuple[list[Pair], set[str]]] = []
    for pair in pairs:
        found = next((each for each in rounds if each[1].isdisjoint(pair)), None)
        if found is None:
            found = ([], set())
            rounds.append(found)
        found[0].append(pair)
        found[1].update(pair)
    return [chosen for chosen, _busy in rounds]


def _groups(members: Members, hosts: Sequence[str], attributes: Mapping[str, Mapping[str, object]]) -> Round:
    if members.rule == "all":
        named = {"all": [*hosts]}
    elif members.rule == "by":
        found = domains_of(hosts, values_of(members.by, hosts, attributes))
        named = {f"{members.by} {value}": own for value, own in found.items()}
    else:
        named = numbered_groups(hosts, members.size)
    return tuple(MemberTest(tuple(own), name) for name, own in named.items() if len(own) > 1)


def numbered_groups(hosts: Sequence[str], size: int = 0) -> dict[str, list[str]]:
    """Groups of about `size` hosts, in their order; of about the square root of their number where it is 0."""
    count = max(1, round(len(hosts) / (size or max(2, round_root(len(hosts))))))
    edges = [len(hosts) * number // count for number in range(count + 1)]
    return {f"group {n}": [*hosts[edges[n - 1] : edges[n]]] for n in range(1, count + 1)}


def round_root(count: int) -> int:
    """The square root, rounded up."""
    return isqrt(max(0, count - 1)) + 1


def values_of(by: str, hosts: Iterable[str], attributes: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """The value of an attribute of each host that has one."""
    found = ((host, attributes.get(host, {}).get(by)) for host in hosts)
    return {host: str(value) for host, value in found if value is not None}


def domains_of(hosts: Iterable[str], values: Mapping[str, str]) -> dict[str, list[str]]:
    """The hosts of each value, in their order."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        if host in values:
            found.setdefault(values[host], []).append(host)
    return found
