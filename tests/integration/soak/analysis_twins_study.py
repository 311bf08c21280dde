# SPDX-License-Identifier: GPL-3.0-or-later

"""The study of what is said of twins and of single values: planted faults, published data, and healthy runs.

All analysers of a report look at values in memory, as they look at those of a store.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine

from analysis_worlds import Array, Random, random_of
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.planted_runs import step_row
from rack_recipes.analysis.analyse_run import analyse_history
from rack_recipes.analysis.findings import NOTABLE, NOTE, PROBLEM, Finding
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.values_over_runs import Series, SeriesValues
from rack_recipes.store.database_engine import connect_store

DATA = Path(__file__).with_name("analysis_data")
PUBLISHED = Path(__file__).parents[2] / "unit/rack_recipes/analysis/published"
FIRST = datetime(2026, 6, 1, 22, tzinfo=UTC)


@dataclass(frozen=True)
class Measured:
    """One number of a step: a row of values for each host, a column for each run, the last one being judged."""

    values: Array
    name: str = "power"
    unit: str = "W"
    limits: Mapping[str, Any] | None = None
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)


def said(measured: Sequence[Measured]) -> list[Finding]:
    """All that a report says of the last run."""
    hosts, runs = measured[0].values.shape
    names = [f"h{number}" for number in range(hosts)]
    told = [_run(number) for number in range(runs)]
    rows = [
        {"host": host, "step": "probe", "name": one.name, "unit": one.unit, "value": value, "number": value, "n": n,
         "limits": one.limits, "distance": None, "verdict": "passed" if one.limits else None}
        for n, one in enumerate(measured)
        for host, value in zip(names, one.values[:, -1].tolist(), strict=True)
    ]  # fmt: skip
    columns = {name: own for one in measured for name, own in one.attributes.items()}
    attributes = {host: {name: own[place] for name, own in columns.items()} for place, host in enumerate(names)}
    steps = [step_row(host, "probe") for host in names]
    run = RunData(told[-1], steps, rows, runs=told[::-1], attributes=attributes, results=steps, places={"probe": 0})
    history = History(_empty_store(), run, length=runs)
    series = [SeriesValues(Series("probe", one.name, one.unit), names, one.values) for one in measured]
    vars(history).update(runs=told[:-1], series=series)
    return analyse_history(history)


def _run(number: int) -> dict[str, Any]:
    started = (FIRST + timedelta(days=number)).isoformat()
    about = {"test_id": "NIGHT", "recipe": "night.yml", "digest": "sha256:01", "labels": {}, "status": "passed"}
    return {"run_id": f"R{number:03}", "started": started, "ended": started, **about}


@cache
def _empty_store() -> Engine:
    return connect_store(f"sqlite:///{tempfile.mkdtemp()}/results.db")


def published(name: str) -> Mapping[str, Any]:
    """Data that others have published, with their source and with what they say of it."""
    found: Mapping[str, Any] = json.loads((PUBLISHED / f"{name}.json").read_text())
    return found


Judge = Callable[[Sequence[Finding]], bool]


@dataclass(frozen=True)
class Case:
    """What was put in, the numbers by the seed, and what a finding must be to have found it."""

    title: str
    make: Callable[[Random], Sequence[Measured]]
    found: Judge
    tries: int = 1
    why: str = ""


def _named(host: str, kinds: Sequence[str] = ("outlier",), grades: Sequence[str] = ()) -> Judge:
    return lambda findings: any(
        one.kind in kinds and host in {result.host for result in one.results} and (not grades or one.grade in grades)
        for one in findings
    )


def _kind(kind: str) -> Judge:
    return lambda findings: any(one.kind == kind for one in findings)


def _problem(findings: Sequence[Finding]) -> bool:
    return any(one.grade == PROBLEM for one in findings)


def _one_differs(usual: float, other: float, hosts: int = 13, runs: int = 1, **fields: Any) -> Sequence[Measured]:
    values = np.full((hosts, runs), usual)
    values[-1 if hosts == 1 else 3, -1] = other
    return [Measured(values, **fields)]


def _rails(random: Random, *, kelvin: bool = False) -> Sequence[Measured]:
    usual, spread, other = (300.0, 0.05, 298.9) if kelvin else (12.05, 0.005, 11.94)
    values = np.round(random.normal(usual, spread, (32, 1)), 3)
    values[3] = other
    return [Measured(values, "inlet", "K") if kelvin else Measured(values, "rail", "V")]


def _falling(random: Random) -> Sequence[Measured]:
    values = np.round(random.normal(12.05, 0.005, (1, 20)), 3)
    values[0, 10:] -= 0.1
    return [Measured(values, "rail", "V")]


def _limited(limits: Mapping[str, Any]) -> Callable[[Random], Sequence[Measured]]:
    def make(random: Random) -> Sequence[Measured]:
        values = random.normal(100, 1, (20, 1))
        values[3] = 112
        return [Measured(values, limits=limits)]

    return make


def _drifting(random: Random) -> Sequence[Measured]:
    values = random.normal(100, 2.2, (12, 30))
    values[3] += 0.5 * np.arange(30)
    return [Measured(values)]


def _noisy(random: Random) -> Sequence[Measured]:
    values = np.round(random.gamma(2.0, 0.6, (1, 21)), 1)
    values[0, -1] = 4.6
    return [Measured(values, "busiest_process", "%", {"max": 80})]


def _twins_of(name: str, part: slice = slice(None), *, less: float = 0.0) -> Callable[[Random], Sequence[Measured]]:
    def make(_random: Random) -> Sequence[Measured]:
        told = published(name)
        values = np.array(told["values"], dtype=float)[part, np.newaxis] - less
        return [Measured(values, attributes=told.get("attributes", {}))]

    return make


def _places(name: str, kinds: Sequence[str] = ("outlier",)) -> Judge:
    return lambda findings: all(_named(f"h{place}", kinds)(findings) for place in published(name)["outliers"])


TIETJEN_WHY = "by design: a test at 5 % names something in one of twenty healthy measurements"
CASES: Sequence[Case] = (
    Case("12 twins have 8 GPUs, one has 7", lambda _r: _one_differs(8, 7, name="gpus", unit="GPUs"), _problem),
    Case("12 twins have 32 memory modules, one has 31", lambda _r: _one_differs(32, 31, name="modules", unit=""),
         _problem),
    Case("two power supplies of a single host became one, after 20 runs",
         lambda _r: _one_differs(2, 1, 1, 21, name="power_supplies", unit=""), _problem),
    Case("42 in 19 runs of a host, then 43", lambda _r: _one_differs(42, 43, 1, 20, name="zorks", unit=""), _problem),
    Case("32 rails of 12.05 V with a spread of 5 mV, one at 11.94 V", _rails, _named("h3"), 20),
    Case("32 inlets of 300 K with a spread of 0.05 K, one at 298.9 K", lambda random: _rails(random, kelvin=True),
         _named("h3"), 20),
    Case("a 12 V rail that falls by 0.1 V at run 11 of 20", _falling, _kind("change_point"), 20),
    Case("20 twins of 100 W with a spread of 1 W, one at 112 W, limit 125", _limited({"max": 125}), _named("h3"), 20),
    Case("the same, limits 75 and 125", _limited({"min": 75, "max": 125}), _named("h3"), 20),
    Case("one of 12 twins drifts by 0.5 a night for 30 nights, spread 2.2", _drifting,
         _named("h3", ("outlier", "drift", "change_point")), 20),
    Case("noise: a busiest process of 4.6 % after 20 runs up to about 4 %, said as a problem", _noisy, _problem, 20,
         why="rightly: nothing is wrong"),
    Case("Rosner 1983: three outliers of 54", _twins_of("rosner"), _places("rosner")),
    Case("Grubbs: 245.57 among eight, more than a note", _twins_of("grubbs"), lambda findings: any(
        one.grade != NOTE and _places("grubbs")([one]) for one in findings)),
    Case("Tietjen and Moore 1972: two outliers of 15", _twins_of("tietjen_moore"), _places("tietjen_moore"),
         why=TIETJEN_WHY),
    Case("Old Faithful: 272 eruptions are two kinds", _twins_of("old_faithful"), _kind("groups")),
    Case("Michelson 1879: the five values of the third experiment that its box plot has as outliers",
         _twins_of("michelson", slice(40, 60)), _places("michelson")),
    Case("the same in km/s, where it is 299,000 more", _twins_of("michelson", slice(40, 60), less=-299_000),
         _places("michelson")),
)  # fmt: skip


def _remembering(random: Random, hosts: int, runs: int) -> Array:
    values = random.normal(size=(hosts, runs + 20))
    for place in range(1, runs + 20):
        values[:, place] = 0.7 * values[:, place - 1] + np.sqrt(1 - 0.49) * values[:, place]
    return values[:, 20:]


HOSTS, MEASUREMENTS = 12, 10
COUNTS = "counts (Poisson, mean .05 to 50)"
NOISES: Mapping[str, Callable[[Random, int, int], Array]] = {
    "normal": lambda random, hosts, runs: 100 + 5 * random.normal(size=(hosts, runs)),
    "long tails (t3)": lambda random, hosts, runs: 100 + 5 * random.standard_t(3, size=(hosts, runs)),
    "skewed (lognormal .5)": lambda random, hosts, runs: 100 * np.exp(0.5 * random.normal(size=(hosts, runs))),
    "each run remembers the last (AR(1) of .7)": lambda random, hosts, runs: (
        100 + 5 * _remembering(random, hosts, runs)
    ),
    COUNTS: lambda random, hosts, runs: random.poisson(10 ** random.uniform(-1.3, 1.7), (hosts, runs)).astype(float),
}
EARLIER = (0, 10, 20, 50)
HEALTHY = 250  # runs of each kind of noise and number of earlier runs
SEED = 1  # always, so that two versions can be compared


def healthy(noise: str, earlier: int, number: int) -> list[Finding]:
    """What is said of a healthy run with 10 measurements of 12 twins; in every second run all have a limit."""
    random, made = random_of(SEED, noise, str(earlier), str(number)), []
    for letter in "abcdefghij":
        values = NOISES[noise](random, HOSTS, earlier + 1)
        limits = {"max": float(values.max() * 2 + 10)} if number % 2 else None
        name, unit = (f"zorks_{letter}", "") if noise == COUNTS else (f"power_{letter}", "W")
        made.append(Measured(values, name, unit, limits))
    return said(made)


def false_findings(noise: str, earlier: int, runs: int) -> tuple[int, int]:
    """How many of some healthy runs have a finding about values that is a problem, and how many one that is notable."""
    found = [[one.grade for one in healthy(noise, earlier, number) if one.kind != "coverage"] for number in range(runs)]
    return sum(PROBLEM in grades for grades in found), sum(NOTABLE in grades for grades in found)


def found_in(case: Case) -> int:
    """In how many tries a case was found."""
    tries = (random_of(SEED, case.title, str(number)) for number in range(case.tries))
    return sum(case.found(said(case.make(random))) for random in tries)


TableOfStudy = tuple[str, Sequence[str], Sequence[Sequence[Any]]]
"""Explanation, columns and rows."""


def table_of_cases() -> TableOfStudy:
    """What is said of planted faults and of published data."""
    about = (
        "Values that stand for faults seen in use, and published data, with what a report says of them. Always with "
        f"the seed {SEED}."
    )
    rows = [(one.title, one.tries, found_in(one), one.why) for one in CASES]
    return about, ("what was put in", "tries", "found", "if not, why"), rows


def table_of_healthy_runs() -> TableOfStudy:
    """What is said of runs in which nothing is wrong."""
    about = (
        f"Runs in which nothing is wrong: {MEASUREMENTS} measurements of {HOSTS} twins; in every second run each has a "
        "limit that no value comes near. All analysers look at it, as for a report. How many runs have a false "
        "`problem`, and how many something false that is `notable`."
    )
    columns = ("noise", "earlier runs", "healthy runs", "problem", "notable")
    rows = [
        (noise, earlier, HEALTHY, *false_findings(noise, earlier, HEALTHY)) for noise in NOISES for earlier in EARLIER
    ]
    return about, columns, rows
