# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers of a run: what its steps measured, and what stands inside of the values of its context."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from math import isnan
from typing import NamedTuple

from rack_recipes.analysis.retries_and_reuse import single
from rack_recipes.analysis.run_data import RunData


class Metric(NamedTuple):
    """What a number is: a measurement of a `step`, or a number in the context, whose step is "".

    The name of a number in the context is its full path, as a reference in a recipe has it: `numbers.stats_v1.mean`.
    """

    step: str
    name: str
    unit: str


class Value(NamedTuple):
    """One number on a host; NaN for a value that is no number. The host of the run is ""."""

    metric: Metric
    host: str
    number: float


def values(run: RunData) -> Iterator[Value]:
    """All numbers of a run in reading order; statistics over the rounds of a step are left out."""
    return chain(_measured(run), _in_context(run))


def by_metric(run: RunData) -> dict[Metric, list[float]]:
    """The numbers of each metric, in the order of `values`: these are too many for an object each."""
    measured: dict[tuple[str, str, str], list[float]] = {}
    for row in single(run):
        if not isnan(row["number"]):
            measured.setdefault((row["step"], row["name"], row.get("unit") or ""), []).append(row["number"])
    found = {Metric(*place): numbers for place, numbers in measured.items()}
    paths: dict[str, dict[str, list[float]]] = {}
    for row in run.context:
        of_key = paths.setdefault(row["key"], {})
        for path, number in row["numbers"]:
            numbers = of_key.get(path)
            if numbers is None:
                numbers = of_key[path] = found.setdefault(Metric("", f"{row['key']}{path}", ""), [])
            numbers.append(number)
    return found


def _measured(run: RunData) -> Iterator[Value]:
    for row in single(run):
        if not isnan(row["number"]):
            yield Value(Metric(row["step"], row["name"], row.get("unit") or ""), row["host"], row["number"])


def _in_context(run: RunData) -> Iterator[Value]:
    for row in run.context:
        key, host = row["key"], row["host"]
        for path, number in row["numbers"]:
            yield Value(Metric("", f"{key}{path}", ""), host, number)
