# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that drift away from their twins over the runs, and hosts or groups that are elsewhere than before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.analysis.findings import (
    GRADES,
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
from rack_recipes.analysis.kinds_of_values import NOISE, kind_of
from rack_recipes.analysis.methods import twins_over_runs
from rack_recipes.analysis.methods.arrays import Floats, medians
from rack_recipes.analysis.methods.change_points_and_trends import LEAST_RUNS, cut_spikes, is_more_than_a_spike
from rack_recipes.analysis.methods.intervals_and_multiple_tests import RATE
from rack_recipes.analysis.methods.outliers import BEYOND_HISTORY, LEAST_GROUP
from rack_recipes.analysis.methods.spread_and_resolution import find_resolution, is_more_than
from rack_recipes.analysis.methods.twins_over_runs import (
    Moves,
    greatest_p,
    measure_levels,
    measure_moves,
    typical_memory,
)
from rack_recipes.analysis.run_data import RunData, Twins
from rack_recipes.analysis.values_over_runs import PRESENT, Series, SeriesValues

CERTAIN = 0.001  # the chance of any such move in a run: a problem is rarer
TESTS_OF_A_HOST = 2  # for a drift, and for another level
LEAST_OF_GROUP = 3  # hosts: fewer share no place, but a chance
TOGETHER = 3  # so many measurements that move in the same way are one finding
AT_THE_NEW_LEVEL = 1  # runs, of a group; of a host as many as of any series
GROUP_CHANCE = 0.05  # that the hosts of a group move so far from the others
Places = Sequence[int]

DRIFT_METHOD = (
    "Kendall's statistic of the difference to the median of the twins, with the memory that most twins have (AR(1), "
    "Hamed and Rao); further than 3.5 deviations of the twins; Benjamini and Hochberg over all hosts and series: 5 % "
    "of the hosts named are false on average"
)
LEVEL_METHOD = (
    "the greatest t2 of all splits of the difference to the other twins, with the memory that most of them have; the "
    "twins as a whole have not moved so (3.5 deviations for a host, Mann and Whitney at 5 % for a group); Benjamini "
    "and Hochberg over all groups, hosts and series: 5 % of those named are false on average"
)


@dataclass(frozen=True, slots=True)
class Peers:
    """The hosts of one class that have a series: their `places` in it, and `runs`, the columns that most of them have.

    The values themselves stay where they are: there may be millions.
    """

    one: SeriesValues
    label: str
    places: Places
    runs: Places

    @property
    def series(self) -> Series:
        """What the values are."""
        return self.one.series

    @property
    def hosts(self) -> Sequence[str]:
        """The names of the hosts, in the order of rows."""
        return [self.one.hosts[place] for place in self.places]

    @property
    def values(self) -> Floats:
        """The values of hosts (rows) in runs (columns); NaN is none."""
        found: Floats = self.one.values[np.ix_(self.places, self.runs)]
        return found

    @property
    def apart(self) -> Floats:
        """The values less those of the twins, without gaps."""
        return twins_over_runs.subtract_twins(self.values)


class Move(NamedTuple):
    """What has moved: some hosts (`rows`), one or a group, which `names` (attribute, value) tell.

    `place` is the first run (column) at the new level; None for a drift. `p` is its chance, among so many `tests`.
    """

    peers: Peers
    rows: Places
    place: int | None
    p: float
    tests: int
    names: Sequence[tuple[str, str]] = ()

    @property
    def hosts(self) -> Sequence[str]:
        """The names of the hosts."""
        return [self.peers.hosts[row] for row in self.rows]

    @property
    def ends(self) -> tuple[float, float]:
        """The level of these hosts before and since, or of the ends of their line."""
        own = medians(self.peers.values[[*self.rows]], axis=0)
        own = np.where(np.isnan(own), np.nanmedian(own), own)
        if self.place is None:
            return _ends_of_line(own)
        return float(np.median(own[: self.place])), float(np.median(own[self.place :]))

    @property
    def beside(self) -> float:
        """By how much they have moved against their twins, in the unit of the values."""
        apart = np.median(self.peers.apart[[*self.rows]], axis=0)
        if self.place is None:
            first, last = _ends_of_line(apart)
            return last - first
        return float(np.median(apart[self.place :]) - np.median(apart[: self.place]))


