# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts of one class against each other in one run: which of them differ from their twins, and how sure that is.

Methods, and their false alarms:

- 1 to 3 hosts: none, the values are listed.
- All alike but a few: a vote. No distribution is assumed, so no rate is known, and it is never an alarm.
- 4 to 15 hosts with 10 or more earlier runs: 1.5 times further out than any twin ever was. Less than one in (runs + 1)
  groups; tried with 20 runs: 0 to .2 % of normal groups, .6 to 1.1 % of lognormal ones, 1.5 % of t3.
- 4 to 15 hosts without: a MAD z that 1 % of normal groups of this size have. Notable, never an alarm.
- 16 hosts and more: GESD (Rosner 1983), with Benjamini and Hochberg over all groups: on average 5 % of the groups named
  are false, for normal values.

GESD among t3 noise has false alarms in 42 % of groups of 40. So where there is a history, an alarm needs both: GESD,
and further out than any twin ever was (notes/analysis.md, 1). Leave findings that are known out of the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods import multiple_tests, scales
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.arrays import Floats, floats
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.gesd import Suspect, gesd
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.moments import mad
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.two_groups import TwoGroups, two_groups

LIST, VOTE, HISTORY, SMALL, GESD = "list", "vote", "history", "small group", "gesd"
LEAST_GROUP = 4
LEAST_GESD = 16
LEAST_HISTORY = 10
BEYOND_HISTORY = 1.5
COUNTS_SCORE = 4.5
SMALL_SCORES = {
    4: 15.5,
    5: 18.9,
    6: 10.2,
    7: 11.3,
    8: 7.9,
    9: 8.4,
    10: 6.8,
    11: 7.2,
    12: 6.2,
    13: 6.5,
    14: 5.8,
    15: 6.1,
}
"""The MAD z that the furthest of n normal values exceeds in 1 % of groups."""


