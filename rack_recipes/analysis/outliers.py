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
from rack_recipes.analysis.methods.outliers import TwoGroups
from rack_recipes.analysis.run_data import RunData, Twins
from rack_recipes.analysis.values_over_runs import Series, SeriesLimits, SeriesValues
from rack_recipes.journal.step_results_and_end_status import Cell, cell_of

COUNTED, MAY_BE_SETTINGS = (EVENTS, UNKNOWN), (SETTING, UNKNOWN)
MANY_SERIES = 3  # a host that differs in so many measurements is one finding, not many
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
    limits: SeriesLimits


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
    groups = [*_groups(run, history)]
    judged = [*zip(groups, method.judge_groups(group.twins for group in groups), strict=True)]
    bad = {cell_of(row) for row in run.steps if row["verdict"] not in PASSING}
    chance = intervals_and_multiple_tests.SURE / max(len(groups), 1)
    deviants = [one for group, outcome in judged for one in _deviants(group, outcome, bad, chance)]
    yield from cap_findings([*_of_hosts(deviants)])
    yield from cap_findings([_two_groups(group, outcome.groups) for group, outcome in judged if outcome.groups])


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
    return _Group(one.series, label, hosts, known, history.limits.of(one.series))


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
    if kind == NOISE:
        return PROBLEM if group.limits.is_broken(outlier.value) else NOTABLE
    if outcome.method == method.SETTING and (kind == SETTING or not group.series.key):
        return PROBLEM
    worse = group.limits.is_worse(outcome.center, outlier.value) and outlier.chance <= greatest_chance
    return PROBLEM if is_bad or worse else NOTABLE


def _of_hosts(deviants: Sequence[_Deviant]) -> Iterator[Finding]:
    """A finding for each host that differs in many series, and one for each series with the other hosts."""
    by_host: dict[str, list[_Deviant]] = defaultdict(list)
    for one in deviants:
        by_host[one.host].append(one)
    many = {host: own for host, own in by_host.items() if len(own) >= MANY_SERIES}
    yield from (_in_many_series(host, own) for host, own in many.items())
    by_group: dict[int, list[_Deviant]] = defaultdict(list)
    for one in deviants:
        if one.host not in many:
            by_group[id(one.group)].append(one)
    yield from map(_in_one_series, by_group.values())


def _in_many_series(host: str, own: Sequence[_Deviant]) -> Finding:
    own = sorted(own, key=_how_far)
    names = first_few([one.group.series.in_words for one in own], SHOWN, "; ")
    return Finding(
        "outlier",
        own[0].grade,
        f"{host} differs from its twins in {format_count(len(own), 'measurement')}: {names}",
        tuple(result for one in own[:MOST_RESULTS] for result in one.group.series.results([host])),
        CHECK.format(host),
        {"measurements": [_figures(one) for one in own[:MOST_RESULTS]], "number": len(own)},
        {"host": host},
        _method(own),
    )


def _in_one_series(own: Sequence[_Deviant]) -> Finding:
    own = sorted(own, key=_how_far)
    group, outcome = own[0].group, own[0].outcome
    hosts = [f"{one.host} ({format_amount(one.outlier.value, group.series.unit)})" for one in own]
    most = "most have" if outcome.method in (method.SETTING, method.VOTE) else "the median is"
    center = f"{most} {format_amount(outcome.center, group.series.unit)}"
    kind = f" of {group.label}" if group.label else ""
    return Finding(
        "outlier",
        own[0].grade,
        f"{group.series.in_words}: {first_few(hosts, SHOWN)} of {len(group.hosts)} twins{kind} "
        f"{'differs' if len(own) == 1 else 'differ'}; {center}",
        group.series.results(one.host for one in own),
        CHECK.format(first_few([one.host for one in own], SHOWN)),
        {"hosts": [_figures(one) for one in own[:MOST_RESULTS]], "twins": len(group.hosts), "center": outcome.center},
        _about(group),
        _method(own),
    )


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
