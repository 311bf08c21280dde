# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers of a run.

Those that a recipe derives of others, their statistics over hosts, and how near measured values are to their limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import isfinite, isnan, nan
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import FAILED, LIMITS, MARGINAL, PASSED
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, rank
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS as ALL_VERDICTS
from rack_recipes.analysis.findings import (
    MOST_RESULTS,
    NOTABLE,
    NOTE,
    SHOWN,
    Finding,
    ResultId,
    cap_findings,
    format_amount,
    format_count,
)
from rack_recipes.analysis.history import History
from rack_recipes.analysis.methods.statistics_without_numpy import compute_moments, percentile_of_sorted
from rack_recipes.analysis.missing_results_and_values import RUN, plan_of
from rack_recipes.analysis.run_data import Row, RunData, attribute_text
from rack_recipes.analysis.run_statistics import (
    Metric,
    by_metric,
    group_rows,
    repeated_results,
    without_statistics_of_rounds,
)
from rack_recipes.analysis.samples import Samples, StoredBins, samples_of
from rack_recipes.natural_order import natural
from rack_recipes.recipe.recipe_model import Derived

METHOD = "computed of numbers of the same host, as the recipe says; nothing is estimated"
CHECK = "Look why a number is missing, or 0, on these hosts; no value was put in its place."
WORDS: Mapping[str, str] = {
    "ratio": "ratio of {} to {}", "rate": "{} for each unit of {}", "difference": "{} less {}",
}  # fmt: skip
"""The definition of each kind in words."""
Numbers = Mapping[str, float]  # by host


@dataclass(frozen=True, slots=True)
class DerivedNumbers:
    """A derived number: its `numbers` by host, and by host why there is none (`lost`)."""

    name: str
    unit: str
    definition: str
    numbers: Numbers
    lost: Mapping[str, str]


def findings(run: RunData, _history: History) -> Iterator[Finding]:
    """Yield a finding of the kind `derived` for each derived number, and one of `evidence` where some are missing.

    And one of `evidence` for each measurement whose rounds in this run are far apart.
    """
    yield from cap_findings([*_far_apart(run)])
    for derived in derived_numbers(run):
        if derived.numbers:
            yield _told(derived)
        if derived.lost:
            yield _lost(derived)


APART = 0.25  # the deviation of rounds, as a share of their mean, from which on the mean alone says little
LEAST_ROUNDS = 3
LOOK_AT_ROUNDS = "Look at the rounds, not at their mean alone; a limit on the spread makes a verdict of it."
ROUNDS_METHOD = (
    f"the standard deviation over the rounds is {APART:.0%} of the mean, or more; what is usual is not asked: hosts "
    "that differ in it from their twins or from earlier runs are outliers and changes of NAME.stdev"
)


def _far_apart(run: RunData) -> Iterator[Finding]:
    """The measurements of repeated steps that passed, none negative, with a large spread over their rounds."""
    rows = (row for row in repeated_results(run) if row["verdict"] in PASSING and _is_far_apart(row))
    found = group_rows(rows, lambda row: (run.planned(row["step"]), row["name"], row["unit"] or ""))
    for (step, name, unit), own in found.items():
        furthest = max(own, key=lambda row: float(row["stdev"] / row["mean"]))
        hosts = [row["host"] or RUN for row in own]
        least, most = format_amount(furthest["min"]), format_amount(furthest["max"], unit)
        title = (
            f"{name} of {step} is far apart in its rounds on {first_few(hosts, SHOWN)}: {furthest['rounds']} rounds on "
            f"{furthest['host'] or RUN} gave {least} to {most}, a deviation of "
            f"{furthest['stdev'] / furthest['mean']:.0%} of the mean"
        )
        results = tuple(ResultId(row["host"], row["step"], f"{name}.stdev") for row in own[:MOST_RESULTS])
        figures = {each: furthest[each] for each in ("rounds", "min", "mean", "max", "stdev")}
        about = {"step": step, "name": name, "unit": unit}
        yield Finding("evidence", NOTE, title, results, LOOK_AT_ROUNDS, figures, about, ROUNDS_METHOD)


def _is_far_apart(row: Row) -> bool:
    least, mean, deviation = (row.get(name, nan) for name in ("min", "mean", "stdev"))
    return bool((row["rounds"] or 0) >= LEAST_ROUNDS and least >= 0 and deviation >= APART * mean > 0)


