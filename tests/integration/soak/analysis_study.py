# SPDX-License-Identifier: GPL-3.0-or-later

"""The seeded study of the methods of analysis: what they find, miss and say falsely, beside simple rules.

Each function makes one table. `docs/analysis.json` has their figures, and `docs/study.md` shows them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import analysis_nights
import analysis_time_study
import analysis_twins_study
import numpy as np

import analysis_rivals as rivals
import analysis_worlds as worlds
from rack_recipes.analysis.methods import causes, change_points_and_trends, intervals_and_multiple_tests, outliers
from rack_recipes.analysis.methods.change_points_and_trends import ChangePoint, Trend
from rack_recipes.analysis.values_over_runs import OverRuns, Series, drop_drift, trend_of

DATA = Path(__file__).with_name("analysis_data")
CHECKOUT = Path(__file__).parents[3]
FIGURES = CHECKOUT / "docs" / "analysis.json"
PAGE = CHECKOUT / "docs" / "study.md"
START, END = "<!-- made by `make soak`: start -->", "<!-- made by `make soak`: end -->"
RUNS = worlds.RUNS
NEAR = 2  # runs between a change and where it is said to be


@dataclass(frozen=True)
class Table:
    """One table of the page."""

    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


Finder = Callable[[worlds.Array], list[int]]
SHIFT_COLUMNS = ("noise", "method", "put in", "found", "missed", "false")


def _near(place: int, planted: int) -> bool:
    return abs(place - planted) <= NEAR


def _shift_counts(history: worlds.History, found: Sequence[Iterable[int]]) -> tuple[int, int, int, int]:
    """Put in, found, missed; and the hosts with an alarm that is near nothing that was put in."""
    planted = {host: place for host, (place, _size) in history.planted.items()}
    hits = sum(any(_near(place, planted[host]) for place in found[host]) for host in planted)
    far = [[place for place in own if not _near(place, planted.get(host, -RUNS))] for host, own in enumerate(found)]
    return len(planted), hits, len(planted) - hits, sum(map(bool, far))


def _together(values: worlds.Array) -> list[list[int]]:
    """Our own search over all hosts at once."""
    found = change_points_and_trends.find_in_many({str(host): row for host, row in enumerate(values)})
    return [[change.place for change in found.get(str(host), ())] for host in range(len(values))]


def _alone(values: worlds.Array) -> list[list[int]]:
    found = (change_points_and_trends.find_change_points(row, str(host)) for host, row in enumerate(values))
    return [[change.place for change in changes] for changes in found]


def _each(find: Finder) -> Callable[[worlds.Array], list[list[int]]]:
    return lambda values: [find(row) for row in values]


SHIFT_METHODS = {
    "ours, all hosts together (5 % of what is named)": _together,
    "ours, each host alone (1 %)": _alone,
    "z-score over 3": _each(rivals.z_score_shift),
    "10 % off": _each(rivals.fixed_shift),
    "ruptures: PELT": _each(rivals.pelt),
}
OTAVA = "Otava 0.8.0, frozen answers"


def otava(noise: str) -> tuple[worlds.History, list[list[int]]]:
    """The history that Otava was asked about, and its answers. Raises ValueError if the history is another one now."""
    frozen = json.loads((DATA / "otava.json").read_text())
    history, answer = worlds.shifted(frozen["seed"], noise), frozen["answers"][noise]
    if history.digest() != answer["digest"]:
        raise ValueError("numpy makes other random numbers now: ask Otava again, as ask_otava.py says")
    return history, answer["changes"]


def shifts(seed: int, hosts: int = worlds.HOSTS, noises: Iterable[str] = (*worlds.NOISES,)) -> Table:
    """Changes of level in a tenth of the hosts."""
    rows = []
    for noise in noises:
        history = worlds.shifted(seed, noise, hosts)
        rows += [(noise, name, *_shift_counts(history, find(history.values))) for name, find in SHIFT_METHODS.items()]
    about = (
        f"{hosts} hosts x {RUNS} runs for each noise; a tenth of the hosts is 2, 3 or 4 deviations higher or lower "
        "from some run on. Found: within 2 runs. False: hosts with an alarm that is near no change."
    )
    return Table("Changes of level", about, SHIFT_COLUMNS, rows)


def shifts_beside_otava() -> Table:
    """The same on the histories that Otava was asked about."""
    rows = []
    for noise in worlds.NOISES:
        history, answers = otava(noise)
        ours = {name: find(history.values) for name, find in list(SHIFT_METHODS.items())[:2]}
        rows += [(noise, name, *_shift_counts(history, found)) for name, found in (ours | {OTAVA: answers}).items()]
    about = (
        "Other histories of the same kind, always with the seed 1: the answers of Apache Otava are frozen, since it "
        "pins its own versions of numpy and 45 other packages (`tests/integration/soak/ask_otava.py`)."
    )
    return Table("Changes of level, beside Otava", about, SHIFT_COLUMNS, rows)


def _trend(values: worlds.Array, host: int) -> bool:
    trend = change_points_and_trends.find_trend(values, str(host))
    return trend is not None and not trend.why_not


DRIFT_METHODS: dict[str, Callable[[worlds.Array, int], bool]] = {
    "ours (5 %)": _trend,
    "least squares (5 %)": lambda values, _host: rivals.least_squares(values),
    "10 % off": lambda values, _host: rivals.fixed_drift(values),
}


def drifts(seed: int, hosts: int = worlds.HOSTS, noises: Iterable[str] = (*worlds.NOISES,)) -> Table:
    """Slow drift of a tenth of the hosts."""
    rows = []
    for noise in noises:
        history = worlds.drifting(seed, noise, hosts)
        for name, find in DRIFT_METHODS.items():
            found = {host for host, values in enumerate(history.values) if find(values, host)}
            hits = len(found & history.planted.keys())
            rows.append((noise, name, len(history.planted), hits, len(history.planted) - hits, len(found) - hits))
    about = f"{hosts} hosts x {RUNS} runs for each noise; a tenth of the hosts drifts by .05 deviations a run."
    return Table("Drift", about, SHIFT_COLUMNS, rows)


def _judged(fleets: Sequence[worlds.Fleet], *, history: bool) -> list[list[outliers.Outcome]]:
    """Our outcomes for each fleet's classes. All are judged together, as the measurements of one run are."""
    groups = [
        outliers.Twins(fleet.runs[-1, part], fleet.runs[:-1, part] if history else None)
        for fleet in fleets
        for part in fleet.classes
    ]
    found = outliers.judge_groups(groups)
    size = len(worlds.SIZES)
    return [found[at : at + size] for at in range(0, len(found), size)]


