# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that differ from their twins in this run, and twins that are two groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.analysis.causes import Traits, advice_for, on_or_with, places_of, sort_by_telling, values_of
from rack_recipes.analysis.findings import (
    MOST_RESULTS,
    NOTABLE,
    NOTE,
    PROBLEM,
    SHOWN,
    Finding,
    cap_findings,
    format_amount,
    format_count,
)
from rack_recipes.analysis.history import History
from rack_recipes.analysis.kinds_of_values import EVENTS, NOISE, SETTING, UNKNOWN, kind_of
from rack_recipes.analysis.methods import intervals_and_multiple_tests
from rack_recipes.analysis.methods import outliers as method
from rack_recipes.analysis.methods.causes import ALPHA, Shared, common_group, host_sets
from rack_recipes.analysis.methods.outliers import TwoGroups
from rack_recipes.analysis.run_data import RunData, Twins
from rack_recipes.analysis.values_over_runs import KnownLimits, Series, SeriesValues
from rack_recipes.journal.step_results_and_end_status import Cell, cell_of
from rack_recipes.natural_order import natural

COUNTED, MAY_BE_SETTINGS = (EVENTS, UNKNOWN), (SETTING, UNKNOWN)
MOST_VALUES = 2  # series that are told with their values in a title
MOST_OF_ALL = 200  # results of hosts that differ in many series
METHODS = {
    method.SETTING: "whole numbers that are the same on all twins but a tenth; no rate of false alarms is known",
    method.VOTE: "a vote of twins; nothing is assumed of the values, so no rate of false alarms is known",
    method.HISTORY: "1.5 times further from the median than any other twin in the earlier runs: a false alarm in less "
    "than one of (runs + 1) groups, in 0 to 1.5 % as tried with 20 runs",
    method.SMALL: "distance from the median in MADs, beyond what 1 % of normal groups of this size have; notable where "
    "1 % of groups with long tails (t3) have it",
    method.GESD: "GESD, Benjamini and Hochberg over all groups of the run: where nothing is wrong, 5 % of runs have a "
    "false one for normal values; up to 42 % of groups with long tails where no history can tell",
}
GROUPS_METHOD = (
    "the widest gap between the values, with an attribute that parts them as well by chance in at most 5 % of cases"
)
CHECK = "Compare {} with a twin: parts, firmware, settings, cabling; then run the step again."
CHECK_GROUPS = "Decide whether both kinds are to be alike; if not, give them classes of their own in the inventory."


@dataclass(frozen=True, slots=True)
class _Group:
    """The twins of one series: their class in words, hosts, and what is known of the series."""

    series: Series
    label: str
    hosts: Sequence[str]
    twins: method.Twins
    limits: KnownLimits


@dataclass(frozen=True, slots=True)
class _Deviant:
    """A host that differs in one series, and how."""

    host: str
    group: _Group
    outcome: method.Outcome
    outlier: method.Outlier
    grade: str


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """Yield findings of the kinds `outlier` and `groups`."""
    groups = _without_copies([*_groups(run, history)])
    judged = [*zip(groups, method.judge_groups(group.twins for group in groups), strict=True)]
    bad = {cell_of(row) for row in run.steps if row["verdict"] not in PASSING}
    chance = intervals_and_multiple_tests.SURE / max(len(groups), 1)
    deviants = [one for group, outcome in judged for one in _deviants(group, outcome, bad, chance)]
    yield from cap_findings([*_of_hosts(deviants, places_of(run) if deviants else {})])
    yield from cap_findings([_two_groups(group, outcome.groups) for group, outcome in judged if outcome.groups])


def _without_copies(groups: Sequence[_Group]) -> list[_Group]:
    """The groups, but for numbers of the context that a step of the run has measured, too: these are told once."""
    measured = {(*one.hosts, one.twins.values.tobytes()) for one in groups if one.series.step}
    return [one for one in groups if one.series.step or (*one.hosts, one.twins.values.tobytes()) not in measured]


def _groups(run: RunData, history: History) -> Iterator[_Group]:
    """All groups of twins; those of fewer than four hosts have nothing to be compared with."""
    twins = Twins(run.attributes)
    for one in history.series:
        present = np.isfinite(one.last)
        for label, places in twins.by_class(one.hosts).items():
            kept = [place for place in places if present[place]]
            if len(kept) >= method.LEAST_GROUP:
                yield _group(one, label, kept, twins, history)


