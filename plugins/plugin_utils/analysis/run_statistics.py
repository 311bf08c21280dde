# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statistics of one run, from its data frames: counts, reasons, times of steps, spread of measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, RAN
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.verdicts import rank

if TYPE_CHECKING:
    from pandas import DataFrame, Series


def results(steps: DataFrame) -> DataFrame:
    """The results that are counted: the instances of a looped step, and not the step itself."""
    return steps[~_looped(steps)]


def counts(steps: DataFrame) -> DataFrame:
    """`verdict`, `results`, `share` in percent; the gravest verdict first."""
    counted = results(steps)
    found = counted["verdict"].value_counts().rename_axis("verdict").reset_index(name="results")
    found["share"] = (100 * found["results"] / max(len(counted), 1)).round(2)
    return gravest_first(found, [])


def not_passed(steps: DataFrame) -> DataFrame:
    """The results that were tried and did not pass, the gravest first, then by host and step."""
    counted = results(steps)
    return gravest_first(counted[~counted["verdict"].isin(PASSING | NOT_TRIED)], ["host", "step"])


def reasons(steps: DataFrame) -> DataFrame:
    """The rows of `not_passed`, grouped by verdict, step and reason."""
    return _gathered(not_passed(steps))


def not_run(steps: DataFrame) -> DataFrame:
    """Skipped and blocked results, grouped by verdict, step and reason."""
    counted = results(steps)
    return _gathered(counted[counted["verdict"].isin(NOT_TRIED)])


def _gathered(found: DataFrame) -> DataFrame:
    """Group by `verdict`, planned `step` and `reason`: number of `results` and of `hosts`, and the `first_host`."""
    by = ["verdict", "planned", "reason"]
    grouped = found.fillna({"reason": ""}).groupby(by, observed=True, sort=True)
    gathered = grouped.agg(results=("host", "size"), hosts=("host", "nunique"), first_host=("host", "first"))
    gathered = gathered.reset_index().rename(columns={"planned": "step"})
    return gravest_first(gathered.assign(most=-gathered["results"]), ["most", "step", "reason"])


def matrix(steps: DataFrame) -> DataFrame:
    """Verdicts, with a row for each host and a column for each planned step; empty for steps of other hosts."""
    planned = steps[steps["parent"].isna()]
    ordered = planned.assign(step=planned["step"].cat.remove_unused_categories())
    return ordered.pivot(index="host", columns="step", values="verdict")


def by_step(steps: DataFrame) -> DataFrame:
    """A row for each step: numbers of results by verdict and of retries, seconds, and the slowest host.

    A looped step has the number of its `instances` on all hosts; the results are counted for the instances only.
    """
    verdict = steps["verdict"]
    counted = ~_looped(steps)
    marks = steps.assign(
        results=counted,
        passing=counted & verdict.isin(PASSING),
        failed=counted & (verdict == "failed"),
        error=counted & (verdict == "error"),
        unreachable=counted & (verdict == "unreachable"),
        not_run=counted & verdict.isin(NOT_TRIED),
        retried=counted & _retried(steps),
    )
    names = ["results", "passing", "failed", "error", "unreachable", "not_run", "retried"]
    grouped = marks.groupby("step", observed=True)
    found = grouped[names].sum().astype("Int64")
    instances = grouped["instances"].sum(min_count=1).astype("Int64")
    is_counted = grouped["results"].any()
    found = found.where(is_counted)
    found.insert(0, "stage", grouped["stage"].min())
    found.insert(1, "instances", instances.where(instances > 0))
    timed = _timed(steps)
    seconds = timed.groupby("step", observed=True)["seconds"].agg(["median", "max", "sum"])
    seconds["slowest_host"] = _host_at(timed.groupby("step", observed=True)["seconds"].idxmax(), timed)
    return found.join(seconds.rename(columns={"sum": "total"})).reset_index()


def slowest(steps: DataFrame, limit: int = 50) -> DataFrame:
    """The results that took longest."""
    return _timed(results(steps)).nlargest(limit, "seconds").sort_values("seconds", ascending=False, kind="stable")


def by_measurement(measurements: DataFrame) -> DataFrame:
    """A row for each step, name and unit: number of hosts and values, least, median and greatest value, their hosts."""
    by = ["step", "name", "unit"]
    filled = measurements.fillna({"unit": ""})
    grouped = filled.groupby(by, observed=True)
    found = grouped.agg(hosts=("host", "nunique"), values=("name", "size"))
    numbers = filled[filled["number"].notna()]
    values = numbers.groupby(by, observed=True)["number"]
    spread = values.agg(["min", "median", "max"])
    spread["min_host"] = _host_at(values.idxmin(), numbers)
    spread["max_host"] = _host_at(values.idxmax(), numbers)
    return found.join(spread).reset_index()


def _timed(steps: DataFrame) -> DataFrame:
    """The results that ran in this run. A looped step has no tries: there an instance must have been tried."""
    tried = (steps["tries"] > 0).fillna(value=False).astype(bool)
    of_it = tried.groupby([steps["host"], steps["planned"]], observed=True).transform("any")
    is_own = steps["seconds"].notna() & steps["source_run"].isna() & steps["verdict"].isin(RAN)
    return steps[is_own & (tried | (_looped(steps) & of_it))]


def _host_at(places: Series, frame: DataFrame) -> Series:
    return places.map(frame["host"].astype(object))


def _looped(steps: DataFrame) -> Series:
    return (steps["instances"] > 0).fillna(value=False).astype(bool)


def _retried(steps: DataFrame) -> Series:
    """Whether a result needed a retry. The tries of a repeated step are mostly its rounds, so they do not count."""
    again = (steps["tries"] > 1).fillna(value=False).astype(bool)
    return (again & ~steps["rounds"].map(bool).astype(bool)) | steps["flake"].map(bool).astype(bool)


def gravest_first(frame: DataFrame, then: list[str]) -> DataFrame:
    """By how grave the `verdict` is, then by other columns."""
    ranked = frame.assign(rank=frame["verdict"].map(rank).astype("int64"))
    return ranked.sort_values(["rank", *then], kind="stable", ignore_index=True)