def _named(fleet: worlds.Fleet, outcomes: Sequence[outliers.Outcome], *, alarms: bool) -> set[int]:
    return {
        part.start + outlier.place
        for part, outcome in zip(fleet.classes, outcomes, strict=True)
        for outlier in outcome.outliers
        if not alarms or (outcome.is_alarm and outlier.beyond_history is not False)
    }


def _by_rule(fleet: worlds.Fleet, find: Finder) -> set[int]:
    return {part.start + place for part in fleet.classes for place in find(fleet.runs[-1, part])}


def twins(seed: int, measurements: int = 60, noises: Iterable[str] = (*worlds.NOISES_OF_TWINS,)) -> Table:
    """Hosts that differ from their twins in the last run."""
    rows = []
    for noise in noises:
        fleets = [worlds.twins(seed, noise, number) for number in range(measurements)]
        known, alone = _judged(fleets, history=True), _judged(fleets, history=False)
        named = {
            "ours, alarms, 20 earlier runs": [_named(*pair, alarms=True) for pair in zip(fleets, known, strict=True)],
            "ours, alarms, no earlier run": [_named(*pair, alarms=True) for pair in zip(fleets, alone, strict=True)],
            "ours, with notable ones": [_named(*pair, alarms=False) for pair in zip(fleets, alone, strict=True)],
            "z-score over 3": [_by_rule(fleet, rivals.z_score) for fleet in fleets],
            "MAD z-score over 3.5": [_by_rule(fleet, rivals.mad_z_score) for fleet in fleets],
            "10 % off": [_by_rule(fleet, rivals.fixed_outlier) for fleet in fleets],
        }
        planted = [fleet.planted for fleet in fleets]
        number = sum(map(len, planted))
        for name, found in named.items():
            hits = sum(len(own & true) for own, true in zip(found, planted, strict=True))
            rows.append((noise, name, number, hits, number - hits, sum(map(len, found)) - hits))
    about = (
        f"{measurements} measurements of 200 hosts in classes of 40, 20 and 8, each with its own level and spread. In "
        "every second measurement one host is 8 deviations off; among long tails that is nothing unusual. False: of "
        f"all {measurements * worlds.HOSTS} values."
    )
    return Table("Outliers among twins", about, SHIFT_COLUMNS, rows)


def _ours_causes(failing: frozenset[int], hosts: int, attributes: worlds.Attributes) -> list[set[tuple[str, str]]]:
    return [{*map(tuple, cause.names)} for cause in causes.find_causes(failing, range(hosts), attributes)]


def _one_by_one(find: Callable[..., rivals.Named]) -> Callable[..., list[set[tuple[str, str]]]]:
    return lambda *arguments: [{name} for name in find(*arguments)]


