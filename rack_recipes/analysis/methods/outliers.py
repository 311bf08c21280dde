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

from rack_recipes.analysis.methods import lazy_numpy as np
from rack_recipes.analysis.methods import least_meaningful_difference, multiple_tests
from rack_recipes.analysis.methods.arrays import Floats, floats, medians
from rack_recipes.analysis.methods.gesd import Suspect, gesd
from rack_recipes.analysis.methods.moments import mad
from rack_recipes.analysis.methods.split_into_two_groups import TwoGroups, two_groups

LIST, VOTE, HISTORY, SMALL, GESD = "list", "vote", "history", "small group", "gesd"
LEAST_GROUP = 4
LEAST_GESD = 16
LEAST_HISTORY = 10
BEYOND_HISTORY = 1.5
COUNTS_SCORE = 4.5
SMALL_SCORES = (15.9, 18.5, 10.1, 10.7, 8.0, 8.2, 6.9, 7.1, 6.3, 6.4, 5.9, 6.0)
"""The MAD z that the furthest of 4 to 15 normal values exceeds in 1 % of groups; 2,000,000 groups of each size."""


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
    twins = [_prepared(one) for one in groups]
    suspects = [_suspects(one) for one in twins]
    chances = [min((each.p for each in found), default=1.0) for found in suspects if found is not None]
    bound = multiple_tests.threshold(chances, rate)
    return [_outcome(one, found, bound) for one, found in zip(twins, suspects, strict=True)]


def _prepared(twins: Twins) -> Twins:
    values = floats(twins.values)
    if not len(values):
        raise ValueError("a group needs values")
    step = least_meaningful_difference.resolution(values) if twins.resolution is None else twins.resolution
    return replace(twins, values=values, resolution=step)


def _suspects(twins: Twins) -> list[Suspect] | None:
    """What GESD suspects in a group; None for a group that it does not judge."""
    if len(twins.values) < LEAST_GESD or not mad(twins.values):
        return None
    step = twins.resolution or 0.0
    least = least_meaningful_difference.scale(twins.values, step, counts=True) if twins.counts else step
    return gesd(twins.values, len(twins.values) // 3, least)


def _outcome(twins: Twins, suspects: list[Suspect] | None, bound: float) -> Outcome:
    hosts = len(twins.values)
    scale = least_meaningful_difference.scale(twins.values, twins.resolution, counts=twins.counts)
    blank = Outcome(LIST, float(np.median(twins.values)), scale, earlier_runs=_runs(twins))
    if hosts < LEAST_GROUP:
        return blank
    if hosts < LEAST_GESD and blank.earlier_runs >= LEAST_HISTORY:
        return _by_history(twins, blank)
    if suspects is not None:
        return _by_gesd(twins, suspects, bound, blank)
    return _small(twins, blank) if mad(twins.values) else _vote(twins, blank)


def most_deviants(hosts: int) -> int:
    """How many of some hosts may differ before they are a group of their own: a tenth, at least 1."""
    return max(1, hosts // 10)


def _vote(twins: Twins, blank: Outcome) -> Outcome:
    """More than half have one value. The others are named if they are few."""
    found = _outliers(twins, blank, range(len(twins.values)))
    kept = tuple(replace(one, score=None) for one in found) if len(found) <= most_deviants(len(twins.values)) else ()
    return _divided(twins, len(found), replace(blank, method=VOTE, outliers=kept))


def _by_gesd(twins: Twins, suspects: list[Suspect], bound: float, blank: Outcome) -> Outcome:
    number = max((rank for rank, suspect in enumerate(suspects, 1) if suspect.p <= bound), default=0)
    p = {suspect.place: suspect.p for suspect in suspects[:number]}
    found = [replace(one, p=p[one.place]) for one in _outliers(twins, blank, p)]
    alarm = any(one.beyond_history is not False for one in found)
    return _divided(twins, len(found), replace(blank, method=GESD, outliers=tuple(found), is_alarm=alarm))


def _by_history(twins: Twins, blank: Outcome) -> Outcome:
    found = _outliers(twins, blank, range(len(twins.values)))
    kept = tuple(one for one in found if one.beyond_history)
    return _divided(twins, len(kept), replace(blank, method=HISTORY, outliers=kept, is_alarm=bool(kept)))


def _small(twins: Twins, blank: Outcome) -> Outcome:
    least = SMALL_SCORES[len(twins.values) - LEAST_GROUP]
    found = _outliers(twins, blank, range(len(twins.values)))
    kept = tuple(one for one in found if (one.score or 0.0) > least)
    return _divided(twins, len(kept), replace(blank, method=SMALL, outliers=kept))


def _outliers(twins: Twins, blank: Outcome, places: Iterable[int]) -> list[Outlier]:
    """Describe the hosts at some places that are further out than the floor, the furthest first."""
    floor = least_meaningful_difference.floor(twins.values, twins.tolerance, twins.resolution)
    furthest = _furthest(twins)
    spread = _spread_explained(twins.values)
    found = []
    for place in places:
        distance = float(twins.values[place]) - blank.center
        score = abs(distance) / blank.scale if blank.scale else np.inf
        beyond = None if furthest is None else abs(distance) > BEYOND_HISTORY * furthest
        if abs(distance) > floor and not (twins.counts and score <= COUNTS_SCORE):
            found.append(
                Outlier(place, float(twins.values[place]), distance, score, None, float(spread[place]), beyond)
            )
    return sorted(found, key=lambda one: (-abs(one.distance), one.place))


def _runs(twins: Twins) -> int:
    return 0 if twins.history is None else int(np.isfinite(twins.history).any(axis=1).sum())


def _furthest(twins: Twins) -> float | None:
    """How far from the median of its run any twin was in earlier runs; None for too few runs."""
    if twins.history is None or _runs(twins) < LEAST_HISTORY:
        return None
    rows = twins.history[np.isfinite(twins.history).any(axis=1)]
    return float(np.nanmax(np.abs(rows - medians(rows, axis=1)[:, np.newaxis])))


def _spread_explained(values: Floats) -> Floats:
    """For each value how much of the sum of squares goes away without it."""
    n = len(values)
    apart = values - np.median(values)
    apart = apart - apart.mean()
    total = float((apart**2).sum())
    return apart**2 * (n / (n - 1)) / total if total else np.zeros(n)


def _divided(twins: Twins, flagged: int, outcome: Outcome) -> Outcome:
    """Say "two groups" instead, where many differ or a gap is wide."""
    many = flagged > most_deviants(len(twins.values))
    found = two_groups(twins.values, twins.attributes, most_deviants(len(twins.values)), must_part=many)
    return replace(outcome, outliers=(), is_alarm=False, groups=found) if found else outcome
