# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts of one class against each other in one run.

Outliers by group size, history, vote or GESD (Rosner 1983), and twins that are two groups.

Methods, and their false alarms:

- 1 to 3 hosts: none, the values are listed.
- A setting: whole numbers that are the same on all twins but a tenth, now and in 9 of 10 earlier runs.
- All alike but a few: a vote. No distribution is assumed, so no rate is known, and it is never an alarm.
- 4 to 15 hosts with 10 or more earlier runs: 1.5 times further out than any other twin ever was, and than this one
  was at first. Less than one in (runs + 1) groups; tried with 20 runs: 0 to .2 % of normal groups, .6 to 1.1 % of
  lognormal ones, 1.5 % of t3.
- 4 to 15 hosts without: a MAD z that 1 % of normal groups of this size have. An alarm if 1 % of t3 groups have it.
- 16 hosts and more: GESD (Rosner 1983), with Benjamini and Hochberg over all groups: where nothing is wrong, 5 % of
  runs have a false one, for normal values.

GESD among t3 noise has false alarms in 42 % of groups of 40. So where there is a history, an alarm needs both: GESD,
and further out than any twin ever was (notes/analysis.md, 1). A few values far beyond all others are left out of the
history, or they would hide the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import comb, sqrt
from typing import NamedTuple

import numpy as np

from rack_recipes.analysis.methods import intervals_and_multiple_tests, spread_and_resolution
from rack_recipes.analysis.methods.arrays import Floats, Marks, Places, as_floats, medians
from rack_recipes.analysis.methods.spread_and_resolution import median_deviation
from rack_recipes.analysis.methods.statistics_without_numpy import student_two_sided

LEAST_SCORE = 2.3
"""Deviations below this have a chance above .05 in any group of 16 or more, and are not computed."""


class Suspect(NamedTuple):
    """The place of a value, and the chance of so extreme a one among those that are left."""

    place: int
    p: float


def find_suspects(values: Floats, most: int, least_deviation: float = 0.0) -> list[Suspect]:
    """Remove up to `most` values, each time the most extreme of those left, and return them in that order.

    Outliers are all up to the last whose p is small. `least_deviation` is the least standard deviation that the values
    can have, in their unit. False alarms at .01: 1 % of groups of 16 and more normal values (notes/analysis.md, 1).
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order] - np.median(values)
    removed, low, high = _path(ordered, most)
    deviations = _deviations(ordered, removed, low, high)
    return [
        Suspect(int(order[place]), _p(abs(float(ordered[place]) - mean), max(spread, least_deviation), count))
        for place, (mean, spread, count) in zip(removed, deviations, strict=True)
    ]


def _path(ordered: Floats, most: int) -> tuple[list[int], int, int]:
    """The places that are removed one after the other, and the first and last that are left."""
    low, high = 0, len(ordered) - 1
    sums = np.concatenate(([0.0], np.cumsum(ordered))).tolist()
    numbers = ordered.tolist()
    removed = []
    for _turn in range(most):
        mean = (sums[high + 1] - sums[low]) / (high - low + 1)
        if mean - numbers[low] > numbers[high] - mean:
            removed.append(low)
            low += 1
        else:
            removed.append(high)
            high -= 1
    return removed, low, high


def _deviations(ordered: Floats, removed: list[int], low: int, high: int) -> list[tuple[float, float, int]]:
    """Mean, standard deviation and number of the values before each removal; values are added again, by Welford."""
    left = ordered[low : high + 1]
    count, mean = len(left), float(left.mean())
    squares = float(((left - mean) ** 2).sum())
    found = []
    for place in reversed(removed):
        count += 1
        apart = float(ordered[place]) - mean
        mean += apart / count
        squares += apart * (float(ordered[place]) - mean)
        found.append((mean, sqrt(squares / (count - 1)), count))
    return found[::-1]


def _p(distance: float, deviation: float, count: int) -> float:
    """The chance that the most extreme of `count` normal values is so far out, in the tail of Student's t."""
    score = distance / deviation if deviation else 0.0
    if score < LEAST_SCORE:
        return 1.0
    room = (count - 1) ** 2 / count - score**2
    if room <= 0:
        return 0.0
    t = score * sqrt((count - 2) / room)
    return min(count * student_two_sided(t, count - 2), 1.0)


