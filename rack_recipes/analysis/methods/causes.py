# SPDX-License-Identifier: GPL-3.0-or-later

"""What failing hosts have in common: the few causes that explain most of the failures (greedy, hypergeometric).

False alarms: .01 a run where nothing is planted (300 worlds of 200 hosts). With one leaf on which 60 % fail, among
noise of 2 %, 97 % of the causes named are right, and 90 % of what was planted is named (notes/analysis.md, 6).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from rack_recipes.analysis.methods.statistics_without_numpy import hypergeometric_tail

ALPHA = 0.05
LEAST_MATCH = 2  # hosts that failed
UNLIKELY = 0.1  # a chance at which a common group is told, as a guess
WEAKEST = 0.2  # the chance, times the number of groups looked at, above which a guess is no evidence

Host = Hashable


class Shared(NamedTuple):
    """What hosts have in common: an attribute and its value."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Hosts that failed and share something.

    `names` has all that these hosts and no others share: attributes that agree on every host cannot be told apart.
    `explains` are the failing hosts that no earlier cause explains, `group` all hosts of the universe that share it.
    `p` is the chance of so many failures among them, times the number of groups that were looked at.
    """

    names: tuple[Shared, ...]
    explains: frozenset[Host]
    group: frozenset[Host]
    p: float

    @property
    def passing(self) -> int:
        """How many hosts of the group are not explained by it."""
        return len(self.group) - len(self.explains)


Attributes = Mapping[str, Mapping[str, Iterable[Host]]]
"""By attribute and value, the hosts that have it."""

Groups = Mapping[frozenset[Host], tuple[Shared, ...]]


def find_causes(
    failing: Iterable[Host],
    universe: Iterable[Host],
    attributes: Attributes,
    alpha: float = ALPHA,
    groups: Groups | None = None,
) -> list[Cause]:
    """Return the causes, the one that explains most first.

    `universe` are all hosts that were judged: leave out what is blocked or was not run. An attribute that all of them
    share explains nothing and is not looked at. `groups` are their `host_sets`, where somebody has made them already.
    """
    everything = frozenset(universe)
    open_failures = frozenset(failing) & everything
    groups = host_sets(everything, attributes) if groups is None else groups
    found = _seen_again(_greedy(open_failures, everything, groups, alpha), open_failures, everything, groups, alpha)
    found = _joined(found, open_failures, everything, groups)
    return sorted(found, key=lambda cause: (-len(cause.explains), cause.p, cause.names))


def _greedy(
    open_failures: frozenset[Host], everything: frozenset[Host], groups: Groups, alpha: float
) -> Sequence[Cause]:
    """The least likely group first; then what it does not explain."""
    found: list[Cause] = []
    while open_failures and groups:
        best = min(_candidates(open_failures, everything, groups), key=_order)
        if best.p > alpha:
            break
        found.append(best)
        open_failures -= best.explains
        everything -= best.explains
    return found


def _seen_again(
    found: Sequence[Cause], failing: frozenset[Host], everything: frozenset[Host], groups: Groups, alpha: float
) -> Sequence[Cause]:
    """The same causes, each named as if the others had been found before it.

    Where two leaves fail, the rack that has hosts of both is the least likely group of all, and its name the wrong one.
    """
    better = [*found]
    for place in range(len(better) if len(better) > 1 else 0):
        others = frozenset().union(*(one.group for one in (*better[:place], *better[place + 1 :]))) & failing
        if failing - others:
            best = min(_candidates(failing - others, everything - others, groups), key=_order)
            better[place] = best if best.p <= alpha else better[place]
    if [one.group for one in better] == [one.group for one in found]:
        return found
    told, left = list[Cause](), failing
    for one in better:
        told.append(replace(one, explains=one.group & left))
        left -= one.group
    return [one for one in told if one.explains]


def _joined(
    found: Sequence[Cause], failing: frozenset[Host], everything: frozenset[Host], groups: Groups
) -> Sequence[Cause]:
    """The same causes; where the groups of several make up one group, that is one cause: both racks of a leaf."""
    for group, names in groups.items():
        parts = [one for one in found if one.group < group]
        if len(parts) > 1 and frozenset().union(*(one.group for one in parts)) == group:
            explains = frozenset().union(*(one.explains for one in parts))
            p = hypergeometric_tail(len(group & failing), len(everything), len(failing), len(group)) * len(groups)
            found = [*(one for one in found if one not in parts), Cause(names, explains, group, min(p, 1.0))]
    return found


def _candidates(
    failing: frozenset[Host], everything: frozenset[Host], groups: Mapping[frozenset[Host], tuple[Shared, ...]]
) -> Iterable[Cause]:
    for group, names in groups.items():
        hit = group & failing
        among = len(group & everything)
        p = hypergeometric_tail(len(hit), len(everything), len(failing), among) if hit else 1.0
        yield Cause(names, hit, group, min(p * len(groups), 1.0) if hit else 2.0)


def _order(cause: Cause) -> tuple[float, int, int, tuple[Shared, ...]]:
    return cause.p, cause.passing, len(cause.group), cause.names


def host_sets(universe: Collection[Host], attributes: Attributes) -> dict[frozenset[Host], tuple[Shared, ...]]:
    """Return the groups of hosts that share something, each with all that it shares; not the universe itself."""
    found: dict[frozenset[Host], list[Shared]] = {}
    everything = frozenset(universe)
    for attribute, values in attributes.items():
        for value, hosts in values.items():
            group = frozenset(hosts) & everything
            if group and group != everything:
                found.setdefault(group, []).append(Shared(attribute, value))
    return {group: tuple(names) for group, names in found.items()}


def common_group(failing: Iterable[Host], universe: Iterable[Host], groups: Groups) -> Cause | None:
    """Return the smallest group that has all failing hosts, also where chance cannot be ruled out; its `p` says so.

    Needs two failing hosts, and a chance of at most WEAKEST. A group with other hosts, too, is returned only where one
    group alone has them all by chance in at most UNLIKELY of cases. In a small rack this is all that can be said.
    `groups` are the `host_sets`.
    """
    everything = frozenset(universe)
    wanted = frozenset(failing) & everything
    around = [group for group in groups if group >= wanted]
    if len(wanted) < LEAST_MATCH or not around:
        return None
    best = min(around, key=lambda group: (len(group), groups[group]))
    p = hypergeometric_tail(len(wanted), len(everything), len(wanted), len(best))
    is_told = p * len(groups) <= WEAKEST and (best == wanted or p <= UNLIKELY)
    return Cause(groups[best], wanted, best, p * len(groups)) if is_told else None