def _same_hosts(world: worlds.Failures) -> set[tuple[str, str]]:
    """What was put in, and all that the very same hosts share."""
    groups = {(name, value): set(hosts) for name, own in world.attributes.items() for value, hosts in own.items()}
    return {name for name, hosts in groups.items() if any(hosts == groups[true] for true in world.planted)}


CAUSE_METHODS = {
    "ours": _ours_causes,
    "more than half of it fail": _one_by_one(rivals.half_fails),
    "z-score over 3": _one_by_one(rivals.z_score_cause),
}


def planted_causes(seed: int, count: int = 100) -> Table:
    """What failing hosts have in common."""
    rows = []
    for cause in worlds.CAUSES:
        made = [worlds.failures(seed, cause, number) for number in range(count)]
        for name, find in CAUSE_METHODS.items():
            told = [find(world.failing, worlds.HOSTS, world.attributes) for world in made]
            pairs = list(zip(made, told, strict=True))
            number = sum(len(world.planted) for world in made)
            hits = sum(any(true in names for names in own) for world, own in pairs for true in world.planted)
            false = sum(not names & _same_hosts(world) for world, own in pairs for names in own)
            rows.append((cause, name, number, hits, number - hits, false))
    about = (
        f"{count} runs of 200 hosts for each line. A firmware belongs to a NIC, so simple rules name the NIC too. "
        "False: causes named that nobody put in; a rack with the hosts of the leaf is not false."
    )
    return Table("Causes of failures", about, ("put in", "method", "causes", "found", "missed", "false"), rows)


def _fails_now(failed: worlds.Array) -> int:
    """How many of the last runs failed, in a row."""
    return int((~failed[::-1]).argmax()) if not failed.all() else len(failed)


def is_flake(failed: worlds.Array, inputs: worlds.Array) -> bool:
    """Both verdicts on one input, and not a row of failures that is too long for how often it failed before."""
    before = failed[: len(failed) - _fails_now(failed)]
    likely = intervals_and_multiple_tests.clopper_pearson(int(before.sum()), len(before)).high if len(before) else 1.0
    both = any(0 < failed[inputs == value].mean() < 1 for value in np.unique(inputs))
    return both and not intervals_and_multiple_tests.is_broken(len(failed) - len(before), likely)


FLAKE_METHODS: dict[str, Callable[[worlds.Array, worlds.Array], bool]] = {
    "ours": is_flake,
    "both verdicts, whatever the input": lambda failed, _inputs: bool(failed.any() and not failed.all()),
    "fails in 5 to 95 % of runs": lambda failed, _inputs: bool(0.05 <= failed.mean() <= 0.95),
}


def flakes(seed: int) -> Table:
    """Hosts whose step passes and fails on the same input."""
    made = worlds.verdicts(seed)
    true = {host for host, kind in enumerate(made.kinds) if kind == worlds.FLAKY}
    rows = []
    for name, find in FLAKE_METHODS.items():
        found = {host for host, failed in enumerate(made.failed) if find(failed, made.inputs)}
        rows.append((name, len(true), len(found & true), len(true - found), len(found - true)))
    bounds = [intervals_and_multiple_tests.clopper_pearson(int(made.failed[host].sum()), RUNS) for host in sorted(true)]
    held = sum(low <= made.rates[host] <= high for host, (low, high) in zip(sorted(true), bounds, strict=True))
    about = (
        f"{worlds.HOSTS} hosts x {RUNS} runs: 20 fail in 5 to 40 % of runs; 10 fail since their input changed and 10 "
        f"since some run, and are no flakes. The 95 % interval of the rate holds the true rate for {held} of the 20."
    )
    return Table("Flakes", about, ("method", "put in", "found", "missed", "false"), rows)


def nights(seed: int, count: int = 6, hosts: int = analysis_nights.HOSTS, runs: int = analysis_nights.RUNS) -> Table:
    """What all analysers of a report find in whole histories in a store, by kind."""
    counts: dict[tuple[str, str], list[analysis_nights.Count]] = {}
    for number in range(1, count + 1):
        made = analysis_nights.world(seed, number, hosts, runs)
        ours, simple = analysis_nights.ours(made), analysis_nights.by_rule(made)
        for kind, methods in ours.items():
            for name, count_of in (methods | simple.get(kind, {})).items():
                counts.setdefault((kind, name), []).append(count_of)
    rows = []
    for (kind, name), own in counts.items():
        number, hits, false = (sum(each[place] for each in own) for place in range(3))
        rows.append((kind, name, number, hits, number - hits, false))
    about = (
        f"{count} histories of {hosts} hosts x {runs} runs in a store, {len(analysis_nights.METRICS)} measurements, "
        "two models, normal noise. All analysers look at the last run, as for a report (`analyse_run`). Each history "
        "has changes of a model's level and drifts of it, hosts that are off in the last run, flakes beside probes "
        "that are broken or have other inputs, and waivers; every second one has a leaf on which 80 % of the hosts "
        f"fail. A change is {analysis_nights.SHIFT:g} W, where a model's median varies by about 1.2 W from run to run; "
        "each flake fails in the last run, or no report could name it. False are: series for changes and drifts, "
        "values of hosts for outliers, probes for flakes."
    )
    return Table("Whole reports", about, ("kind", "method", "put in", "found", "missed", "false"), rows)