WIDE = 14
"""A gap of more than so many median gaps is wide. Two groups 10 sigma apart have one in 94 to 100 % of groups of 16 and
more; so have 11 % of lognormal groups, but hardly ever with an attribute that fits (notes/analysis.md, 1)."""
LEAST_HOSTS = 16
EXCEPTIONS = 20  # one of so many hosts may be on the wrong side of a gap
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Separator:
    """An attribute whose values are others on both sides, and the chance that one of this kind fits so well.

    `exceptions` is the number of hosts that are on the side of the other values.
    """

    attribute: str
    lower: tuple[str, ...]
    upper: tuple[str, ...]
    p: float
    exceptions: int = 0


@dataclass(frozen=True, slots=True)
class TwoGroups:
    """The places of the lower and of the upper values, the ends of the gap between them, and what tells them apart."""

    lower: tuple[int, ...]
    upper: tuple[int, ...]
    below: float
    above: float
    separators: tuple[Separator, ...]


def find_two_groups(
    values: Floats, attributes: Mapping[str, Sequence[str]], most_deviants: int, *, must_part: bool
) -> TwoGroups | None:
    """Return the two groups of values, None if they are one, or if no attribute tells them apart.

    A side needs more than `most_deviants` hosts. The gap must be wide, unless `must_part`: more than that are outliers.
    """
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    allowed = gaps[most_deviants : len(gaps) - most_deviants]
    if not len(allowed) or not allowed.max():
        return None
    size = most_deviants + 1 + int(allowed.argmax())
    wide = len(values) >= LEAST_HOSTS and allowed.max() > WIDE * np.median(gaps)
    lower, upper = order[:size], order[size:]
    found = find_separators(lower, upper, attributes) if wide or must_part else ()
    if not found:
        return None
    ends = float(values[lower[-1]]), float(values[upper[0]])
    return TwoGroups(tuple(sorted(lower.tolist())), tuple(sorted(upper.tolist())), *ends, found)


def find_separators(lower: Places, upper: Places, attributes: Mapping[str, Sequence[str]]) -> tuple[Separator, ...]:
    """Return the attributes that have other values on both sides, unless as good a fit is common.

    One host in 20 may be an exception. The chance: the ways in which an attribute with so many values parts hosts, with
    so many exceptions, among all ways to choose so many hosts, times the number of attributes. So a serial number,
    which parts any hosts, never fits.
    """
    n, found = len(lower) + len(upper), []
    for name, values in attributes.items():
        sides = [Counter(values[place] for place in side) for side in (lower, upper)]
        below = {value for value, count in sides[0].items() if count > sides[1][value]}
        above = sides[1].keys() - below
        exceptions = sum((sides[0] & sides[1]).values())
        if exceptions > n // EXCEPTIONS or not below or not above:
            continue
        ways = (2 ** len(below | above) - 2) * sum(comb(n, number) for number in range(exceptions + 1))
        p = min(ways * len(attributes) / comb(n, len(lower)), 1.0)
        if p <= ALPHA:
            found.append(Separator(name, tuple(sorted(below)), tuple(sorted(above)), p, exceptions))
    return tuple(sorted(found, key=lambda one: (one.p, one.attribute)))


LIST, SETTING, VOTE, HISTORY, SMALL, GESD = "list", "setting", "vote", "history", "small group", "gesd"
LEAST_GROUP = 4
LEAST_GESD = 16
LEAST_HISTORY = 10
BEYOND_HISTORY = 1.5
APART = 3.0
"""Values so many times further out than the next ones are no noise: 4 % of the histories of t3 have one, no normal."""
WAS_ALIKE = 0.9  # of the earlier runs in which a setting was the same, on the host or on its twins
COUNTS_SCORE = 4.5
SMALL_SCORES = (15.9, 18.5, 10.1, 10.7, 8.0, 8.2, 6.9, 7.1, 6.3, 6.4, 5.9, 6.0)
"""The MAD z that the furthest of 4 to 15 normal values exceeds in 1 % of groups; 2,000,000 groups of each size."""
SURE_SCORES = (20.7, 25.6, 16.4, 18.2, 15.3, 16.2, 15.1, 15.7, 15.0, 15.7, 15.2, 15.8)
"""The same for values of Student's t with 3 degrees of freedom; 1,000,000 groups of each size."""


