# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results after a retry, results of repeated steps, results of earlier runs, and hooks that did not pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_statistics import gravest_first, results

if TYPE_CHECKING:
    from pandas import DataFrame, Series

STATISTICS = ("count", "min", "mean", "max", "stdev", "p95")
"""The statistics that a repeated step measures over its rounds, for example `NAME.mean` for `NAME`."""

NOTHING = (None,) * (len(STATISTICS) + 1)

Place = tuple[str, str]  # host, step


def flakes(steps: DataFrame) -> DataFrame:
    """Results that passed after a failed try; `first` says what went wrong first."""
    counted = results(steps)
    found = counted[counted["flake"].map(bool).astype(bool)]
    first: list[Any] = [_first_failure(attempts or ()) for attempts in found["attempts"]]
    return found.assign(first=first)


def _first_failure(attempts: Sequence[Mapping[str, Any]]) -> str | None:
    failed = (one for one in attempts if one.get("verdict") not in PASSING and not one.get("waiting"))
    return next((f"{one.get('verdict')}: {one.get('reason') or 'no reason given'}" for one in failed), None)


def reused(steps: DataFrame) -> DataFrame:
    """Results of earlier runs that were used again, by planned step, verdict and `source_run`."""
    counted = results(steps)
    grouped = counted[counted["source_run"].notna()].groupby(
        ["planned", "verdict", "source_run"], observed=True, sort=True
    )
    found = grouped.agg(results=("host", "size"), first_host=("host", "first")).reset_index()
    return found.rename(columns={"planned": "step"})


def hooks(steps: DataFrame) -> DataFrame:
    """Hooks that did not pass, by planned step, `hook`, `when`, verdict and reason; the gravest first."""
    import pandas as pd

    names = ["hook", "when", "verdict", "reason"]
    told = [
        (host, step, *(str(hook.get(name) or "") for name in names))
        for host, step, found in _rows(steps, "host", "planned", "hooks")
        for hook in found or ()
        if isinstance(hook, dict)
    ]
    frame = pd.DataFrame(told, columns=["host", "step", *names], dtype=object)
    grouped = frame.groupby(["step", *names], sort=False)
    found = grouped.agg(results=("host", "size"), first_host=("host", "first")).reset_index()
    return gravest_first(found, ["step", "hook"])


def rounds(steps: DataFrame, measurements: DataFrame) -> DataFrame:
    """Repeated steps: how many `rounds`, how many of them `passed`, and the statistics of each measurement."""
    import pandas as pd

    measured = _statistics(measurements[over_rounds(steps, measurements)])
    told = [
        (host, step, verdict, of.get("count"), of.get("passed"), *statistics)
        for host, step, verdict, of in _rows(_repeated(steps), "host", "step", "verdict", "rounds")
        for statistics in measured.get((host, step)) or [NOTHING]
    ]
    names = ["host", "step", "verdict", "rounds", "passed", "name", "unit", *STATISTICS[1:]]
    return pd.DataFrame(told, columns=names).astype({"rounds": "Int64", "passed": "Int64"})


def over_rounds(steps: DataFrame, measurements: DataFrame) -> Series:
    """Marks for each measurement whether it is a statistic over the rounds of its step."""
    import pandas as pd

    repeated = set(_rows(_repeated(steps), "host", "step"))
    marks = [
        (host, step) in repeated and str(name).rpartition(".")[2] in STATISTICS
        for host, step, name in _rows(measurements, "host", "step", "name")
    ]
    return pd.Series(marks, index=measurements.index, dtype=bool)


def _repeated(steps: DataFrame) -> DataFrame:
    return steps[steps["rounds"].map(bool).astype(bool)]


def _statistics(measurements: DataFrame) -> dict[Place, list[tuple[Any, ...]]]:
    """For each host and step the measurements, each with its name, its unit and its `STATISTICS` without the count."""
    found: dict[Place, dict[str, dict[str, Any]]] = {}
    for host, step, name, unit, number in _rows(measurements, "host", "step", "name", "unit", "number"):
        base, _dot, statistic = str(name).rpartition(".")
        told = found.setdefault((host, step), {}).setdefault(base, {"unit": None})
        told |= {statistic: number, "unit": told["unit"] or unit}  # a count may have no unit
    return {
        place: [(name, told["unit"], *map(told.get, STATISTICS[1:])) for name, told in names.items()]
        for place, names in found.items()
    }


def _rows(frame: DataFrame, *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(frame[name].tolist() for name in names), strict=True)
