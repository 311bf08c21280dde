# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits from good runs: for each measurement of a step and each kind of host the range in which the next run lies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil, floor, fsum, log10, sqrt
from operator import mul
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import is_number
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED
from rack_recipes.analysis.kinds_of_values import SETTING, is_never_negative, kind_of
from rack_recipes.analysis.methods.statistics_without_numpy import compute_moments, student_quantile
from rack_recipes.errors import counted
from rack_recipes.recipe.limits_file import NewLimit
from rack_recipes.recipe.steps_to_and_from_data import number

Row = Mapping[str, Any]
Place = tuple[str, str, str, tuple[tuple[str, Any], ...]]  # step, measurement, unit, and attributes of the hosts
LEAST_RUNS = 10
FALSE_RUNS = 0.01  # the share of further good runs in which a value may be outside of its limits
LEAST_USUAL = 0.75  # the share of the usual value of a setting: what differs more is a reading, as the speed of a fan
MARGIN = 0.5  # by this share the range is wider than it has to be for normal values
DECIMALS = 9
INTERVAL, CONSTANT = "interval", "constant"
MOST_MEMORY, LEAST_TOLD = 0.95, 0.05
LEAST_SEEN = 0.2  # the share of the variance that few runs show at least
METHODS = {
    INTERVAL: "where one more value lies, by Student's t, for all values of a run together (Hahn and Meeker 1991); "
    "wider where each run resembles the last (memory, AR(1)), since such runs count as fewer",
    CONSTANT: "the same in all runs",
}


@dataclass(frozen=True, slots=True)
class GoodRun:
    """What a run measured where its steps passed; `attributes` has what the inventory says of each host."""

    run_id: str
    measurements: Sequence[Row]
    attributes: Mapping[str, Row]


@dataclass(slots=True)
class Values:
    """The values at a place, all and by host, the runs that they are from, and the limits that held in the last."""

    values: list[Any] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)
    hosts: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    before: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LearnedLimit:
    """A limit at a place, or why there is none; `before` is what held in the last of the runs."""

    limit: NewLimit
    before: Mapping[str, Any]
    why_not: str = ""


def learn_limits(runs: Sequence[GoodRun], by: Sequence[str], margin: float = MARGIN) -> list[LearnedLimit]:
    """The limits of all measurements of these runs, in their order, for hosts that share the attributes `by`.

    An attribute that a host does not have is not asked for. `margin` is a share of the half width.
    """
    places = _by_place(runs, by)
    checks = sum(len(found.values) for found in places.values()) / max(len(runs), 1)
    series: dict[Place, list[Sequence[Any]]] = defaultdict(list)
    for (*of, _where), found in places.items():
        series[of[0], of[1], of[2], ()] += [one for one in found.hosts.values() if len(one) == len(found.runs)]
    memories = {of: _memory(own) for of, own in series.items()}
    return [_learned(place, found, checks, margin, memories[(*place[:3], ())]) for place, found in places.items()]


def _memory(series: Iterable[Sequence[Any]]) -> float:
    """How much of a value is left in the next run, 0 to .95: the mean over the hosts of a measurement.

    Corrected for the shortness of each, as by `typical_memory` of methods/twins_over_runs.py.
    """
    found = list[float]()
    for values in series:
        if len(values) >= LEAST_RUNS and all(map(is_number, values)) and min(values) < max(values):
            mean = fsum(values) / len(values)
            apart = [value - mean for value in values]
            share = fsum(map(mul, apart, apart[1:])) / fsum(map(mul, apart, apart))
            found.append((len(values) * share + 2) / (len(values) - 4))
    memory = fsum(found) / len(found) if found else 0.0
    return min(memory, MOST_MEMORY) if memory >= LEAST_TOLD else 0.0


def _by_place(runs: Iterable[GoodRun], by: Sequence[str]) -> Mapping[Place, Values]:
    places: dict[Place, Values] = defaultdict(Values)
    for run in runs:
        for row in run.measurements:
            found = places[place_of(row, run.attributes, by)]
            found.values.append(row["value"])
            found.runs.add(run.run_id)
            found.hosts[row["host"]].append(row["value"])
            found.before = row.get("limits") or {}
    return places


def place_of(row: Row, attributes: Mapping[str, Row], by: Sequence[str]) -> Place:
    """The place of a measurement on its host."""
    own = attributes.get(row["host"], {})
    where = tuple((name, own[name]) for name in by if not isinstance(own.get(name), (list, type(None))))
    return row["step"], row["name"], row.get("unit") or "", where


def place_of_limit(limit: NewLimit, by: Sequence[str]) -> Place:
    """The place that a limit is for; one for hosts with other attributes than `by` has a place of its own."""
    names = (*(name for name in by if name in limit.where), *sorted(limit.where.keys() - {*by}))
    where = tuple((name, limit.where[name]) for name in names)
    return limit.step, limit.measurement, limit.unit or "", where


