# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the frames of a run say: counts, reasons, times of steps, spread of measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.verdicts import NOT_RUN, UNTIMED, rank

if TYPE_CHECKING:
    from pandas import DataFrame, Series


def counts(steps: DataFrame) -> DataFrame:
    """`verdict`, `results`, `share` in percent; the gravest verdict first."""
    found = steps["verdict"].value_counts().rename_axis("verdict").reset_index(name="results")
    found["share"] = (100 * found["results"] / max(len(steps), 1)).round(2)
    return _gravest_first(found, [])


def not_passed(steps: DataFrame) -> DataFrame:
    """The results that did not pass, the gravest first, then by host and step."""
    return _gravest_first(steps[~steps["verdict"].isin(PASSING)], ["host", "step"])


def reasons(steps: DataFrame) -> DataFrame:
    """Results that did not pass and say the same: `verdict`, `step`, `reason`, `hosts` (how many), `first_host`."""
    grouped = not_passed(steps).fillna({"reason": ""}).groupby(["verdict", "step", "reason"], observed=True, sort=True)
    found = grouped.agg(hosts=("host", "size"), first_host=("host", "first")).reset_index()
    found["most"] = -found["hosts"]
    return _gravest_first(found, ["most", "step", "reason"])


def matrix(steps: DataFrame) -> DataFrame:
    """Verdicts, a row for each host and a column for each step; empty where the step is not meant for the host."""
    return steps.pivot(index="host", columns="step", values="verdict")


def by_step(steps: DataFrame) -> DataFrame:
    """A row for each step: results by kind of verdict, how many were retried, seconds, and the slowest host."""
    verdict, step = steps["verdict"], steps["step"]
    marks = steps.assign(
        passing=verdict.isin(PASSING),
        failed=verdict == "failed",
        error=verdict == "error",
        not_run=verdict.isin(NOT_RUN),
        retried=(steps["tries"] > 1).fillna(False),
    )
    names = ["passing", "failed", "error", "not_run", "retried"]
    found = marks.groupby("step", observed=True)[names].sum().astype("Int64")
    found.insert(0, "results", step.value_counts().reindex(found.index).astype("Int64"))
    found.insert(0, "stage", steps.groupby("step", observed=True)["stage"].min())
    timed = _timed(steps)
    seconds = timed.groupby("step", observed=True)["seconds"].agg(["median", "max", "sum"])
    seconds["slowest_host"] = _host_at(timed.groupby("step", observed=True)["seconds"].idxmax(), timed)
    return found.join(seconds.rename(columns={"sum": "total"})).reset_index()


def slowest(steps: DataFrame, limit: int = 50) -> DataFrame:
    """The step runs that took longest."""
    return _timed(steps).nlargest(limit, "seconds").sort_values("seconds", ascending=False, kind="stable")


def by_measurement(measurements: DataFrame) -> DataFrame:
    """A row for each step, name and unit: hosts, values, least, median and greatest number, and whose they are."""
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
    return steps[steps["seconds"].notna() & ~steps["verdict"].isin(UNTIMED)]


def _host_at(places: Series, frame: DataFrame) -> Series:
    return places.map(frame["host"].astype(object))


def _gravest_first(frame: DataFrame, then: list[str]) -> DataFrame:
    ranked = frame.assign(rank=frame["verdict"].map(rank).astype("int64"))
    return ranked.sort_values(["rank", *then], kind="stable", ignore_index=True)