def _group(one: SeriesValues, label: str, places: Sequence[int], twins: Twins, history: History) -> _Group:
    hosts, values, earlier = [one.hosts[place] for place in places], one.last[places], one.earlier[places].T
    kind = kind_of(one.series.name, one.series.unit)
    known = method.Twins(
        values,
        earlier if earlier.size else None,
        twins.columns(hosts),
        counts=kind in COUNTED and bool((values >= 0).all() and (values == np.round(values)).all()),
        may_be_setting=kind in MAY_BE_SETTINGS,
    )
    return _Group(one.series, label, hosts, known, history.limits)


def _deviants(
    group: _Group, outcome: method.Outcome, bad: Container[Cell], greatest_chance: float
) -> Iterator[_Deviant]:
    for outlier in outcome.outliers:
        host = group.hosts[outlier.place]
        sure = outcome.is_alarm and outlier.beyond_history is not False
        grade = _grade(group, outcome, outlier, Cell(group.series.step, host) in bad, greatest_chance) if sure else NOTE
        yield _Deviant(host, group, outcome, outlier, grade)


def _grade(
    group: _Group, outcome: method.Outcome, outlier: method.Outlier, is_bad: bool, greatest_chance: float
) -> str:
    """A problem, or at least notable.

    Noise is a problem where it breaks its limit. All else also where its result is bad, where it is on the worse side
    beyond what noise explains, and where it is a setting: one of the context only if its name tells so.
    """
    kind = kind_of(group.series.name, group.series.unit)
    limits = group.limits.of(group.series, [group.hosts[outlier.place]])
    if kind == NOISE:
        return PROBLEM if limits.is_broken(outlier.value) else NOTABLE
    if outcome.method == method.SETTING and (kind == SETTING or not group.series.key):
        return PROBLEM
    worse = limits.is_worse(outcome.center, outlier.value) and outlier.chance <= greatest_chance
    return PROBLEM if is_bad or worse else NOTABLE


def _of_hosts(deviants: Sequence[_Deviant], places: Traits) -> Iterator[Finding]:
    """A finding for all series in which the same hosts differ, since these have one cause."""
    for together in _together(deviants):
        own = sorted(together, key=_how_far)
        where = _where(own, places)
        yield _in_one_series(own, where) if len(_by_side(own)) == 1 else _in_many_series(own, where)


def _by_side(deviants: Sequence[_Deviant]) -> list[list[_Deviant]]:
    """Those of one series that are above the others, and those that are below, each in their order."""
    found: dict[tuple[int, bool], list[_Deviant]] = defaultdict(list)
    for one in deviants:
        found[id(one.group), one.outlier.value > one.outcome.center].append(one)
    return [*found.values()]


def _together(deviants: Sequence[_Deviant]) -> list[list[_Deviant]]:
    """The deviants by the hosts that differ; where most hosts of a larger set differ, they come under that set."""
    by_hosts: dict[frozenset[str], list[_Deviant]] = defaultdict(list)
    for own in _by_side(deviants):
        by_hosts[frozenset(one.host for one in own)] += own
    found: dict[frozenset[str], list[_Deviant]] = {}
    for hosts, own in sorted(by_hosts.items(), key=lambda one: -len(one[1])):
        larger = next((other for other in found if hosts < other and 2 * len(hosts) > len(other)), hosts)
        found.setdefault(larger, []).extend(own)
    return [*found.values()]


@dataclass(frozen=True, slots=True)
class _Where:
    """Where hosts are that differ: in words, and what they share, where that may be the cause."""

    hosts: Sequence[str]
    words: str
    shared: Shared | None = None
    advice: str = ""

    @property
    def about(self) -> dict[str, Any]:
        return {"attribute": self.shared.attribute, "value": self.shared.value} if self.shared else {}


def _where(own: Sequence[_Deviant], places: Traits) -> _Where:
    """What the hosts share that few of their twins have; how many twins there are where that is nothing."""
    hosts, group = sorted({one.host for one in own}, key=natural), own[0].group
    check = CHECK.format(first_few(hosts, SHOWN))
    cause = common_group(hosts, group.hosts, host_sets(group.hosts, places)) if len(hosts) > 1 else None
    if cause is None:
        return _Where(
            hosts, f"{len(hosts)} of {len(group.hosts)} twins{f' of {group.label}' * bool(group.label)}", advice=check
        )
    shared = sort_by_telling(cause.names)[0]
    words = f"{len(hosts)} of {len(cause.group)} {on_or_with(shared)}, none elsewhere"
    if cause.p > ALPHA:
        return _Where(hosts, f"{words}; chance alone cannot be ruled out", shared, check)
    others = values_of(places, shared.attribute, frozenset(group.hosts) - cause.group)
    return _Where(hosts, words, shared, advice_for(shared, others))