def _learned(place: Place, found: Values, checks: float, margin: float, memory: float) -> LearnedLimit:
    step, name, unit, where = place
    told = {"runs": len(found.runs), "hosts": len(found.hosts), "values": len(found.values)}
    is_setting = kind_of(name, unit) == SETTING
    condition, method, why_not = _condition(found, checks, margin, memory, is_setting=is_setting)
    if condition.get("min", 0) < 0 <= min(found.values) and is_never_negative(name, unit):
        condition = {"max": condition["max"]}
    about: dict[str, Any] = {**told, **_moments(found.values), "method": method} if method else {**told}
    if memory and method == INTERVAL:
        about["memory"] = round(memory, 2)
    return LearnedLimit(NewLimit(step, name, unit, condition, dict(where), about), found.before, why_not)


def _moments(values: Sequence[Any]) -> dict[str, float]:
    """Mean and standard deviation of numbers, with six digits."""
    if not all(map(is_number, values)):
        return {}
    moments = compute_moments([*map(float, values)])
    return {
        name: number(float(f"{value:.6g}"))
        for name, value in (("mean", moments.mean), ("spread", sqrt(moments.variance)))
    }


def _condition(
    found: Values, checks: float, margin: float, memory: float, *, is_setting: bool
) -> tuple[dict[str, Any], str, str]:
    """The condition and its method, or why there is none: what lies between two settings is no good value."""
    values, runs = found.values, len(found.runs)
    if runs < LEAST_RUNS:
        return {}, "", f"{runs} {'run has' if runs == 1 else 'runs have'} it: {LEAST_RUNS} are needed"
    if any(MASKED in str(value) for value in values):
        return {}, "", "its values are secret"
    if all(map(is_number, values)):
        if (
            is_setting
            and LEAST_USUAL <= _share_of_usual(values) < 1
            and all(isinstance(value, int) for value in values)
        ):
            return {}, "", f"a setting that differs ({_counted(values)}): leave out the runs in which it is wrong"
        return _range_of(values, runs, checks, margin, memory)
    if isinstance(values[0], (str, bool)) and all(value == values[0] for value in values):
        return {"eq": values[0]}, CONSTANT, ""
    return {}, "", "its values are no numbers, and differ"


def _share_of_usual(values: Sequence[object]) -> float:
    return Counter(values).most_common(1)[0][1] / len(values)


def _counted(values: Sequence[int]) -> str:
    return ", ".join(f"{counted(number, 'time')} {value}" for value, number in Counter(values).most_common())


def _range_of(
    values: Sequence[float], runs: int, checks: float, margin: float, memory: float
) -> tuple[dict[str, Any], str, str]:
    """The mean with t(runs - 1) deviations times sqrt(1 + variance of the mean), wider by the margin.

    This is the interval for one further value (Hahn and Meeker, Statistical Intervals, 1991, chapter 4), at a
    confidence at which all `checks` of a run hold together (Bonferroni). Runs are counted, not values: the hosts of a
    run are no independent values. Whole numbers that never differ are configuration, and any other value is wrong.
    """
    is_whole = all(isinstance(value, int) for value in values)
    if is_whole and min(values) == max(values):
        return {"eq": values[0]}, CONSTANT, ""
    moments, step = compute_moments([*map(float, values)]), _resolution(values)
    deviation = max(sqrt(moments.variance), step / sqrt(12))
    half = (1 + margin) * _factor(runs, max(checks, 1.0), memory) * deviation
    if not half:
        return {}, "", "its values have too many digits to tell how far they may be apart"
    digits = max(0.0, -log10(half) + 1) if not is_whole else 0.0
    least, most = (
        _rounded(end, ceil(digits), up=up) for end, up in ((moments.mean - half, False), (moments.mean + half, True))
    )
    return {"min": least, "max": most}, INTERVAL, ""


@lru_cache(maxsize=256)
def _factor(runs: int, checks: float, memory: float) -> float:
    """How many sample deviations one further value may be from the mean of so many runs.

    Runs that remember count as fewer: their mean varies by `of_mean` of the variance, and as much of it they do not
    show (Priestley, Spectral Analysis and Time Series, 1981, 5.3.2, of an AR(1) series).
    """
    rest = 1 - memory
    of_mean = ((1 + memory) / rest - 2 * memory * (1 - memory**runs) / (runs * rest**2)) / runs
    shown = max(1 - of_mean, LEAST_SEEN) * runs / (runs - 1)
    return student_quantile(1 - FALSE_RUNS / checks / 2, runs - 1) * sqrt((1 + of_mean) / shown)


def _resolution(values: Iterable[float]) -> float:
    """The step in which values were written down: 1, .1, .01 and so on; 0 for more than 9 decimals."""
    needed = max(next((n for n in range(DECIMALS + 1) if round(value, n) == value), DECIMALS + 1) for value in values)
    return 10.0**-needed if needed <= DECIMALS else 0.0


def _rounded(end: float, digits: int, *, up: bool) -> float:
    """An end of a range with so many decimals, rounded outwards; a whole number without decimals."""
    scale = 10.0**digits
    found = (ceil if up else floor)(end * scale) / scale
    return int(found) if found.is_integer() else found