def derived_numbers(run: RunData) -> list[DerivedNumbers]:
    """What the recipe of a run derives; nothing where nobody knows its plan any more."""
    declared = _declared(run)
    if not declared:
        return []
    operands = {operand for one in declared.values() if one.kind in WORDS for operand in (one.of, one.to)}
    found: dict[str, dict[str, float]] = {operand: {} for operand in operands}
    for row in without_statistics_of_rounds(run):
        if (operand := f"{row['step']}:{row['name']}") in found and not isnan(row["number"]):
            found[operand][row["host"]] = row["number"]
    for row in run.context:
        for path, number in row["numbers"]:
            if (operand := f"{row['key']}{path}") in found:
                found[operand][row["host"]] = number
    return [
        _derived(name, one, found[one.of], found[one.to])
        if one.kind in WORDS
        else _of_list(name, one, samples_of(run.context, one.of))
        for name, one in declared.items()
    ]


def _of_list(name: str, one: Derived, lists: Mapping[str, Samples]) -> DerivedNumbers:
    """Compute it of the list of each host; a percentile needs enough values, as in the statistics."""
    numbers, lost = dict[str, float](), dict[str, str]()
    for host, samples in lists.items():
        ordered = [] if isinstance(samples, StoredBins) else sorted(one for one in samples if abs(one) <= GREATEST)
        moments = _moments(ordered, () if one.kind == "skewness" else (int(one.kind[1:]),))
        number = moments[one.kind]
        if number is None or isnan(number):
            lost[host] = f"{one.of} has {format_count(len(ordered), 'value')}"
        else:
            numbers[host] = number
    return DerivedNumbers(name, one.unit, f"{one.kind} of {one.of}", numbers, lost)


def _declared(run: RunData) -> Mapping[str, Derived]:
    plan = plan_of(run)
    with suppress(TypeError):  # of a later version, or damaged
        return {name: Derived(**one) for name, one in plan.derived.items()} if plan else {}
    return {}


def _derived(name: str, one: Derived, of: Numbers, to: Numbers) -> DerivedNumbers:
    """Compute it on each host that has one of its numbers; a number of the run itself serves every host."""
    hosts = sorted({*of, *to} - {""} or {*of, *to}, key=natural)
    pairs = {host: (of.get(host, of.get("")), to.get(host, to.get(""))) for host in hosts}
    numbers, lost = {}, {}
    for host, (first, second) in pairs.items():
        if first is None or second is None:
            lost[host] = f"{one.of if first is None else one.to} is missing"
        elif one.kind == "difference":
            numbers[host] = first - second
        elif second:
            numbers[host] = first / second
        else:
            lost[host] = f"{one.to} is 0"
    return DerivedNumbers(name, one.unit, WORDS[one.kind].format(one.of, one.to), numbers, lost)


def _told(derived: DerivedNumbers) -> Finding:
    found = compute_moments([*derived.numbers.values()])
    middle = f"median {format_amount(found.median, derived.unit)} on {format_count(found.count, 'host')}"
    ends = f"from {format_amount(found.least, derived.unit)} to {format_amount(found.greatest, derived.unit)}"
    title = f"{derived.name} ({derived.definition}): {middle}, {ends}"
    known = {name: value for name, value in asdict(found).items() if not isnan(value)}
    about = {"name": derived.name, "unit": derived.unit}
    figures = {**known, "values": dict([*derived.numbers.items()][:MOST_RESULTS])}
    return Finding("derived", NOTE, title, figures=figures, about=about, method=METHOD)


def _lost(derived: DerivedNumbers) -> Finding:
    states: Sequence[str] = [f"{host or RUN} ({reason})" for host, reason in derived.lost.items()]
    title = f"{derived.name} cannot be computed on {format_count(len(states), 'host')}: {first_few(states, SHOWN)}"
    results = tuple(ResultId(host, "") for host in [*derived.lost][:MOST_RESULTS])
    figures = {"lost": len(states), "hosts": len(states) + len(derived.numbers)}
    return Finding("evidence", NOTABLE, title, results, CHECK, figures, {"name": derived.name}, METHOD)


GREATEST = 1e150  # as in methods/arrays.py
PERCENTS = (5, 25, 75, 95)
"""The percentiles that are told beside the median, by Hyndman and Fan's type 7; each needs enough values."""


def statistics_of_run(run: RunData) -> list[Mapping[str, Any]]:
    """A row for each metric, measurements first, and for each derived number: its moments and percentiles.

    Only finite numbers up to `GREATEST` count. What too few values do not have is None or NaN: there is no p95 of fewer
    than 20.
    """
    numbers, derived = by_metric(run), derived_numbers(run)
    numbers |= {Metric("", one.name, one.unit): [*one.numbers.values()] for one in derived if one.numbers}
    definitions = {one.name: one.definition for one in derived}
    ordered = sorted(numbers, key=lambda metric: (not metric.step, run.place(metric.step), metric.name, metric.unit))
    groups = [[number for number in numbers[metric] if abs(number) <= GREATEST] for metric in ordered]
    return [
        {**metric._asdict(), **_moments(sorted(own)), "definition": definitions.get(metric.name)}
        for metric, own in zip(ordered, groups, strict=True)
    ]


