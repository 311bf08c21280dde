# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results after a retry, results of repeated steps, results of earlier runs, and hooks that did not pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.analysis.run_data import Row, RunData
from rack_recipes.analysis.run_statistics import gravest_first, grouped

STATISTICS = ("count", "min", "mean", "max", "stdev", "p95")
"""The statistics that a repeated step measures over its rounds, for example `NAME.mean` for `NAME`."""

HOOK = ("hook", "when", "verdict", "reason")
"""What is told of a hook."""

Place = tuple[str, str]  # host, step


def flakes(run: RunData) -> list[Row]:
    """Results that passed after a failed try; `first` says what went wrong first."""
    found = (row for row in run.results if row.get("flake"))
    return [{**row, "first": _first_failure(row.get("attempts") or ())} for row in found]


def _first_failure(attempts: Sequence[Mapping[str, Any]]) -> str | None:
    failed = (one for one in attempts if one.get("verdict") not in PASSING and not one.get("waiting"))
    return next((f"{one.get('verdict')}: {one.get('reason') or 'no reason given'}" for one in failed), None)


def reused(run: RunData) -> list[Row]:
    """Results of earlier runs that were used again, by planned step, verdict and `source_run`."""
    found = (row for row in run.results if row.get("source_run") is not None)
    groups = grouped(found, lambda row: (run.planned(row["step"]), row["verdict"], row["source_run"]))
    ordered = sorted(groups, key=lambda of: (run.place(of[0]), *of[1:]))
    return [{"step": of[0], "verdict": of[1], "source_run": of[2], **_on_hosts(groups[of])} for of in ordered]


def hooks(run: RunData) -> list[Row]:
    """Hooks that did not pass, by planned step, `hook`, `when`, verdict and reason; the gravest first."""
    told = (
        {"host": row["host"], "step": run.planned(row["step"]), **{name: str(hook.get(name) or "") for name in HOOK}}
        for row in run.steps
        for hook in row.get("hooks") or ()
        if isinstance(hook, dict)
    )
    groups = grouped(told, lambda row: tuple(row[name] for name in ("step", *HOOK)))
    found = [{**rows[0], **_on_hosts(rows)} for rows in groups.values()]
    return gravest_first(sorted(found, key=lambda row: (row["step"], row["hook"])))


def _on_hosts(rows: Sequence[Row]) -> dict[str, Any]:
    return {"results": len(rows), "first_host": rows[0]["host"]}


def rounds(run: RunData) -> list[Row]:
    """Repeated steps: how many `rounds`, how many of them `passed`, and the statistics of each measurement."""
    places = _repeated(run)
    measured = _statistics(row for row in run.measurements if _is_of(row, places))
    repeated = (row for row in run.steps if row.get("rounds"))
    return [
        {**row, "rounds": row["rounds"].get("count"), "passed": row["rounds"].get("passed"), **statistics}
        for row in repeated
        for statistics in measured.get((row["host"], row["step"])) or [{}]
    ]


def single(run: RunData) -> list[Row]:
    """The measurements that are no statistic over the rounds of their step."""
    repeated = _repeated(run)
    return [row for row in run.measurements if not _is_of(row, repeated)] if repeated else [*run.measurements]


def _is_of(measurement: Row, repeated: set[Place]) -> bool:
    """Whether a measurement is a statistic over the rounds of its step."""
    is_statistic = str(measurement["name"]).rpartition(".")[2] in STATISTICS
    return is_statistic and (measurement["host"], measurement["step"]) in repeated


def _repeated(run: RunData) -> set[Place]:
    return {(row["host"], row["step"]) for row in run.steps if row.get("rounds")}


def _statistics(measurements: Iterable[Row]) -> dict[Place, list[dict[str, Any]]]:
    """For each host and step the measurements, each with its name, its unit and its `STATISTICS`."""
    found: dict[Place, dict[str, dict[str, Any]]] = {}
    for row in measurements:
        base, _dot, statistic = str(row["name"]).rpartition(".")
        told = found.setdefault((row["host"], row["step"]), {}).setdefault(base, {"name": base, "unit": None})
        told |= {statistic: row["number"], "unit": told["unit"] or row.get("unit")}  # a count may have no unit
    return {place: [*names.values()] for place, names in found.items()}
