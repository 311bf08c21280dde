# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs for the study of the analysis: a store with a history, what was put into it, and what our analysers say.

Each world has nights of one test on hosts of two models. In each, some things were put in by the seed; the rest is
normal noise. The analysers are those of every report, all of them, over the rows of the store.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

import analysis_rivals as rivals
from analysis_worlds import Array, Random, random_of
from ansible_collections.rack.recipes.tests.bench.journal_import_scaling import ATTEMPT
from rack_recipes.analysis.analyse_run import analyse_run
from rack_recipes.analysis.findings import NOTE, Finding
from rack_recipes.recipe.waivers import Waiver
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.record_to_rows import in_order, measurement_rows, step_row
from rack_recipes.store.writing.write_rows import write_rows

HOSTS, RUNS = 200, 50
SIGMA, NIGHT_SIGMA = 5.0, 1.0  # of hosts, and of what all hosts of a model share in one night
CHANGED, DRIFTING, OFF, QUIET = 6, 4, 8, 6
"""Measurements with a change of level, with a drift, with a host that is off in the last run, and with nothing."""

SHIFT, SLOPE, FAR = 6.0, 0.15, 8 * SIGMA  # of the model's level, of it a run, of the host
SINCE = (18, 8)  # a change is no earlier than this run, and at least so many runs before the last one
FLAKY = BROKEN = RENEWED = 6  # hosts whose probe is a flake; is broken since some run; fails since its input changed
IN_LEAF, OF_LEAF, NOISE = 20, 0.8, 0.02  # hosts of a leaf; share of them that fails, where it is the cause; of others
NEAR = 2  # runs between a change and where it is said to be
FIRST_NIGHT = datetime(2026, 6, 1, 22, tzinfo=UTC)
METRICS = [f"m{number:02}" for number in range(CHANGED + DRIFTING + OFF + QUIET)]
MODELS = ("X1", "X2")

Series = tuple[str, str]  # the name of a measurement, and a model


@dataclass
class World:
    """Nights of one test: `values` by measurement, host and run, and all that was put in."""

    hosts: int
    values: Array
    attributes: list[dict[str, Any]]
    failing: frozenset[int]
    probes: Array
    renewed: frozenset[int]
    broken_since: int
    changes: Mapping[Series, int]
    drifts: frozenset[Series]
    outliers: frozenset[tuple[int, str]]
    leaf: str
    flakes: frozenset[int]
    waivers: tuple[list[Waiver], list[Waiver]]

    @property
    def runs(self) -> int:
        """The number of nights."""
        return int(self.values.shape[2])

    def of_model(self, model: str) -> list[int]:
        """The places of its hosts."""
        return [place for place, own in enumerate(self.attributes) if own["model"] == model]

    def medians(self, series: Series) -> Array:
        """The median of a model in each run."""
        return np.median(self.values[METRICS.index(series[0])][self.of_model(series[1])], axis=0)