def _ends_of_line(values: Floats) -> tuple[float, float]:
    slope, start = np.polyfit(np.arange(len(values)), values, 1)
    return float(start), float(start + slope * (len(values) - 1))


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """Yield findings of the kinds `drift` and `change_point`; none where there are fewer than 10 runs or 4 twins."""
    runs = [*history.runs, run.run]
    if len(runs) < LEAST_RUNS:
        return
    found = find_moves(peers_of(history.series, Twins(run.attributes)), Twins(run.attributes))
    told = [
        _drift(own, history) if own[0].place is None else _level(own, history, runs) for own in _together(found)
    ]  # fmt: skip
    yield from cap_findings(told)


def peers_of(series: Iterable[SeriesValues], twins: Twins) -> Iterator[Peers]:
    """The classes of all series that have enough hosts and runs, and differ at all."""
    for one in series:
        for label, places in twins.by_class(one.hosts).items():
            if len(places) >= LEAST_GROUP and (found := _peers(one, label, places)):
                yield found


def _peers(one: SeriesValues, label: str, places: Places) -> Peers | None:
    present = np.isfinite(one.values[places])
    runs: Places = range(present.shape[1])
    if not present.all():
        runs = np.flatnonzero(present.sum(axis=0) >= max(present[:, -1].sum() / 2, LEAST_GROUP)).tolist()
        often = present[:, runs].sum(axis=1) >= PRESENT * len(runs)
        places = [places[row] for row in np.flatnonzero(often & present[:, -1]).tolist()]
    if len(places) < LEAST_GROUP or len(runs) < LEAST_RUNS:
        return None
    found = Peers(one, label, places, runs)
    return None if one.series.key and _only_goes_one_way(found.values) else found


def _only_goes_one_way(values: Floats) -> bool:
    steps = np.diff(medians(values, axis=0))
    return bool((steps > 0).all() or (steps < 0).all())


@dataclass(frozen=True, slots=True)
class _Groups:
    """The groups of the hosts of a class: the rows of each, all that names it, and who is inside of it."""

    members: Sequence[Places]
    names: Sequence[Sequence[tuple[str, str]]]
    inside: Floats


@dataclass(frozen=True, slots=True)
class _Measured:
    """How the hosts of a class move, and its groups; None where it has none."""

    peers: Peers
    of_hosts: Moves
    groups: _Groups
    of_groups: Moves | None


def find_moves(peers: Iterable[Peers], twins: Twins, rate: float = RATE) -> list[Move]:
    """What has moved against its twins, the least likely first.

    At most `rate` of the hosts that are named are false, and of the groups.
    """
    known: dict[tuple[str, ...], _Groups] = {}
    measured = [_measure(one, twins, known) for one in peers]
    groups = [one.of_groups for one in measured if one.of_groups]
    of_hosts = sum(TESTS_OF_A_HOST * len(one.peers.places) for one in measured)
    of_groups = sum(len(one.level) for one in groups)
    p_host = greatest_p(
        lambda p: sum(int(one.of_hosts.drifts_at(p).sum() + one.of_hosts.levels_at(p).sum()) for one in measured),
        of_hosts,
        rate,
    )
    p_group = greatest_p(lambda p: sum(int(one.levels_at(p).sum()) for one in groups), of_groups, rate)
    found = [
        move
        for one in measured
        for move in (*_moving_hosts(one, p_host, of_hosts), *_moving_groups(one, p_group, of_groups))
    ]
    return [*_without_repeats(sorted(found, key=lambda one: one.p))]


def _measure(one: Peers, twins: Twins, known: dict[tuple[str, ...], _Groups]) -> _Measured:
    apart, hosts = one.apart, (*one.hosts,)
    if hosts not in known:
        known[hosts] = _groups(hosts, twins)
    groups = known[hosts]
    series = twins_over_runs.group_series(apart, groups.inside) if groups.members else None
    moves = None if series is None else measure_levels(series, AT_THE_NEW_LEVEL, typical_memory(series))
    return _Measured(one, measure_moves(apart), groups, moves)


def _groups(hosts: Sequence[str], twins: Twins) -> _Groups:
    """The groups of hosts that share something: not so few that it may be chance, and not nearly all."""
    found: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    for attribute, column in twins.columns(hosts).items():
        members: dict[str, list[int]] = {}
        for row, value in enumerate(column):
            members.setdefault(value, []).append(row)
        for value, rows in members.items():
            if value and LEAST_OF_GROUP <= len(rows) <= len(column) - LEAST_OF_GROUP:
                found.setdefault((*rows,), []).append((attribute, value))
    return _Groups([*found], [*found.values()], twins_over_runs.mark_groups([*found], len(hosts)))


