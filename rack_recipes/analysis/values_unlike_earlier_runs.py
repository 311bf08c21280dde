# SPDX-License-Identifier: GPL-3.0-or-later

"""Measurements whose value in this run is not as in the earlier runs of the same level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
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
    ResultId,
    cap_findings,
    format_amount,
    format_count,
)
from rack_recipes.analysis.history import History
from rack_recipes.analysis.kinds_of_values import NOISE, SETTING, UNKNOWN, kind_of
from rack_recipes.analysis.methods.arrays import Floats
from rack_recipes.analysis.methods.intervals_and_multiple_tests import (
    LEAST_HISTORY,
    SURE,
    chance_beyond,
    mark_kept_tests,
    prediction_interval,
)
from rack_recipes.analysis.methods.outliers import WAS_ALIKE
from rack_recipes.analysis.methods.spread_and_resolution import is_more_than
from rack_recipes.analysis.methods.statistics_without_numpy import student_two_sided
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.values_over_runs import OverRuns, Series, SeriesLimits
from rack_recipes.store.reading import several_runs

TOGETHER = 3  # so many of one grade are one finding
VALUE_METHOD = (
    "one value against earlier runs since the last change of level: mean and t(n-1), Benjamini and Hochberg: where "
    "nothing is wrong, 1 % of runs have such a finding for normal values, more for long tails and for values that "
    "remember; a problem is beyond what 1 % of runs have by tails as long as those of t3"
)
SAME_METHOD = "all earlier runs had one value, and this one has another; no rate of false alarms is known"
LEAST_SAME, LEAST_RUNS = 3, 10  # earlier runs that make a setting of a number: by its name, and of any other
FACTORS = (1000, 1024, 10**6, 2**20)
UNITS = {f"{factor:,} times": factor for factor in FACTORS} | {f"1/{factor:,}": 1 / factor for factor in FACTORS}
NEAR = 0.1  # how far from such a factor values may be


class _Unusual(NamedTuple):
    """A series that is not as in earlier runs: those values, the chance of this one, and how grave that is."""

    one: OverRuns
    earlier: Floats
    p: float
    grade: str

    @property
    def value(self) -> float:
        return float(self.one.values[-1])

    @property
    def middle(self) -> float:
        return float(np.median(self.earlier))


def findings(_run: RunData, history: History) -> Iterator[Finding]:
    """Yield findings of the kind `regression`; none where there are fewer than three earlier runs."""
    yield from cap_findings([*map(_finding, _together([*_unusual(history)])), *_other_units(history)])


def _other_units(history: History) -> Iterator[Finding]:
    """Measurements that had another unit in earlier runs: they are other series, which nothing compares with these."""
    ids = [run["run_id"] for run in history.runs]
    absent = {one.series: np.flatnonzero(~np.isfinite(one.earlier).any(axis=0)) for one in history.series}
    new = {series: [ids[place] for place in places] for series, places in absent.items() if len(places) and series.step}
    told: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    wanted = {run_id for of_series in new.values() for run_id in of_series}
    for run_id, step, name, unit in several_runs.units_of(history.engine, wanted, {one.name for one in new}):
        told[step, name][unit].add(run_id)
    for series, runs in new.items():
        units = told[series.step, series.name]
        for unit in units.keys() - {one.unit for one in absent if one[:2] == series[:2]}:
            if before := units[unit] & {*runs}:
                yield _other_unit(history, series, unit, before)


def _other_unit(history: History, series: Series, unit: str, before: Collection[str]) -> Finding:
    ids = [run["run_id"] for run in (*history.runs, history.run.run)]
    since = 1 + max(place for place, run_id in enumerate(ids) if run_id in before)
    now, then = (f"in {one}" if one else "without a unit" for one in (series.unit, unit))
    return Finding(
        "regression",
        NOTABLE if since == len(ids) - 1 else NOTE,
        f"{series.in_words} is {now} since run {ids[since]}, and was {then} in "
        f"{format_count(len(before), 'earlier run')}: values before and after are not compared",
        figures={"unit": series.unit, "earlier unit": unit, "earlier runs": len(before)},
        about=series.about,
        method="the units of one measurement in all runs; nothing is estimated",
    )


def _unusual(history: History) -> Iterator[_Unusual]:
    """The series that are not as usual, by one rate of false ones for all."""
    compared = [(one, _usual(one, one.values[_start(history, one) : -1])) for one in history.over_runs]
    enough = [(one, earlier) for one, earlier in compared if len(earlier) >= LEAST_HISTORY]
    p = [_chance(one, earlier) for one, earlier in enough]
    for (one, earlier), chance, kept in zip(enough, p, mark_kept_tests(p, SURE), strict=True):
        found = _Unusual(one, earlier, chance, "")
        distance = abs(found.value - found.middle)
        if kept and (is_more_than(distance, one.floor) or _may_be_setting(found)):
            furthest = float(np.abs(earlier - found.middle).max())
            varies = furthest > 0 and len(earlier) >= LEAST_RUNS  # what never varied tells nothing of its noise
            sure = varies and chance_beyond(furthest, distance, len(earlier)) * len(p) <= SURE
            yield found._replace(grade=_grade(found, history.limits.of(one.series, one.hosts), sure=sure))


def _start(history: History, one: OverRuns) -> int:
    """The first run at the present level."""
    return max((change.place for change in history.level_changes.get(one.key, ())), default=0)


def _usual(one: OverRuns, earlier: Floats) -> Floats:
    """The earlier values; of a setting without the few that were wrong, which would let the next one pass."""
    if kind_of(one.series.name, one.series.unit) != SETTING or not len(earlier):
        return earlier
    usual = earlier == np.median(earlier)
    return earlier[usual] if usual.mean() >= WAS_ALIKE else earlier


def _chance(one: OverRuns, earlier: Floats) -> float:
    """The chance of a value so far from the earlier ones; 0 where these are all alike and it is another."""
    apart = earlier - np.median(earlier)
    distance = abs(float(one.values[-1] - np.median(earlier) - apart.mean()))
    spread, n = float(np.std(apart, ddof=1)), len(earlier)
    if spread == 0:
        return 0.0 if distance else 1.0
    return student_two_sided(distance / (spread * float(np.sqrt(1 + 1 / n))), n - 1)


def _may_be_setting(found: _Unusual) -> bool:
    """Whether a number that is no event and no reading was the same whole number in all earlier runs, and not 0."""
    kind = kind_of(found.one.series.name, found.one.series.unit)
    is_whole = bool((found.earlier == np.round(found.earlier)).all()) and found.value == round(found.value)
    return kind in (SETTING, UNKNOWN) and is_whole and bool(found.middle) and not np.ptp(found.earlier)


def _grade(found: _Unusual, limits: SeriesLimits, *, sure: bool) -> str:
    """A problem is a setting that has changed, a limit that is broken, or what is worse beyond what noise explains.

    Of a setting its name must tell, or ten earlier runs; of one of the context its name. Noise by nature is a problem
    only where it breaks a limit.
    """
    series = found.one.series
    kind, worse = kind_of(series.name, series.unit), limits.is_worse(found.middle, found.value)
    of_parts = kind == SETTING or not series.key
    if _may_be_setting(found) and of_parts and len(found.earlier) >= (LEAST_SAME if kind == SETTING else LEAST_RUNS):
        return PROBLEM
    if worse is None:
        return NOTE if series.key else NOTABLE
    is_problem = limits.is_broken(found.value) or (sure and kind != NOISE)
    return NOTE if not worse else PROBLEM if is_problem else NOTABLE


def _together(unusual: Sequence[_Unusual]) -> Iterator[Sequence[_Unusual]]:
    """Many of one grade are told together, the least likely first."""
    for grade in GRADES:
        own = sorted((one for one in unusual if one.grade == grade), key=lambda one: one.p)
        yield from [own] if len(own) >= TOGETHER else [[one] for one in own]


def _finding(own: Sequence[_Unusual]) -> Finding:
    series = own[0].one.series
    is_one = len(own) == 1
    return Finding(
        "regression",
        own[0].grade,
        _title(own[0]) if is_one else _title_of_many(own),
        _results(own),
        figures={"series": [_figures(one) for one in own[:MOST_RESULTS]], "number": len(own)},
        about=series.about if is_one else {},
        method="; ".join(dict.fromkeys(VALUE_METHOD if np.ptp(one.earlier) else SAME_METHOD for one in own)),
    )


def _results(own: Sequence[_Unusual]) -> tuple[ResultId, ...]:
    hosts = MOST_RESULTS if len(own) == 1 else 1  # of each series
    return tuple(result for one in own for result in one.one.series.results(one.one.hosts[:hosts]))[:MOST_RESULTS]


def _title(found: _Unusual) -> str:
    one, unit = found.one, found.one.series.unit
    low, high = (format_amount(float(end), unit) for end in (found.earlier.min(), found.earlier.max()))
    had = f"{format_count(len(found.earlier), 'earlier run')} had {low if low == high else f'{low} to {high}'}"
    return f"{one.series.in_words} ({one.whose}) is {format_amount(found.value, unit)}; {had}{_as_unit(found)}"


def _as_unit(found: _Unusual) -> str:
    """In words, whether the value is a power of 1,000 or 1,024 times the usual one, as after a change of its unit."""
    times = found.value / found.middle if found.middle else 0.0
    distances = {words: abs(times / factor - 1) for words, factor in UNITS.items()}
    words = min(distances, key=distances.__getitem__)
    return f": {words} as much, as after a change of the unit" if distances[words] <= NEAR else ""


def _title_of_many(own: Sequence[_Unusual]) -> str:
    names = [*dict.fromkeys(one.one.series.in_words for one in own)]
    return f"{format_count(len(own), 'series', 'series')} of values are not as usual: {first_few(names, SHOWN, '; ')}"


def _figures(found: _Unusual) -> dict[str, Any]:
    interval = prediction_interval(found.earlier.tolist()) if np.ptp(found.earlier) else None
    return {
        **found.one.series.about,
        "whose": found.one.whose,
        "value": found.value,
        "median": found.middle,
        "earlier runs": len(found.earlier),
        **({"expected": [*interval], "p": found.p} if interval else {}),
    }