def world(seed: int, number: int, hosts: int = HOSTS, runs: int = RUNS) -> World:
    """The world of this number; in every second one a leaf is the cause of failures."""
    random = random_of(seed, "nights", str(number))
    attributes = [_attributes(random, place) for place in range(hosts)]
    models = np.array([MODELS.index(own["model"]) for own in attributes])
    shared = random.normal(scale=NIGHT_SIGMA, size=(len(METRICS), len(MODELS), runs))
    values = 100 + 30 * models[None, :, None] + shared[:, models, :]
    values = values + random.normal(scale=SIGMA, size=(len(METRICS), hosts, runs))
    changes, drifts, outliers = {}, set(), set()
    for place, name in enumerate(METRICS):
        model = int(random.integers(len(MODELS)))
        if place < CHANGED:
            since = int(random.integers(min(SINCE[0], runs // 2), runs - SINCE[1] + 1))
            values[place, models == model, since:] += SHIFT * float(random.choice([-1, 1]))
            changes[name, MODELS[model]] = since
        elif place < CHANGED + DRIFTING:
            values[place, models == model] += SLOPE * np.arange(runs) * 50 / runs
            drifts.add((name, MODELS[model]))
        elif place < CHANGED + DRIFTING + OFF:
            host = int(random.integers(hosts))
            values[place, host, -1] += FAR * float(random.choice([-1, 1]))
            outliers.add((host, name))
    leaf = f"leaf{random.integers(hosts // IN_LEAF)}" if number % 2 else ""
    chance = np.array([OF_LEAF if own["leaf"] == leaf else NOISE for own in attributes])
    failing = frozenset(np.flatnonzero(random.random(hosts) < chance).tolist())
    chosen = random.permutation(hosts)[: FLAKY + BROKEN + RENEWED]
    probes, since = _probes(random, chosen, hosts, runs)
    flakes, renewed = frozenset(chosen[:FLAKY].tolist()), frozenset(chosen[FLAKY + BROKEN :].tolist())
    return World(hosts, values, attributes, failing, probes, renewed, since, changes, frozenset(drifts),
                 frozenset(outliers), leaf, flakes, _waivers())  # fmt: skip


def _attributes(random: Random, place: int) -> dict[str, Any]:
    firmware = int(random.integers(4))
    return {
        "model": MODELS[int(random.integers(len(MODELS)))], "role": "server", "rack": f"r{place // 10:02}",
        "leaf": f"leaf{place // IN_LEAF}", "firmware": f"22.{firmware}", "nic_model": f"CX-{firmware // 2}",
        "batch": f"b{random.integers(8)}",
    }  # fmt: skip


def _probes(random: Random, chosen: Array, hosts: int, runs: int) -> tuple[Array, int]:
    """Whether the probe failed, by host and run; and the run since which the broken ones fail."""
    failed = np.zeros((hosts, runs), dtype=bool)
    since = runs - 6
    for host in chosen[:FLAKY]:
        failed[host] = random.random(runs) < random.uniform(0.15, 0.4)
        failed[host, [runs // 3, -1]] = True  # a flake that does not show itself is none that a report can name
        failed[host, [runs // 3 + 1, -2]] = False
    failed[chosen[FLAKY:], since:] = True
    return failed, since


def _waivers() -> tuple[list[Waiver], list[Waiver]]:
    """In force: one that covers failures and one that never does. Over: one whose step fails again."""
    later = date(2099, 12, 31)
    used, unused = Waiver("fan", "loud", "alice", later, line=2), Waiver("burn", "spare", "bob", later, line=3)
    return [used, unused], [Waiver("psu", "RMA 1", "carol", date(2026, 5, 1), line=4)]


def stored(path: Path, made: World) -> str:
    """Write a world into a new store; returns the id of its last run."""
    store = connect_store(f"sqlite:///{path}")
    try:
        for run in range(made.runs):
            with store.begin() as connection:
                for table, rows in _rows(made, run):
                    write_rows(connection, getattr(tables(), table), rows, are_new=True)
    finally:
        store.dispose()
    return _run_id(made.runs - 1)


def _run_id(run: int) -> str:
    return f"{FIRST_NIGHT + timedelta(days=run):%Y%m%d-%H%M%S}-aaaaaa"


def _host(place: int) -> str:
    return f"h{place:03}"


def _rows(made: World, run: int) -> Iterator[tuple[str, list[Any]]]:
    run_id, records = _run_id(run), [*_records(made, run)]
    in_force, over = made.waivers
    told = {"in_force": [one.to_data() for one in in_force], "over": [one.to_data() for one in over]}
    time = f"{FIRST_NIGHT + timedelta(days=run):%Y-%m-%dT%H:%M:%S.000000Z}"
    about = {"run_id": run_id, "test_id": "T-1", "recipe": "recipes/night.yml", "started": time, "ended": time,
             "status": "failed", "counts": "{}", "hosts": made.hosts, "journal": "", "journal_offset": 0, "next_seq": 1,
             "waivers": json.dumps(told)}  # fmt: skip
    yield "runs", [in_order(tables().runs, about)]
    yield "hosts", [(run_id, _host(place), json.dumps(own)) for place, own in enumerate(made.attributes)]
    yield "steps", [step_row(run_id, record, {"idx": 1}) for record in records]
    yield "measurements", [row for record in records for row in measurement_rows(run_id, record)]


def _records(made: World, run: int) -> Iterator[dict[str, Any]]:
    time = f"{FIRST_NIGHT + timedelta(days=run):%Y-%m-%dT%H:%M:%S.000000Z}"
    is_last = run == made.runs - 1
    covered = {"verdict": "failed", "reason": "loud", "by": [made.waivers[0][0].id]}
    for place in range(made.hosts):
        head = {"host": _host(place), "stage": 1, "started": time, "seconds": 0.01, "attempts": [ATTEMPT]}
        measured = [{"name": name, "value": float(made.values[number, place, run]), "unit": "W"}
                    for number, name in enumerate(METRICS)]  # fmt: skip
        yield {**head, "step": "burn", "measurements": measured, **_verdict(failed=False)}
        yield {**head, "step": "link", **_verdict(failed=is_last and place in made.failing)}
        inputs = "sha256:2" if place in made.renewed and run >= made.broken_since else "sha256:1"
        yield {**head, "step": "probe", "inputs": inputs, **_verdict(failed=bool(made.probes[place, run]))}
        fan = {"verdict": "waived", "reason": "waived", "waived": covered} if place < 3 else _verdict(failed=False)
        yield {**head, "step": "fan", **fan}
        yield {**head, "step": "psu", **_verdict(failed=is_last and place == 7)}


def _verdict(*, failed: bool) -> dict[str, Any]:
    return {"verdict": "failed", "reason": "bad"} if failed else {"verdict": "passed", "reason": ""}


@dataclass(frozen=True)
class Named:
    """What was named in one world, by kind: things of the same form as those that were put in."""

    changes: frozenset[tuple[Series, int]]
    drifts: frozenset[Series]
    alarms: frozenset[tuple[int, str]]
    outliers: frozenset[tuple[int, str]]
    causes: tuple[frozenset[str], ...]
    flakes: frozenset[int]
    waivers: frozenset[str]
    others: int = 0


def analysed(made: World) -> Named:
    """What our analysers name in a world, by its store alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.db"
        run_id = stored(path, made)
        store = connect_store(f"sqlite:///{path}")
        try:
            found = analyse_run(store, run_id, made.runs - 1)
        finally:
            store.dispose()
    return _named(found, {_run_id(run): run for run in range(made.runs)})


def _named(found: Sequence[Finding], places: Mapping[str, int]) -> Named:
    of = {kind: [one for one in found if one.kind == kind] for kind in {one.kind for one in found}}
    outliers = of.get("outlier", [])
    return Named(
        frozenset(
            ((one["name"], _model(one["whose"])), places[change["since"]])
            for each in of.get("change_point", []) for one in each.figures["measurements"] for change in one["changes"]
        ),
        frozenset((each.about["name"], _model(each.title)) for each in of.get("drift", [])),
        frozenset(pair for each in outliers if each.grade != NOTE for pair in _hosts_of(each)),
        frozenset(pair for each in outliers for pair in _hosts_of(each)),
        tuple(_names_of(each) for each in of.get("cause", []) if "attribute" in each.about or "host" in each.about),
        frozenset(int(each.about["host"][1:]) for each in of.get("flake", []) if "host" in each.about),
        frozenset(f"{each.about['step']}: {each.about['waiver']}" for each in of.get("waiver", [])),
        sum(len(of.get(kind, ())) for kind in ("link", "moved", "groups", "evidence", "baseline", "own", "derived")),
    )  # fmt: skip


def _model(words: str) -> str:
    return next((model for model in MODELS if f"model {model}" in words), "")


def _hosts_of(each: Finding) -> Iterator[tuple[int, str]]:
    for one in each.figures.get("hosts") or each.figures.get("measurements") or ():
        yield int(one.get("host", each.about.get("host", "h-1"))[1:]), one["name"]


def _names_of(each: Finding) -> frozenset[str]:
    """The value of the attribute, and the phrases of others that the same hosts share."""
    return frozenset([str(each.about.get("value", each.about.get("host"))), *each.about.get("same_hosts", ())])


# --- What was put in, and simple rules --------------------------------------------------------------------------------


def true_waivers(made: World) -> frozenset[str]:
    """The waivers of which something has to be said: all three."""
    return frozenset(f"{one.step}: {one.id}" for own in made.waivers for one in own)


Count = tuple[int, int, int]  # put in, found, false


def change_count(made: World, named: frozenset[tuple[Series, int]]) -> Count:
    """A change is found within two runs; a series with a change that is near none is false."""
    near = {series for series, since in named if abs(since - made.changes.get(series, -99)) <= NEAR}
    far = {series for series, since in named if abs(since - made.changes.get(series, -99)) > NEAR}
    return len(made.changes), len(near), len(far)


def set_count(true: frozenset[Any], named: frozenset[Any]) -> Count:
    """What is in both, and what was named beside it."""
    return len(true), len(true & named), len(named - true)


def cause_count(made: World, named: Sequence[frozenset[str]]) -> Count:
    """The leaf, by its name or among those that the same hosts share; any other cause is false."""
    hits = [own for own in named if made.leaf and any(made.leaf in words for words in own)]
    return bool(made.leaf), bool(hits), len(named) - len(hits)


def all_series() -> list[Series]:
    """Every measurement of each model."""
    return [(name, model) for name in METRICS for model in MODELS]


def by_rule(made: World) -> dict[str, dict[str, Count]]:
    """The counts of simple rules, by kind of finding and rule."""
    medians = {series: made.medians(series) for series in all_series()}
    last = {series: made.values[METRICS.index(series[0])][made.of_model(series[1]), -1] for series in all_series()}

    def changes(find: Any) -> Count:
        return change_count(made, frozenset((one, at) for one, values in medians.items() for at in find(values)))

    def drifts(find: Any) -> Count:
        return set_count(made.drifts, frozenset(one for one, values in medians.items() if find(values)))

    def outliers(find: Any) -> Count:
        places = {series: made.of_model(series[1]) for series in all_series()}
        found = {(places[one][at], one[0]) for one, values in last.items() for at in find(values)}
        return set_count(made.outliers, frozenset(found))

    bad = made.failing | frozenset(np.flatnonzero(made.probes[:, -1]).tolist()) | {7}
    groups: dict[str, dict[str, list[int]]] = {}
    for place, own in enumerate(made.attributes):
        for name, value in own.items():
            groups.setdefault(name, {}).setdefault(value, []).append(place)

    def causes(find: Any) -> Count:
        return cause_count(made, [frozenset([value]) for _name, value in find(frozenset(bad), made.hosts, groups)])

    both = frozenset(np.flatnonzero(made.probes.any(axis=1) & ~made.probes.all(axis=1)).tolist())
    return {
        "changes of level": {"z-score over 3": changes(rivals.z_score_shift), "10 % off": changes(rivals.fixed_shift)},
        "drift": {"least squares (5 %)": drifts(rivals.least_squares), "10 % off": drifts(rivals.fixed_drift)},
        "outliers": {"z-score over 3": outliers(rivals.z_score), "MAD z-score over 3.5": outliers(rivals.mad_z_score)},
        "causes": {"more than half of it fail": causes(rivals.half_fails),
                   "z-score over 3": causes(rivals.z_score_cause)},
        "flakes": {"both verdicts, whatever the input": set_count(made.flakes, both)},
    }  # fmt: skip


def ours(made: World) -> dict[str, dict[str, Count]]:
    """The counts of our analysers, by kind of finding."""
    named = analysed(made)
    return {
        "changes of level": {"ours": change_count(made, named.changes)},
        "drift": {"ours": set_count(made.drifts, named.drifts)},
        "outliers": {
            "ours, alarms": set_count(made.outliers, named.alarms),
            "ours, with notes": set_count(made.outliers, named.outliers),
        },
        "causes": {"ours": cause_count(made, named.causes)},
        "flakes": {"ours": set_count(made.flakes, named.flakes)},
        "waivers": {"ours": set_count(true_waivers(made), named.waivers)},
        "links, groups, moved parts, lost values": {"ours": (0, 0, named.others)},
    }