def _moments(ordered: Sequence[float], percents: Iterable[int] = PERCENTS) -> dict[str, Any]:
    percentiles = {f"p{percent}": percentile_of_sorted(ordered, percent) for percent in percents}
    return {**asdict(compute_moments(ordered)), **percentiles}


VERDICTS = (FAILED, MARGINAL, PASSED)  # of a criterion
UNJUDGED = len(ALL_VERDICTS)
SEVERAL = "differ"
"""Shown instead of limits that are not the same on all hosts."""


def measured_values(run: RunData) -> list[Row]:
    """Every measured value. Those with limits come first, by verdict and the nearest to its limit first.

    Each that has limits or a verdict has its `margin`, or None, and its limits in words.
    """
    return _nearest_first(map(_judged, run.measurements))


def criteria_of_run(run: RunData, found: Sequence[Row]) -> list[Row]:
    """A row for each criterion (planned step, name, unit), by verdict and the nearest to its limit first.

    `found` are the `values` of the run. Each row has the `limits`, the number of `values`, how many of them `failed`,
    were `marginal` or `passed`, and the worst `verdict`. The columns `value`, `distance`, `margin` and `nearest_host`
    are those of the value that is nearest to its limit, or furthest beyond it.
    """
    judged = (row for row in found if row.get("verdict") is not None)
    groups = group_rows(judged, lambda row: (run.planned(row["step"]), row["name"], row.get("unit") or ""))
    ordered = sorted(groups, key=lambda of: (run.place(of[0]), *of[1:]))
    return _nearest_first({"step": of[0], "name": of[1], "unit": of[2], **_criterion(groups[of])} for of in ordered)


def _criterion(rows: Sequence[Row]) -> dict[str, Any]:
    nearest, verdicts = rows[0], Counter(row["verdict"] for row in rows)
    limits = {row["limits"] for row in rows}
    return {
        "limits": limits.pop() if len(limits) == 1 else SEVERAL,
        "values": len(rows),
        **{verdict: verdicts[verdict] for verdict in VERDICTS},
        "verdict": min(verdicts, key=rank),
        **{name: nearest.get(name) for name in ("value", "distance", "margin")},
        "nearest_host": nearest["host"],
    }


def _judged(row: Row) -> Row:
    limits, distance = row.get("limits"), row.get("distance")
    if limits is None and distance is None and row.get("verdict") is None:  # as most values of a large run
        return row
    share = nan if distance is None else margin_to_limits(limits or {}, distance, row["number"])
    return {**row, "margin": None if isnan(share) else share, "limits": limits_in_words(limits) if limits else None}


def _nearest_first(rows: Iterable[Row]) -> list[Row]:
    """Sort by verdict and then by distance to the limit; values without a verdict come last."""
    judged, others = list[Row](), list[Row]()
    for row in rows:
        (others if row.get("margin") is None and not row.get("verdict") else judged).append(row)
    judged.sort(key=lambda row: (_order(row.get("verdict")), row["margin"] is None, row["margin"] or 0.0))
    return [*judged, *others]


def _order(verdict: str | None) -> int:
    return rank(verdict) if verdict else UNJUDGED


def margin_to_limits(limits: Mapping[str, object], distance: float | None, value: float) -> float:
    """How far a value is inside its limits, in percent of the permitted range; negative outside.

    The permitted range is that between two bounds, a tolerance, or the size of a single bound. The margin is NaN where
    the range is 0, as for 0 errors of at most 0.
    """
    if distance is None or not isfinite(distance):
        return nan
    room = _room(limits) or (abs(value) if distance < 0 else 0.0)
    return 100 * distance / room if room and isfinite(room) else nan


def _room(limits: Mapping[str, object]) -> float:
    """The tolerance where there is one, else the range between two ends, else the size of the one end."""
    rooms = {LIMITS[word].room: bound for word, bound in limits.items() if word in LIMITS}
    tolerance = rooms.get("tolerance")
    if isinstance(tolerance, dict):
        by, percent, of = (_number(tolerance.get(name)) for name in ("by", "percent", "of"))
        return abs(by) if by else abs(percent * of) / 100
    ends = [_number(rooms[end]) for end in ("low", "high") if end in rooms]
    return abs(ends[1] - ends[0]) if len(ends) > 1 else abs(sum(ends))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def limits_in_words(limits: Mapping[str, object]) -> str:
    """The limits as people write them: `min 3, max 9, warn max 8`."""
    return ", ".join(_words(word, bound) for word, bound in limits.items())


def _words(word: str, bound: object) -> str:
    if word == "warn" and isinstance(bound, dict):
        return ", ".join(f"warn {part}" for part in limits_in_words(bound).split(", "))
    name = word.replace("_", " ") if isinstance(bound, list) else word
    words = LIMITS[word].bound_in_words(bound, attribute_text) if word in LIMITS else attribute_text(bound)
    return f"{name} {words}"