def _moving_hosts(one: _Measured, least: float, tests: int) -> Iterator[Move]:
    """The hosts that move with at most this chance; 0 is none."""
    moves = one.of_hosts
    rows = np.flatnonzero(moves.drifts_at(least) | moves.levels_at(least)).tolist() if least else ()
    if not rows:
        return
    apart, step = one.peers.apart, find_resolution(one.peers.one.last[[*one.peers.places]])
    usual = np.array([*map(cut_spikes, apart)])  # one night of a few twins is no move of theirs
    slopes = twins_over_runs.slopes_of(usual)
    for row in rows:
        place, own = int(moves.places[row]), apart[row]
        if _fits_better_as_levels(own, place):
            shifts = twins_over_runs.shifts_at(usual, place)
            is_real = is_more_than_a_spike(own[:place], own[place:]) and is_more_than(abs(shifts[row]), step)
            if is_real and twins_over_runs.is_unusual(shifts, row):
                yield Move(one.peers, [row], place, moves.level_p(row), tests)
        elif is_more_than(abs(slopes[row]) * (len(own) - 1), step) and twins_over_runs.is_unusual(slopes, row):
            yield Move(one.peers, [row], None, moves.drift_p(row), tests)


def _fits_better_as_levels(values: Floats, place: int) -> bool:
    """Whether two levels explain a series better than a line does."""
    line = np.polynomial.Polynomial.fit(np.arange(len(values)), values, 1)(np.arange(len(values)))
    levels = np.repeat([values[:place].mean(), values[place:].mean()], [place, len(values) - place])
    return bool(((values - levels) ** 2).sum() < ((values - line) ** 2).sum())


def _moving_groups(one: _Measured, least: float, tests: int) -> Iterator[Move]:
    """The groups that move with at most this chance; 0 is none."""
    moves = one.of_groups
    rows = np.flatnonzero(moves.levels_at(least)).tolist() if least and moves else ()
    if not rows or not moves:
        return
    apart, step = one.peers.apart, find_resolution(one.peers.one.last[[*one.peers.places]])
    for row in rows:
        place, hosts = int(moves.places[row]), one.groups.members[row]
        shifts = twins_over_runs.shifts_at(apart, place)
        is_group = twins_over_runs.group_chance(shifts, hosts) <= GROUP_CHANCE and _moved_more(one.peers, hosts, place)
        if is_group and _is_more_than_a_host(apart, hosts, shifts, step):
            yield Move(one.peers, hosts, place, moves.level_p(row), tests, one.groups.names[row])


def _moved_more(peers: Peers, hosts: Places, place: int) -> bool:
    """Whether a group has itself moved further than the other twins: those that stayed are not named for the others."""
    others = [row for row in range(len(peers.places)) if row not in hosts]
    own, rest = (np.ptp(Move(peers, rows, place, 1.0, 1).ends) for rows in (hosts, others))
    return bool(own > rest)


def _is_more_than_a_host(apart: Floats, hosts: Places, shifts: Floats, step: float) -> bool:
    """Whether a group has still moved without the host that has moved furthest, and further than the resolution."""
    furthest = twins_over_runs.furthest_of(shifts, hosts)
    rest = [row - (row > furthest) for row in hosts if row != furthest]
    others = np.delete(apart, furthest, axis=0)
    series = twins_over_runs.group_series(others, twins_over_runs.mark_groups([rest], len(others)))
    moves = measure_levels(series, AT_THE_NEW_LEVEL, typical_memory(others))
    shift = float(twins_over_runs.shifts_at(series, int(moves.places[0]))[0])
    return moves.level_p(0) <= twins_over_runs.RARE and is_more_than(abs(shift), step)


def _without_repeats(found: Sequence[Move]) -> Iterator[Move]:
    """Leave out a host whose group is named, a group whose part or whole is named more surely, and the rest of it."""
    groups = [one for one in found if one.names]
    for one in found:
        own = {*one.hosts}
        more_sure = groups if not one.names else groups[: groups.index(one)]
        if not any(other.peers is one.peers and _is_the_same(one, other, own) for other in more_sure):
            yield one


def _is_the_same(one: Move, other: Move, own: set[str]) -> bool:
    hosts = {*other.hosts}
    return bool(own & hosts) or (bool(one.names) and not own & hosts and one.beside * other.beside < 0)


def _together(found: Sequence[Move]) -> Iterator[Sequence[Move]]:
    """What moves on the same hosts at the same time in many measurements is told as one."""
    parts: dict[tuple[Any, ...], list[Move]] = {}
    for one in found:
        since = None if one.place is None else one.peers.runs[one.place]
        parts.setdefault((*one.hosts, since), []).append(one)
    for own in parts.values():
        yield from [own] if len(own) >= TOGETHER else [[one] for one in own]