@dataclass(frozen=True, slots=True)
class Twins:
    """One measurement of one run on the hosts of one class, and what is known of it.

    `history` has a row for each earlier run and a column for each host; NaN is absent. `attributes` has a value for
    each host. Both are in the order of `values`. `resolution` is in their unit. `counts` are whole numbers of events;
    `may_be_setting` says that whole numbers which are all alike are no coincidence.
    """

    values: Floats
    history: Floats | None = None
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    resolution: float | None = None
    counts: bool = False
    may_be_setting: bool = False


@dataclass(frozen=True, slots=True)
class Outlier:
    """A host that differs: its place among the values, its distance from the median, and how far that is.

    `score` is the distance in units of `Outcome.scale`; None for votes and settings. `p` is None where it has none.
    `spread_explained` is how much of all spread in the group this host makes, 0 to 1. `beyond_history` says whether no
    other twin ever was as far out, nor this one at first; None without a history. `chance` is how often noise with
    tails as long as those of t3 has any twin of the group so far out, by the history; 1 without one.
    """

    place: int
    value: float
    distance: float
    score: float | None
    p: float | None
    spread_explained: float
    beyond_history: bool | None = None
    chance: float = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in one group: the method that was used, and the outliers, the furthest first.

    `center` is the median, or what most hosts have after a vote. `is_alarm` is false where the method's false alarms
    are not known, or too many of them are to be expected. `groups` are two groups, if that is what
    they are: then there are no outliers.
    """

    method: str
    center: float
    scale: float
    outliers: tuple[Outlier, ...] = ()
    is_alarm: bool = False
    groups: TwoGroups | None = None
    earlier_runs: int = 0


def judge_groups(groups: Iterable[Twins], rate: float = intervals_and_multiple_tests.RATE) -> list[Outcome]:
    """Return for each group what differs in it. Give all groups of a run at once: they share the rate of false alarms.

    Raises ValueError for values that are not numbers, and for a group without values.
    """
    twins = [_prepared(one) for one in groups]
    suspects = [_suspects(one) for one in twins]
    chances = [min((each.p for each in found), default=1.0) for found in suspects if found is not None]
    bound = intervals_and_multiple_tests.greatest_kept_p(chances, rate)
    return [_outcome(one, found, bound) for one, found in zip(twins, suspects, strict=True)]


def _prepared(twins: Twins) -> Twins:
    values = as_floats(twins.values)
    if not len(values):
        raise ValueError("a group needs values")
    step = spread_and_resolution.find_resolution(values) if twins.resolution is None else twins.resolution
    return replace(twins, values=values, resolution=step)


def _suspects(twins: Twins) -> list[Suspect] | None:
    """What GESD suspects in a group; None for a group that it does not judge."""
    if len(twins.values) < LEAST_GESD or not median_deviation(twins.values):
        return None
    step = twins.resolution or 0.0
    least = spread_and_resolution.robust_deviation(twins.values, step, counts=True) if twins.counts else step
    return find_suspects(twins.values, len(twins.values) // 3, least)


def _outcome(twins: Twins, suspects: list[Suspect] | None, bound: float) -> Outcome:
    hosts = len(twins.values)
    scale = spread_and_resolution.robust_deviation(twins.values, twins.resolution, counts=twins.counts)
    blank = Outcome(LIST, float(np.median(twins.values)), scale, earlier_runs=_runs(twins))
    if hosts < LEAST_GROUP:
        return blank
    if twins.may_be_setting and (others := _unlike_setting(twins, blank.center)):
        found = [replace(one, score=None, beyond_history=None) for one in _described(twins, blank, others)]
        return replace(blank, method=SETTING, outliers=tuple(found), is_alarm=True)
    if hosts < LEAST_GESD and blank.earlier_runs >= LEAST_HISTORY:
        return _by_history(twins, blank)
    if suspects is not None:
        return _by_gesd(twins, suspects, bound, blank)
    return _small(twins, blank) if median_deviation(twins.values) else _vote(twins, blank)


def most_deviants(hosts: int) -> int:
    """How many of some hosts may differ before they are a group of their own: a tenth, at least 1."""
    return max(1, hosts // 10)


def _unlike_setting(twins: Twins, usual: float) -> Sequence[int]:
    """The places of the values that are not the whole number that all others have, and had; none if it is no setting.

    0 is no setting: most numbers of events are 0.
    """
    differ = twins.values != usual
    is_whole = bool(usual) and bool((twins.values == np.round(twins.values)).all())
    if not is_whole or differ.sum() > most_deviants(len(differ)):
        return ()
    if twins.history is not None:
        others = twins.history[:, ~differ]
        rows = others[np.isfinite(others).any(axis=1)]
        alike = np.nanmax(rows, axis=1) == np.nanmin(rows, axis=1) if len(rows) else np.ones(1)
        if alike.mean() < WAS_ALIKE:
            return ()
    return np.flatnonzero(differ).tolist()


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
    size = len(twins.values) - LEAST_GROUP
    found = _outliers(twins, blank, range(len(twins.values)))
    kept = tuple(one for one in found if (one.score or 0.0) > SMALL_SCORES[size])
    sure = any((one.score or 0.0) > SURE_SCORES[size] for one in kept)
    return _divided(twins, len(kept), replace(blank, method=SMALL, outliers=kept, is_alarm=sure))


def _outliers(twins: Twins, blank: Outcome, places: Iterable[int]) -> list[Outlier]:
    """Describe the hosts at some places that are further out than the resolution, the furthest first."""
    is_more_than, values, step = spread_and_resolution.is_more_than, twins.values.tolist(), twins.resolution or 0.0
    far = [place for place in places if is_more_than(abs(values[place] - blank.center), step)]
    found = _described(twins, blank, far) if far else ()
    kept = [one for one in found if not (twins.counts and (one.score or 0.0) <= COUNTS_SCORE)]
    return sorted(kept, key=lambda one: (-abs(one.distance), one.place))


def _described(twins: Twins, blank: Outcome, places: Iterable[int]) -> Iterator[Outlier]:
    bars, spread = _bars(twins), _spread_explained(twins.values)
    for place in places:
        value = float(twins.values[place])
        distance = value - blank.center
        score = abs(distance) / blank.scale if blank.scale else np.inf
        found = Outlier(place, value, distance, score, None, float(spread[place]))
        if bars is not None:
            bar = max(float(bars[place]), twins.resolution or 0.0)
            chance = intervals_and_multiple_tests.chance_beyond(bar, abs(distance), blank.earlier_runs)
            found = replace(found, beyond_history=abs(distance) > BEYOND_HISTORY * bar, chance=chance)
        yield found


def _runs(twins: Twins) -> int:
    return 0 if twins.history is None else int(np.isfinite(twins.history).any(axis=1).sum())


def _bars(twins: Twins) -> Floats | None:
    """For each host how far from the median of their run the other twins were in earlier runs; None for too few runs.

    At least as far as the host itself was at first, in the older half of them. So it does not raise its own bar by
    drifting away, and what always was apart is nothing new.
    """
    if twins.history is None or _runs(twins) < LEAST_HISTORY:
        return None
    rows = twins.history[np.isfinite(twins.history).any(axis=1)]
    apart = np.abs(rows - medians(rows, axis=1)[:, np.newaxis])
    early = apart[: len(apart) // 2]
    present = np.isfinite(early).any(axis=0)
    at_first = np.zeros(len(present))
    at_first[present] = medians(early[:, present], axis=0)
    furthest = np.where(_known(apart) | np.isnan(apart), 0.0, apart).max(axis=0)
    first = int(furthest.argmax())
    bars = np.full(len(furthest), furthest[first])
    bars[first] = np.delete(furthest, first).max()
    found: Floats = np.maximum(bars, at_first)
    return found


def _known(apart: Floats) -> Marks:
    """Mark the distances that are known outliers: far beyond all others, and on few hosts or in few runs."""
    ordered = np.sort(apart[np.isfinite(apart)])[::-1]
    most = min(max(len(apart), len(ordered) // 10), len(ordered) - 1)
    steep = np.flatnonzero(ordered[:most] > APART * ordered[1 : most + 1])
    marked = np.zeros(apart.shape, dtype=bool)
    if len(steep):
        marked = apart >= ordered[steep[-1]]
    runs, hosts = marked.any(axis=1).sum(), marked.any(axis=0).sum()
    is_few = runs <= most_deviants(len(apart)) or hosts <= most_deviants(apart.shape[1])
    return marked if is_few else np.zeros_like(marked)


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
    found = find_two_groups(twins.values, twins.attributes, most_deviants(len(twins.values)), must_part=many)
    return replace(outcome, outliers=(), is_alarm=False, groups=found) if found else outcome
