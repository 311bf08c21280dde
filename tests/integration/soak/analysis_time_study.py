# SPDX-License-Identifier: GPL-3.0-or-later

"""The study of what is said over time: shifts, drifts, hosts and racks beside twins, flakes, and the gate of CI."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from analysis_twins_study import Measured, TableOfStudy, said

from analysis_worlds import Array, Random, random_of
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, run_id, store_nights
from rack_recipes.analysis.analyse_run import analyse_run, store_findings
from rack_recipes.analysis.findings import Finding
from rack_recipes.store.database_engine import connect_store

SEED = 1  # always, so that two versions can be compared
NOISE = 0.02
MEMORIES = {"normal": 0.0, "AR(1) of .6": 0.6}
RUNS = (10, 20, 50)
SHIFTS, DRIFTS = (0.02, 0.05, 0.1), (0.002, 0.005)
WHO: Mapping[str, tuple[int, slice]] = {
    "one host alone": (1, slice(0, 1)),
    "all 12 twins": (12, slice(0, 12)),
    "1 of 12 twins": (12, slice(3, 4)),
    "a rack of 8 of 32 twins": (32, slice(8, 16)),
}
TRIES, GRID_TRIES, NIGHTS, FLAKES, PAIRS = 20, 10, 30, 40, 100
FIRST_SHIFTED = 17  # of the nights of the rack, counted from 0: night 18
RACK_NIGHTS = (18, 19, 20, 22, 26, 30)
MOVES = ("change_point", "drift")


def twins(random: Random, hosts: int, runs: int, memory: float = 0.0, noise: float = NOISE) -> Array:
    """Values around 100 of some hosts, each with a level of its own; each run remembers the last."""
    found = random.normal(size=(hosts, runs + 20))
    for run in range(1, runs + 20):
        found[:, run] = memory * found[:, run - 1] + (1 - memory**2) ** 0.5 * found[:, run]
    return 100 * (1 + random.normal(0, 0.03, (hosts, 1)) + noise * found[:, 20:])


def _racks(hosts: int) -> Mapping[str, Sequence[str]]:
    return {"rack": [f"r{host // 8}" for host in range(hosts)]} if hosts > 12 else {}


def looked_at(values: Array, random: Random, memory: float = 0.0) -> list[Finding]:
    """What a report says of these values, beside others of the same hosts in which nothing has happened."""
    other = twins(random, *values.shape, memory)
    racks = _racks(len(values))
    return said([Measured(values, "power", attributes=racks), Measured(other, "speed", "rpm", attributes=racks)])


def _about(findings: Sequence[Finding], name: str, hosts: Sequence[str]) -> bool:
    return any(
        one.kind in MOVES and {result.host for result in one.results} & {*hosts}
        and name in {one.about.get("name"), *(each.get("name") for each in one.figures.get("measurements", ()))}
        for one in findings
    )  # fmt: skip


def detected(change: float, runs: int, memory: float, who: str, *, drifts: bool) -> tuple[int, int]:
    """In how many tries a shift, or a drift a run, was told of a host that moved; and something of other values."""
    hosts, moved = WHO[who]
    found = false = 0
    for number in range(GRID_TRIES):
        random = random_of(SEED, who, str(change), str(runs), str(memory), str(number))
        values = twins(random, hosts, runs, memory)
        values[moved] *= 1 + change * (np.arange(runs) if drifts else np.arange(runs) >= round(0.6 * runs))
        told = looked_at(values, random, memory)
        names = [f"h{host}" for host in range(hosts)]
        found += _about(told, "power", names[moved])
        false += _about(told, "speed", names)
    return found, false


def grid() -> dict[str, tuple[int, int]]:
    """What is found and what is false, by all that is put in."""
    return {
        f"{who}; {noise}; {'drift' if drifts else 'shift'}; {change}; {runs}": detected(
            change, runs, memory, who, drifts=drifts
        )
        for who, (noise, memory), (drifts, changes) in product(WHO, MEMORIES.items(), ((False, SHIFTS), (True, DRIFTS)))
        for change in changes
        for runs in RUNS
    }


def host_that_drifts() -> int:
    """In how many tries the host is named that drifts by 0.5 a night for 30 nights at a spread of 2.2."""
    found = 0
    for number in range(TRIES):
        random = random_of(SEED, "drifts", str(number))
        values = twins(random, 12, NIGHTS, noise=0.022)
        values[3] += 0.5 * np.arange(NIGHTS)
        found += any(one.kind in MOVES and one.about.get("host") == "h3" for one in looked_at(values, random))
    return found


def rack_that_shifts(night: int) -> int:
    """In how many tries the rack is named that is 10 % higher since night 18, where hosts vary by 4 %."""
    found = 0
    for number in range(TRIES):
        random = random_of(SEED, "rack", str(number))
        values = twins(random, 32, NIGHTS, noise=0.04)
        values[8:16, FIRST_SHIFTED:] += 10
        told = looked_at(values[:, :night], random)
        found += any("rack r1" in one.title or one.about.get("value") == "r1" for one in told)
    return found


def flakes_found(*, nightly: bool) -> int:
    """How many of 40 results that fail in 30 % of 30 nights are told in the last one, where they pass or fail."""
    random = random_of(SEED, "flakes over time")
    failed = random.random((FLAKES, NIGHTS)) < 0.3
    places = [("probe", f"h{host}") for host in range(FLAKES)]
    fields = {place: {"inputs": "sha256:1"} for place in places}
    nights = [
        Night(verdicts={p: "failed" if bad else "passed" for p, bad in zip(places, failed[:, night], strict=True)},
              fields=fields)
        for night in range(NIGHTS)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        store = connect_store(f"sqlite:///{folder}/results.db")
        last = store_nights(store, Path(folder), nights)
        for number in range(1, NIGHTS) if nightly else ():
            store_findings(store, run_id(number), analyse_run(store, run_id(number)))
        told = analyse_run(store, last)
        store.dispose()
    return len({result.host for one in told if one.kind == "flake" for result in one.results})


@cache
def gate(hosts: int, measurements: int, shift: float) -> int:
    """In how many of 100 pairs the gate tells that the second run is at another level, after 20 runs."""
    try:
        from rack_recipes.analysis.regression_gate import judge_levels
        from rack_recipes.analysis.values_over_runs import KnownLimits, Series, SeriesValues
    except ImportError:
        return 0  # it compared verdicts alone
    names = [f"h{host}" for host in range(hosts)]
    runs = [{"run_id": f"R{one}", "started": f"2026-11-{one + 1:02}T22:00:00Z"} for one in range(21)]
    told = 0
    for number in range(PAIRS):
        random = random_of(SEED, "gate", str(hosts), str(measurements), str(shift), str(number))
        made = [twins(random, hosts, 21) for _one in range(measurements)]
        made[0][:, -1] *= 1 + shift
        series = [SeriesValues(Series("probe", f"m{one}"), names, values) for one, values in enumerate(made)]
        told += bool(judge_levels(series, runs, 19, {}, KnownLimits(())).worse)
    return told


GATES = ((12, 10), (4, 1), (1, 1))
GATE_SHIFTS = (0.0, 0.02, 0.05, 0.1)


def cases_found() -> dict[str, tuple[int, int]]:
    """The tries of each case, and in how many of them it was found."""
    return {
        "one of 12 twins drifts by 0.5 a night for 30 nights, spread 2.2: it is named": (TRIES, host_that_drifts()),
        **{f"a rack of 8 of 32 twins is 10 % higher since night 18, each host varies by 4 %: named in night {night}":
           (TRIES, rack_that_shifts(night)) for night in RACK_NIGHTS},
        "flakes of 30 % over 30 nights that nobody has analysed": (FLAKES, flakes_found(nightly=False)),
        "the same, each night analysed": (FLAKES, flakes_found(nightly=True)),
        **{f"the gate, {hosts} hosts, {number} measurements, 2 % of noise, 20 runs: a shift of {100 * shift:g} %":
           (PAIRS, gate(hosts, number, shift)) for (hosts, number), shift in product(GATES, GATE_SHIFTS)},
    }  # fmt: skip


def table_of_cases() -> TableOfStudy:
    """What is said of hosts, racks and flakes, and by the gate."""
    about = (
        f"What stands for faults seen in use. Always with the seed {SEED}. A shift of 0 % is none: what the gate tells "
        "there is false."
    )
    rows = [(title, tries, found) for title, (tries, found) in cases_found().items()]
    return about, ("what was put in", "tries", "found"), rows


def table_of_moves() -> TableOfStudy:
    """What is said of shifts and drifts by their size, the number of runs, and who moves."""
    now = grid()
    about = (
        f"Of {GRID_TRIES} runs each, with {100 * NOISE:g} % of noise: how many tell that a measurement has moved, of a "
        "host that did, as a change of level or a drift (shifts begin after 60 % of the runs); and how many say so of "
        "another measurement, in which nothing happened."
    )
    rows = [
        (who, noise, kind, f"{100 * float(change):g} %{' a run' if kind == 'drift' else ''}", runs,
         *now[key])
        for key in now
        for who, noise, kind, change, runs in [key.split("; ")]
    ]  # fmt: skip
    columns = ("who moves", "noise", "how", "by", "runs", "found", "false")
    return about, columns, rows