def _grade(one: Move, history: History) -> str:
    series = one.peers.series
    worse = history.limits.of(series, one.hosts).is_worse(*one.ends)
    if worse is None:
        return NOTE if series.key else NOTABLE
    is_sure = one.p * one.tests <= CERTAIN and kind_of(series.name, series.unit) != NOISE and _is_clear(one)
    return NOTE if not worse else PROBLEM if is_sure else NOTABLE


def _is_clear(one: Move) -> bool:
    """Whether a single host has moved further than any twin ever was from the others, as noise hardly does."""
    others = np.delete(one.peers.apart, [*one.rows], axis=0)
    return bool(one.names) or abs(one.beside) > BEYOND_HISTORY * float(np.abs(others).max())


def _whose(one: Move) -> str:
    """The hosts in words, with what they share."""
    if not one.names:
        return one.hosts[0]
    names = " and ".join(f"{attribute} {value}" for attribute, value in one.names[:2])
    return f"the {format_count(len(one.rows), 'host')} of {names}"


def _others(one: Move) -> str:
    number = len(one.peers.hosts) - len(one.rows)
    return f"{number:,} twins{f' of {one.peers.label}' if one.peers.label else ''}"


def in_words(one: Move, runs: Sequence[Mapping[str, object]]) -> str:
    """What has moved, since when and by how much, in one sentence."""
    unit = one.peers.series.unit
    before, after = one.ends
    levels = f"from {format_amount(before, unit)} to {format_amount(after, unit)}"
    number = len(one.peers.runs)
    if one.place is None:
        way = "rises" if one.beside > 0 else "falls"
        slope = format_amount(abs(one.beside) / (number - 1), unit)
        return (
            f"{one.peers.series.in_words}: {_whose(one)} {way} away from its {_others(one)}, by {slope} a run over "
            f"{format_count(number, 'run')} ({levels})"
        )
    percent = f" ({100 * one.beside / abs(before):+.3g} % against them)" if before else ""
    since = runs[one.peers.runs[one.place]]["run_id"]
    return (
        f"{one.peers.series.in_words}: {_whose(one)} went {levels}{percent} in run {since} "
        f"({format_count(number - one.place, 'run')} since), and the other {_others(one)} did not"
    )


def _drift(own: Sequence[Move], history: History) -> Finding:
    host = _whose(own[0])
    title = in_words(own[0], ()) if len(own) == 1 else _title_of_many(own, "drifts away from its twins")
    advice = f"Compare {host} with a twin: what moves in it alone is wear, dirt or cooling of its own, or its load."
    return _finding("drift", own, history, title, advice, {}, DRIFT_METHOD)


def _level(own: Sequence[Move], history: History, runs: Sequence[Mapping[str, object]]) -> Finding:
    first = own[0]
    place = first.peers.runs[first.place or 0]
    since, before = runs[place]["run_id"], runs[place - 1]["run_id"]
    do = f"{'are' if first.names else 'is'} elsewhere than before, and other twins are not, since run {since}"
    title = in_words(first, runs) if len(own) == 1 else _title_of_many(own, do)
    advice = f"Look at what was changed on {_whose(first)} alone between the runs {before} and {since}."
    return _finding("change_point", own, history, title, advice, {"since": since, "before": before}, LEVEL_METHOD)


def _title_of_many(own: Sequence[Move], what: str) -> str:
    names = [one.peers.series.in_words for one in own]
    return f"{_whose(own[0])} {what}, in {format_count(len(own), 'measurement')}: {first_few(names, SHOWN, '; ')}"


def _finding(
    kind: str,
    own: Sequence[Move],
    history: History,
    title: str,
    advice: str,
    figures: Mapping[str, object],
    method: str,
) -> Finding:
    first = own[0]
    hosts = first.hosts
    shared = {"attribute": first.names[0][0], "value": first.names[0][1]} if first.names else {"host": hosts[0]}
    results = tuple(result for one in own for result in one.peers.series.results(hosts))[:MOST_RESULTS]
    told = {**figures, "measurements": [_figures(one) for one in own[:MOST_RESULTS]], "number": len(own)}
    grade = min((_grade(one, history) for one in own), key=GRADES.index)
    about = {**(first.peers.series.about if len(own) == 1 else {}), **shared}
    return Finding(kind, grade, title, results, advice, told, about, method)


def _figures(one: Move) -> dict[str, Any]:
    before, after = one.ends
    return {
        **one.peers.series.about,
        "hosts": one.hosts[:MOST_RESULTS],
        "twins": len(one.peers.hosts),
        "runs": len(one.peers.runs),
        "before": before,
        "after": after,
        "against the twins": one.beside,
        "p": one.p,
    }