def said_of(told: dict[str, Any], last: int = 0) -> tuple[Sequence[ChangePoint], Trend]:
    """The changes of level of a public series, or of its last values, and its trend: as `trend` tells them."""
    values = np.array(told["values"][-last:], dtype=float)
    times = np.arange(len(values), dtype=float)
    one = OverRuns(Series("", told["name"]), "", ["public"], range(len(values)), times, values, 0.0)
    changes = drop_drift(one, change_points_and_trends.find_change_points(values, told["name"]))
    trend = trend_of(one, changes)
    assert trend is not None
    return changes, trend


def public_series() -> Table:
    """What is said of series that nobody here made."""
    rows = []
    for path in sorted(DATA.glob("public_*.json")):
        told = json.loads(path.read_text())
        changes, trend = said_of(told)
        said = "; ".join(
            f"since {told['times'][change.place]}: {change.before:.6g} -> {change.after:.6g}, p = {change.p:.3f}"
            for change in changes
        )
        said = said or f"no change of level; {trend.why_not or f'a trend: {trend.slope:+.3g} a value'}"
        pelt = ", ".join(str(told["times"][place]) for place in rivals.pelt(np.array(told["values"], dtype=float)))
        source = f"{told['title']} ([source]({told['url']}), {told['licence']})"
        rows.append((source, told["known"], said, f"since {pelt}" if pelt else "none"))
    about = "Measured by others, long before this project. What is known of them is from the sources named."
    return Table("Public series", about, ("series", "what is known", "ours", "ruptures: PELT"), rows)


def _titled(title: str, make: Callable[[], analysis_twins_study.TableOfStudy]) -> Callable[[int], Table]:
    return lambda _seed: Table(title, *make())


MAKERS: Mapping[str, Callable[[int], Table]] = {
    "Changes of level": shifts,
    "Changes of level, beside Otava": lambda _seed: shifts_beside_otava(),
    "Drift": drifts,
    "Outliers among twins": twins,
    "Causes of failures": planted_causes,
    "Flakes": flakes,
    "Whole reports": nights,
    "Public series": lambda _seed: public_series(),
    "Over time": _titled("Over time", analysis_time_study.table_of_cases),
    "Shifts and drifts": _titled("Shifts and drifts", analysis_time_study.table_of_moves),
    "Twins and single values": _titled("Twins and single values", analysis_twins_study.table_of_cases),
    "Healthy runs": _titled("Healthy runs", analysis_twins_study.table_of_healthy_runs),
}


def write(seed: int, date: str, titles: Iterable[str] = MAKERS) -> None:
    """Make these tables of the study, and write the figures and the page after each; other tables stay as they are."""
    for title in titles:
        made = {**asdict(MAKERS[title](seed)), "made": date, "seed": seed}
        known = {table["title"]: table for table in json.loads(FIGURES.read_text())["tables"]} | {title: made}
        FIGURES.write_text(json.dumps({"tables": [known[one] for one in MAKERS if one in known]}, indent=1) + "\n")
        PAGE.write_text(page(PAGE.read_text(), json.loads(FIGURES.read_text())))


def page(text: str, figures: dict[str, Any]) -> str:
    """The page with the figures in it. Raises ValueError if it does not say where."""
    before, start, rest = text.partition(START)
    _old, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"docs/study.md needs the lines {START} and {END}")
    return f"{before}{START}\n\n{section(figures)}\n{END}{after}"


def section(figures: dict[str, Any]) -> str:
    """The tables as Markdown."""
    return "\n".join(_markdown(**table) for table in figures["tables"])


def _markdown(
    title: str, about: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], made: str, seed: int
) -> str:
    lines = (f"| {' | '.join(map(str, row))} |" for row in (columns, ["---"] * len(columns), *rows))
    with_seed = "" if "with the seed" in about else f" with the seed {seed}"
    return "\n".join([f"### {title}", "", f"{about} Made on {made[:10]}{with_seed}.", "", *lines, ""])


if __name__ == "__main__":  # analysis_study.py SEED [TITLE...]: these tables, or all
    write(int(sys.argv[1]), datetime.now(UTC).isoformat(timespec="seconds"), sys.argv[2:] or MAKERS)
