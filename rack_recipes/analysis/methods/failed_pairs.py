# SPDX-License-Identifier: GPL-3.0-or-later

"""What the failing pairs of a matrix share: the fewest nodes, or groups of nodes, that explain them.

A pair goes from a source to a target, and has failed or passed. A candidate is a group with the pairs that it stands
for: those that lead to it, those that come from it, or both; those from one group to another one; those between all
groups of an attribute. It is told where nearly all of its pairs failed, the one that explains most first. This is a
greedy set cover (Chvatal, "A greedy heuristic for the set-covering problem", 1979), in which a group that passing pairs
contradict is no candidate. Nothing is drawn by chance: no false alarm where no pair failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

LEAST_PAIRS = 2  # that failed, before anything is said of them
LEAST_NODES = 3  # with two nodes nobody knows which one it is
LEAST_SHARE = 0.9  # of a candidate's pairs must have failed: a lossy way passes a few of them by chance
MOST_TOLD = 8
NODE = "node"
TO, FROM, ENDS, BEYOND, ACROSS, BETWEEN, ALL = "to", "from", "ends", "beyond", "across", "between", "all"
"""What a candidate stands for: pairs to a group, from it, with one end in it; pairs of a node that leave its group;
pairs from a group to another one, between any two groups of an attribute, and all pairs."""


class Pair(NamedTuple):
    """The names of two nodes."""

    source: str
    target: str


class Share(NamedTuple):
    """What pairs share: an attribute with a value (`NODE` for a single one), and which way they lead.

    `other` is the value at the other end, of `ACROSS` alone. Of `BEYOND` the value is the node. `ENDS`, `BEYOND` and
    `BETWEEN` are of both ways.
    """

    way: str
    attribute: str = ""
    value: str = ""
    other: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What failing pairs share, those that no earlier explanation has, and how many of all its pairs failed."""

    share: Share
    pairs: frozenset[Pair]
    failed: int
    of: int


Groups = Mapping[str, Mapping[str, str]]
"""By attribute and node, the value."""


def explain_pairs(
    failed: AbstractSet[Pair], passed: AbstractSet[Pair], groups: Groups, least: int = LEAST_PAIRS
) -> list[Explanation]:
    """What explains the pairs that failed, the one that explains most first; nothing where nothing does.

    `groups` may have nodes that are in no pair; of attributes that explain the same, the first one is told. Each pair
    is told once. Pairs inside of a group that all failed are told with the group. Nothing is said of fewer than `least`
    pairs.
    """
    everything = failed | passed
    nodes = {node for pair in everything for node in pair}
    if len(failed) < least or len(nodes) < LEAST_NODES:
        return []
    named = {NODE: {node: node for node in nodes}, **groups}
    total, bad = _counted(everything, named), _counted(failed, named)
    if len(failed) >= LEAST_SHARE * len(everything):
        # With many groups, nearly all pairs are between them; those inside of one tell that the nodes are fine.
        between = (one for one, count in bad.items() if one.way == BETWEEN and count == total[one] == len(failed))
        share = next(between, Share(ALL)) if len(failed) < len(everything) else Share(ALL)
        return [Explanation(share, frozenset(failed), len(failed), total[share] or len(everything))]
    able = {share for share, count in bad.items() if count >= least and count >= LEAST_SHARE * total[share]}
    found: list[Explanation] = []
    left = frozenset(failed)
    while left and len(found) < MOST_TOLD:
        covered = _counted(left, named)
        places = {attribute: place for place, attribute in enumerate(named)}
        best = min(
            (one for one in covered if one in able),
            key=lambda one: (-covered[one], total[one], places[one.attribute], one),  # a node comes before a group
            default=None,
        )
        if best is None or covered[best] < least:
            break
        own = frozenset(pair for pair in left if stands_for(best, pair, named))
        inside = _inside(best, left, everything, named)
        found.append(Explanation(best, own | inside, bad[best] + len(inside), total[best] + len(inside)))
        left -= found[-1].pairs
    return found


def stands_for(share: Share, pair: Pair, groups: Groups) -> bool:
    """Whether a pair is one of those that a candidate stands for."""
    if share.way == ALL:
        return True
    values = groups.get(share.attribute, {}) if share.attribute != NODE else {node: node for node in pair}
    return share in _of_values(share.attribute, pair, values.get(pair.source, ""), values.get(pair.target, ""))


def _inside(share: Share, left: AbstractSet[Pair], everything: AbstractSet[Pair], groups: Groups) -> frozenset[Pair]:
    """The pairs whose both ends are in the group, where all of them are failures that are left."""
    values = groups[share.attribute]
    inside = {pair for pair in everything if values.get(pair.source) == share.value == values.get(pair.target)}
    return frozenset(inside) if inside <= left else frozenset()


def _counted(pairs: AbstractSet[Pair], groups: Groups) -> Counter[Share]:
    """How many pairs each candidate stands for."""
    return Counter(
        share
        for attribute, values in groups.items()
        for pair in pairs
        for share in _of_values(attribute, pair, values.get(pair.source, ""), values.get(pair.target, ""))
    )


def _of_values(attribute: str, pair: Pair, source: str, target: str) -> Iterator[Share]:
    """The candidates that stand for a pair whose ends have these values. A pair inside of a group is no candidate's."""
    if source == target:
        return
    if target:
        yield Share(TO, attribute, target)
        yield Share(ENDS, attribute, target)
    if source:
        yield Share(FROM, attribute, source)
        yield Share(ENDS, attribute, source)
    if source and target and attribute != NODE:
        yield Share(BETWEEN, attribute)
        yield Share(ACROSS, attribute, source, target)
        yield Share(BEYOND, attribute, pair.source)
        yield Share(BEYOND, attribute, pair.target)