def _in_many_series(own: Sequence[_Deviant], where: _Where) -> Finding:
    sides = _by_side(own)
    told = first_few([f"{same[0].group.series.in_words}: {_instead(same)}" for same in sides], MOST_VALUES, "; ")
    is_one = len(where.hosts) == 1
    them = where.hosts[0] if is_one else f"{first_few(where.hosts, SHOWN)} ({where.words})"
    return Finding(
        "outlier",
        own[0].grade,
        f"{them} {'differs from its' if is_one else 'differ from their'} twins in "
        f"{format_count(len(sides), 'measurement')}: {told}",
        tuple(result for one in own[:MOST_OF_ALL] for result in one.group.series.results([one.host])),
        where.advice,
        {"measurements": [_figures(one) for one in own[:MOST_RESULTS]], "number": len(sides)},
        {"host": where.hosts[0]} if is_one else where.about,
        _method(own),
    )


def _in_one_series(own: Sequence[_Deviant], where: _Where) -> Finding:
    group = own[0].group
    return Finding(
        "outlier",
        own[0].grade,
        f"{group.series.in_words}: {first_few(where.hosts, SHOWN)} ({where.words}): {_instead(own)}",
        group.series.results(one.host for one in own),
        where.advice,
        {
            "hosts": [_figures(one) for one in own[:MOST_RESULTS]],
            "twins": len(group.hosts),
            "center": own[0].outcome.center,
        },
        {**_about(group), **where.about},
        _method(own),
    )


def _instead(own: Sequence[_Deviant]) -> str:
    """The values of one series that differ, and what the others have: `25 instead of 100 Gbit/s`."""
    values = sorted({one.outlier.value for one in own})
    texts = [*dict.fromkeys(map(format_amount, values))]
    told = " and ".join(texts) if len(texts) < 3 else f"{texts[0]} to {texts[-1]}"
    return f"{told} instead of {format_amount(own[0].outcome.center, own[0].group.series.unit)}"


def _how_far(one: _Deviant) -> tuple[int, float]:
    """Sort by grade, then the furthest first; after a vote there is no distance in units of the spread."""
    score = one.outlier.score if one.outlier.score is not None else 0.0
    return (PROBLEM, NOTABLE, NOTE).index(one.grade), -score


def _method(own: Sequence[_Deviant]) -> str:
    return "; ".join(dict.fromkeys(METHODS[one.outcome.method] for one in own))


def _figures(one: _Deviant) -> dict[str, Any]:
    outlier = one.outlier
    figures = {
        "host": one.host,
        **one.group.series.about,
        "value": outlier.value,
        "center": one.outcome.center,
        "distance": outlier.distance,
        "score": outlier.score if outlier.score is None or np.isfinite(outlier.score) else None,
        "p": outlier.p,
        "spread explained": outlier.spread_explained,
        "beyond the history": outlier.beyond_history,
        "twins": len(one.group.hosts),
        "earlier runs": one.outcome.earlier_runs,
    }
    return {name: value for name, value in figures.items() if value not in (None, "")}


def _about(group: _Group) -> dict[str, Any]:
    about = {**group.series.about, "class": group.label}
    return {name: value for name, value in about.items() if value}


def _two_groups(group: _Group, found: TwoGroups) -> Finding:
    minority = min(found.lower, found.upper, key=len)
    by = found.separators[0]
    exceptions = f" but for {by.exceptions}" if by.exceptions else ""
    unit = group.series.unit
    return Finding(
        "groups",
        NOTABLE,
        f"{group.series.in_words}: {format_count(len(group.hosts), 'twin')} are two groups by {by.attribute}"
        f"{exceptions}: {len(found.lower)} up to {format_amount(found.below, unit)}, "
        f"{len(found.upper)} from {format_amount(found.above, unit)}",
        group.series.results(group.hosts[place] for place in minority),
        CHECK_GROUPS,
        {
            "lower": len(found.lower),
            "upper": len(found.upper),
            "below": found.below,
            "above": found.above,
            "minority": [group.hosts[place] for place in minority[:MOST_RESULTS]],
            "separators": [
                {"attribute": one.attribute, "lower": [*one.lower], "upper": [*one.upper], "p": one.p}
                for one in found.separators
            ],
        },
        {**_about(group), "attribute": by.attribute},
        GROUPS_METHOD,
    )
