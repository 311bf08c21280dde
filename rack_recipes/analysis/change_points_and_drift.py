# SPDX-License-Identifier: GPL-3.0-or-later

"""Measurements that are at another level since a certain run, and those that move towards a limit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import erfc, sqrt
from typing import Any

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
    format_percent,
)
from rack_recipes.analysis.history import History
from rack_recipes.analysis.methods import intervals_and_multiple_tests
from rack_recipes.analysis.methods.change_points_and_trends import (
    LEAST_RUNS,
    ChangePoint,
    Crossing,
    Trend,
    find_crossing,
)
from rack_recipes.analysis.methods.outliers import BEYOND_HISTORY
from rack_recipes.analysis.run_changes import run_field_changes
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.values_over_runs import FIRST_DAY, KnownLimits, OverRuns, SeriesLimits, trend_of

FEW_DAYS = 10  # fewer than these are told with a decimal
RECENT = 5  # runs: a change for the worse that is older is known by now
TOGETHER = 3  # so many measurements that change in the same run are one finding

LEVEL_METHOD = (
    "greatest t2 of all splits by permutations, without one spike, and an AR(1) sieve, at .01; Benjamini and Hochberg: "
    "5 % of the series named are false on average; of 2,000 series of 20 runs without a change .6 % had one (normal "
    "noise), .7 % (t3), 10 % (each run resembles the last, AR(1) of .6), 31 % (AR(1) of .94)"
)
DRIFT_METHOD = (
    "Theil and Sen's slope with Kendall's bounds (95 %) and an AR(1) sieve; Benjamini and Hochberg: 5 % of the trends "
    "named are false on average; the interval of the time holds the true one in 88 to 91 % of cases from 20 runs, in "
    "65 to 80 % with 10"
)
LOOK_AT = "Look at what was changed between the runs {} and {}{}."
BEFORE_THEN = "Plan to look at {} before {:%Y-%m-%d}."


@dataclass(frozen=True, slots=True)
class _Changed:
    """A series that is at another level, since the run at `place` of the history."""

    one: OverRuns
    limits: SeriesLimits
    changes: Sequence[ChangePoint]

    @property
    def last(self) -> ChangePoint:
        return self.changes[-1]

    @property
    def place(self) -> int:
        return self.one.places[self.last.place]


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """Yield findings of the kinds `change_point` and `drift`; none where there are fewer than 10 runs."""
    runs = [*history.runs, run.run]
    if len(runs) < LEAST_RUNS:
        return
    series = [one for one in history.over_runs if len(one.values) >= LEAST_RUNS]
    limits, changes = history.limits, history.level_changes
    changed = [
        _Changed(one, limits.of(one.series, one.hosts), changes[one.key]) for one in series if changes.get(one.key)
    ]
    yield from cap_findings([*_changes(changed, runs)])
    yield from cap_findings([*_drifts(series, changes, limits)])


def _changes(changed: Sequence[_Changed], runs: Sequence[Mapping[str, object]]) -> Iterator[Finding]:
    together: dict[int, list[_Changed]] = defaultdict(list)
    for one in changed:
        together[one.place].append(one)
    for place, own in sorted(together.items(), reverse=True):
        parts = [own] if len(own) >= TOGETHER else [[one] for one in own]
        yield from (_change(part, place, runs) for part in parts)


def _change(own: Sequence[_Changed], place: int, runs: Sequence[Mapping[str, object]]) -> Finding:
    own = sorted(own, key=lambda one: -abs(one.last.shift) / max(one.one.floor, 1e-300))
    before, since = (runs[max(place - 1, 0)], runs[place])
    fields = [change["field"] for change in run_field_changes(before, since) if change["field"] != "status"]
    is_recent = len(runs) - place <= RECENT
    grades = [_grade(one, is_recent=is_recent) for one in own]
    also = f" ({', '.join(fields)} changed then)" if fields else ""
    series = own[0].one.series
    return Finding(
        "change_point",
        min(grades, key=GRADES.index),
        f"{_title(own)}, since run {since['run_id']} ({len(runs) - place} runs){also}",
        tuple(result for one in own for result in one.one.series.results(one.one.hosts))[:MOST_RESULTS],
        LOOK_AT.format(before["run_id"], since["run_id"], f": {', '.join(fields)}" if fields else ""),
        {
            "since": since["run_id"],
            "before": before["run_id"],
            "changed then": fields,
            "measurements": [_figures(one, runs) for one in own[:MOST_RESULTS]],
            "number": len(own),
        },
        series.about if len(own) == 1 else {},
        LEVEL_METHOD,
    )


def _title(own: Sequence[_Changed]) -> str:
    names = [*dict.fromkeys(one.one.series.in_words for one in own)]
    if len(names) > 1:
        return f"{format_count(len(names), 'measurement')} changed: {first_few(names, SHOWN, '; ')}"
    more = f", others alike ({format_count(len(own), 'series', 'series')})" if len(own) > 1 else ""
    return f"{_one_title(own[0])}{more}"


def _one_title(one: _Changed) -> str:
    unit, change = one.one.series.unit, one.last
    percent = format_percent(change.before, change.after)
    levels = f"from {format_amount(change.before, unit)} to {format_amount(change.after, unit)}{percent}"
    return f"{one.one.series.in_words} ({one.one.whose}) went {levels}"


def _grade(one: _Changed, *, is_recent: bool) -> str:
    worse = one.limits.is_worse(one.last.before, one.last.after)
    if worse is None:
        return NOTABLE if is_recent and not one.one.series.key else NOTE
    return (PROBLEM if is_recent and _is_clear(one) else NOTABLE) if worse else NOTE


def _is_clear(one: _Changed) -> bool:
    """Whether the new level is further off than any run at the old one: a series that remembers wanders that far."""
    earlier = one.one.values[one.last.start : one.last.place]
    return abs(one.last.shift) > BEYOND_HISTORY * float(np.abs(earlier - one.last.before).max())


def _figures(one: _Changed, runs: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    return {
        **one.one.series.about,
        "whose": one.one.whose,
        "runs": len(one.one.values),
        "changes": [
            {
                "since": runs[one.one.places[change.place]]["run_id"],
                "before": change.before,
                "after": change.after,
                "p": change.p,
            }
            for change in one.changes
        ],
    }


def _drifts(
    series: Sequence[OverRuns], changes: Mapping[str, Sequence[ChangePoint]], limits: KnownLimits
) -> Iterator[Finding]:
    trends = [(one, trend_of(one, changes.get(one.key, ()))) for one in series]
    p = [_kendall_p(one, trend) for one, trend in trends]
    for (one, trend), kept in zip(trends, intervals_and_multiple_tests.mark_kept_tests(p), strict=True):
        if trend and kept and not trend.why_not:
            yield _drift(one, trend, limits.of(one.series, one.hosts))


def _kendall_p(one: OverRuns, trend: Trend | None) -> float:
    """The chance of so steady a series without a trend: the sieve alone cannot tell less than 1 of 500."""
    if trend is None or trend.why_not:
        return 1.0
    values = one.values[one.days >= trend.first]
    n = len(values)
    signs = np.sign(values[np.newaxis, :] - values[:, np.newaxis])
    statistic = abs(float(np.triu(signs, 1).sum()))
    return erfc(max(statistic - 1, 0.0) / sqrt(n * (n - 1) * (2 * n + 5) / 18) / sqrt(2))


def _drift(one: OverRuns, trend: Trend, limits: SeriesLimits) -> Finding:
    over_days = trend.last - trend.first >= 1  # runs within a day say nothing of days
    ends = [end for end in (limits.low, limits.high) if end is not None and over_days]
    reached = [(time, end) for end in ends if (time := find_crossing(trend, end))]
    unit, runs = one.series.unit, int((one.days >= trend.first).sum())
    head = f"{one.series.in_words} ({one.whose}) {'rises' if trend.slope > 0 else 'falls'} by "
    head += f"{format_amount(abs(trend.shift) / (runs - 1), unit)} a run over {format_count(runs, 'run')}"
    if over_days:
        head += f", {format_amount(abs(trend.slope), unit)} a day"
    found = min(reached, key=lambda each: each[0].time, default=None)
    worse = limits.is_worse(trend.level - trend.slope, trend.level)
    return Finding(
        "drift",
        PROBLEM if found else NOTABLE if worse else NOTE,
        f"{head}: {_when(found[0], trend)} it reaches its limit of {format_amount(found[1], unit)}" if found else head,
        one.series.results(one.hosts),
        BEFORE_THEN.format(one.series.in_words, _date(found[0].earliest)) if found else "",
        {
            "slope a day": trend.slope,
            "slope a run": trend.shift / (runs - 1),
            "low": trend.low,
            "high": trend.high,
            "p": trend.p,
            "runs": runs,
            "level": trend.level,
            **({"limit": found[1], **_times(found[0])} if found else {}),
        },
        one.series.about,
        DRIFT_METHOD,
    )


def _when(found: Crossing, trend: Trend) -> str:
    latest = "more" if found.latest is None else _days(found.latest - trend.last)
    return f"in {_days(found.time - trend.last)} days ({_days(found.earliest - trend.last)} to {latest}, 90 %)"


def _days(number: float) -> str:
    return f"{number:.1f}" if number < FEW_DAYS else f"{number:.0f}"


def _times(found: Crossing) -> dict[str, Any]:
    latest = None if found.latest is None else f"{_date(found.latest):%Y-%m-%d}"
    return {
        "reached": f"{_date(found.time):%Y-%m-%d}",
        "earliest": f"{_date(found.earliest):%Y-%m-%d}",
        "latest": latest,
    }


def _date(days: float) -> Any:
    return FIRST_DAY + timedelta(days=days)