@dataclass(frozen=True, slots=True)
class Twins:
    """One measurement of one run on the hosts of one class, and what is known of it.

    `history` has a row for each earlier run; hosts need not be the same, NaN is absent. `attributes` has a value for
    each host, in the order of `values`. `tolerance` and `resolution` are in the unit of the values. `counts` are whole
    numbers of events.
    """

    values: Floats
    history: Floats | None = None
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tolerance: float | None = None
    resolution: float | None = None
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Outlier:
    """A host that differs: its place among the values, its distance from the median, and how far that is.

    `score` is the distance in units of `Outcome.scale`; None after a vote. `p` is None where the method has none.
    `spread_explained` is how much of all spread in the group this host makes, 0 to 1. `beyond_history` says whether no
    twin ever was as far out; None without a history.
    """

    place: int
    value: float
    distance: float
    score: float | None
    p: float | None
    spread_explained: float
    beyond_history: bool | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in one group: the method that was used, and the outliers, the furthest first.

    `center` is the median, or what most hosts have after a vote. `is_alarm` is false where the method's false alarms
    are not known or its group is small without a history: then it is notable. `groups` are two groups, if that is what
    they are: then there are no outliers.
    """

    method: str
    center: float
    scale: float
    outliers: tuple[Outlier, ...] = ()
    is_alarm: bool = False
    groups: TwoGroups | None = None
    earlier_runs: int = 0


def judge(groups: Iterable[Twins], rate: float = multiple_tests.RATE) -> list[Outcome]:
    """Return for each group what differs in it. Give all groups of a run at once: they share the rate of false alarms.

    Raises ValueError for values that are not numbers, and for a group without values.
    """
    twins = list(groups)
    suspects = [_suspects(one) for one in twins]
    bound = multiple_tests.threshold(
        [min((each.p for each in found), default=1.0) for found in suspects if found is not None], rate
    )
    return [_outcome(one, found, bound) for one, found in zip(twins, suspects, strict=True)]


def _suspects(twins: Twins) -> list[Suspect] | None:
    """What GESD suspects in a group; None for a group that it does not judge."""
    values = floats(twins.values)
    if len(values) < LEAST_GESD or not mad(values):
        return None
    step = twins.resolution
    least = scales.scale(values, step, counts=True) if twins.counts else _step(twins)
    return gesd(values, len(values) // 3, least)


def _step(twins: Twins) -> float:
    return scales.resolution(twins.values) if twins.resolution is None else twins.resolution


def _outcome(twins: Twins, suspects: list[Suspect] | None, bound: float) -> Outcome:
    values = floats(twins.values)
    center = float(np.median(values))
    blank = Outcome(
        LIST, center, scales.scale(values, twins.resolution, counts=twins.counts), earlier_runs=_runs(twins)
    )
    if len(values) < LEAST_GROUP:
        return blank
    if not mad(values):
        return _vote(twins, values, blank)
    if suspects is not None:
        return _by_gesd(twins, values, suspects, bound, blank)
    return _small(twins, values, blank)


def most_deviants(hosts: int) -> int:
    """How many of some hosts may differ before they are a group of their own: a tenth, at least 1."""
    return max(1, hosts // 10)


def _vote(twins: Twins, values: Floats, blank: Outcome) -> Outcome:
    """More than half have one value. The others are named if they are few."""
    allowed = twins.tolerance if twins.tolerance is not None else scales.floor(values, None, twins.resolution)
    found = _outliers(twins, values, blank, np.flatnonzero(np.abs(values - blank.center) > allowed))
    kept = tuple(replace(one, score=None) for one in found) if len(found) <= most_deviants(len(values)) else ()
    return _divided(twins, values, len(found), replace(blank, method=VOTE, outliers=kept))


def _by_gesd(twins: Twins, values: Floats, suspects: list[Suspect], bound: float, blank: Outcome) -> Outcome:
    number = max((rank for rank, suspect in enumerate(suspects, 1) if suspect.p <= bound), default=0)
    p = {suspect.place: suspect.p for suspect in suspects[:number]}
    found = [replace(one, p=p[one.place]) for one in _outliers(twins, values, blank, np.array([*p], dtype=np.int64))]
    alarm = any(one.beyond_history is not False for one in found)
    return _divided(twins, values, len(found), replace(blank, method=GESD, outliers=tuple(found), is_alarm=alarm))


def _small(twins: Twins, values: Floats, blank: Outcome) -> Outcome:
    """Against the history if there is one. Else a z that is rare in a group of this size."""
    found = _outliers(twins, values, blank, np.arange(len(values)))
    if blank.earlier_runs >= LEAST_HISTORY:
        kept = tuple(one for one in found if one.beyond_history)
        return replace(blank, method=HISTORY, outliers=kept, is_alarm=bool(kept))
    least = small_score(len(values))
    return replace(blank, method=SMALL, outliers=tuple(one for one in found if (one.score or 0.0) > least))


def small_score(hosts: int) -> float:
    """The MAD z that is rare among so many hosts."""
    return SMALL_SCORES.get(hosts, COUNTS_SCORE)


def _outliers(twins: Twins, values: Floats, blank: Outcome, places: ArrayLike) -> list[Outlier]:
    """Describe the hosts at some places that are further out than the floor, the furthest first."""
    floor = scales.floor(values, twins.tolerance, twins.resolution)
    furthest = _furthest(twins)
    spread = _spread_explained(values)
    found = []
    for place in np.asarray(places).tolist():
        distance = float(values[place]) - blank.center
        score = abs(distance) / blank.scale if blank.scale else np.inf
        beyond = None if furthest is None else abs(distance) > BEYOND_HISTORY * furthest
        if abs(distance) > floor and not (twins.counts and score <= COUNTS_SCORE):
            found.append(Outlier(place, float(values[place]), distance, score, None, float(spread[place]), beyond))
    return sorted(found, key=lambda one: (-abs(one.distance), one.place))


def _runs(twins: Twins) -> int:
    return 0 if twins.history is None else int(np.isfinite(twins.history).any(axis=1).sum())


def _furthest(twins: Twins) -> float | None:
    """How far from the median of its run any twin was in earlier runs; None for too few runs."""
    if twins.history is None or _runs(twins) < LEAST_HISTORY:
        return None
    rows = twins.history[np.isfinite(twins.history).any(axis=1)]
    return float(np.nanmax(np.abs(rows - np.nanmedian(rows, axis=1, keepdims=True))))


def _spread_explained(values: Floats) -> Floats:
    """For each value how much of the sum of squares goes away without it."""
    n = len(values)
    apart = values - np.median(values)
    apart = apart - apart.mean()
    total = float((apart**2).sum())
    return apart**2 * (n / (n - 1)) / total if total else np.zeros(n)


def _divided(twins: Twins, values: Floats, flagged: int, outcome: Outcome) -> Outcome:
    """Say "two groups" instead, where many differ or a gap is wide."""
    many = flagged > most_deviants(len(values))
    found = two_groups(values, twins.attributes, most_deviants(len(values)), must_part=many)
    return replace(outcome, outliers=(), is_alarm=False, groups=found) if found else outcome
