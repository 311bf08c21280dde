# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runs of a test cover, and what none of them has ever judged.

Places where a step never ran, values without a limit.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, compress
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS, RAN, VERDICTS, WAIVED
from rack_recipes.analysis.findings import NOTE, Finding, ResultId, format_count
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData
from rack_recipes.store.reading.earlier_runs import runs_within
from rack_recipes.store.reading.recorded_runs import measurements
from rack_recipes.store.reading.several_runs import Counted, measurements_by_name, results_by_verdict

if TYPE_CHECKING:
    from sqlalchemy import Engine
Row = Mapping[str, Any]
TRIED = frozenset(name for name in RAN if VERDICTS[name].tried)
CACHED = "cached"
OF_RUN = ""  # stands for the run in place of a host
BAD = frozenset(VERDICTS) - HARMLESS - {"blocked", "unreachable"} | {WAIVED}


class Unlimited(NamedTuple):
    """A measurement of a step that no criterion has ever judged, and how many values there are."""

    step: str
    name: str
    unit: str
    values: int


@dataclass(frozen=True, slots=True)
class StepCoverage:
    """One planned step over the runs: `results` of it ran, `failed` of these failed, `checks` criteria were judged.

    `hosts` are those on which it ran, `cached` those on which no run did more than to use an earlier result again, and
    `never` those for which it was planned and had no result.
    """

    step: str
    results: int
    failed: int
    checks: int
    hosts: Sequence[str]
    never: Sequence[str]
    cached: Sequence[str]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The steps, and the measurements without a limit; by name."""

    steps: Sequence[StepCoverage]
    unlimited: Sequence[Unlimited]

    @property
    def never_run(self) -> list[StepCoverage]:
        """The steps that never ran on some of their hosts."""
        return [step for step in self.steps if step.never]

    @property
    def never_failed(self) -> list[StepCoverage]:
        """The steps that ran and never failed."""
        return [step for step in self.steps if step.results and not step.failed]

    @property
    def unchecked(self) -> list[StepCoverage]:
        """The steps that ended well and in which no criterion was ever judged; an error ends before that."""
        return [step for step in self.steps if step.results > step.failed and not step.checks]


def coverage_of(engine: Engine, run_ids: Sequence[str]) -> Coverage:
    """What these runs cover, the newest first. Raises StoreError."""
    found = coverage_from_counts(results_by_verdict(engine, run_ids), measurements_by_name(engine, run_ids))
    newest = measurements(engine, run_ids[0], brief=True) if found.unlimited else ()
    told = judged_by_other_names(found.unlimited, newest)
    return replace(found, unlimited=[one for one in found.unlimited if one not in told])


def coverage_with(run: RunData, engine: Engine, run_ids: Collection[str]) -> Coverage:
    """What a run that is loaded covers together with some other runs. Raises StoreError."""
    own = (
        (row.get("parent") or row["step"], row["host"], row["verdict"], 1, row.get("checks") or 0)
        for row in run.steps
        if row.get("instances") is None
    )
    counted = chain(_measurements(run), measurements_by_name(engine, run_ids))
    return Coverage(_steps(chain(own, results_by_verdict(engine, run_ids))), _unlimited(counted))


def coverage_from_counts(results: Iterable[Counted], counted: Iterable[Row]) -> Coverage:
    """The coverage that these counts stand for, as store/reading/several_runs.py returns them."""
    return Coverage(_steps(results), _unlimited(counted))


def _measurements(run: RunData) -> Iterator[Row]:
    """The measurements of a run, counted as store/reading/several_runs.py does it for others."""
    places = [(row["step"], row["name"], row.get("unit")) for row in run.measurements]
    with_verdict = (row.get("verdict") is not None for row in run.measurements)
    judged = Counter(compress(places, with_verdict))
    for place, number in Counter(places).items():
        yield {**dict(zip(("step", "name", "unit"), place, strict=True)), "number": number, "judged": judged[place]}


@dataclass(slots=True)
class _Counts:
    """What is counted of a step; `ran` are the hosts on which it ran, `reused` those with a result of a cache."""

    results: int = 0
    failed: int = 0
    checks: int = 0
    ran: set[str] = field(default_factory=set)
    reused: set[str] = field(default_factory=set)
    planned: set[str] = field(default_factory=set)


def _steps(results: Iterable[Counted]) -> list[StepCoverage]:
    """The steps by name."""
    alike: dict[tuple[str, str], list[Counted]] = defaultdict(list)
    for row in results:
        alike[row[0], row[2]].append(row)
    counts: dict[str, _Counts] = defaultdict(_Counts)
    for (step, verdict), rows in alike.items():
        found, hosts = counts[step], {row[1] for row in rows}
        found.planned |= hosts
        found.checks += sum(row[4] for row in rows)
        if verdict in TRIED:
            number = sum(row[3] for row in rows)
            found.ran |= hosts
            found.results += number
            found.failed += number if verdict in BAD else 0
        elif verdict == CACHED:
            found.reused |= hosts
    return [_covered(name, one) for name, one in sorted(counts.items())]


def _covered(name: str, one: _Counts) -> StepCoverage:
    # What has run for the whole run, as a step between hosts, is missing on no host.
    never = set() if OF_RUN in one.ran else one.planned - one.ran - one.reused
    cached = one.reused - one.ran
    return StepCoverage(name, one.results, one.failed, one.checks, sorted(one.ran), sorted(never), sorted(cached))


def _unlimited(counted: Iterable[Row]) -> list[Unlimited]:
    """By planned step; a value that some criterion has judged under the same name is not among them."""
    numbers: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in counted:
        found = numbers[_planned(row["step"]), row["name"], row["unit"] or ""]
        found[0] += row["number"]
        found[1] += row["judged"]
    return [Unlimited(*place, values) for place, (values, judged) in sorted(numbers.items()) if not judged]


def judged_by_other_names(found: Sequence[Unlimited], rows: Iterable[Row]) -> set[Unlimited]:
    """Those whose number a criterion of the step judges under another name: `disk` judges `disk_used`.

    That is so where a judged measurement of the same step and unit has the same value on each host, and a fraction or a
    name with no other words: two counts are soon alike by chance. `rows` are the measurements of one run.
    """
    wanted = {(one.step, one.name, one.unit): one for one in found}
    steps = {one.step for one in found}
    values: dict[tuple[str, str, str], dict[tuple[str, str], object]] = defaultdict(dict)
    judged: dict[tuple[str, str], dict[str, dict[tuple[str, str], object]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        step, unit = _planned(row["step"]), row["unit"] or ""
        if step in steps:
            of = values[step, row["name"], unit] if row["verdict"] is None else judged[step, unit][row["name"]]
            of[row["host"], row["step"]] = row["value"]
    return {
        one
        for place, one in wanted.items()
        if (own := values.get(place))
        for name, others in judged[one.step, one.unit].items()
        if all(cell in others and others[cell] == value for cell, value in own.items())
        and (any(isinstance(value, float) and value % 1 for value in own.values()) or _words(name) <= _words(one.name))
    }


def _words(name: str) -> set[str]:
    return {*WORD.findall(name.lower())}


def _planned(step: str) -> str:
    """The looped step of an instance, by the form of its name."""
    return step.partition("[")[0] if step.endswith("]") else step


WORD = re.compile(r"[a-z]+|\d+")
KIND = "coverage"
SHOWN = 5  # names in a sentence
MOST_RESULTS = 20  # of a finding
MOST_COUNTED = 200_000  # results: counting these takes a third of a second
ENOUGH_RUNS = 10  # after which it is told that a step has never failed
METHOD = "a count over the stored results of this run and its earlier runs; no statistics"


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """Yield findings of the kind `coverage`. Raises StoreError."""
    runs = _looked_at(run, history)
    found = coverage_with(run, history.engine, runs[1:])
    here = {
        run.planned(step) for step in {row["step"] for row in run.steps}
    }  # what an older recipe had is of no interest
    unlimited = [one for one in found.unlimited if one.step in here]
    told = judged_by_other_names(unlimited, run.measurements)
    coverage = Coverage(
        [step for step in found.steps if step.step in here], [one for one in unlimited if one not in told]
    )
    if len(runs) > 1:
        yield from _never_run(coverage.never_run, len(runs))
    yield from _unchecked(coverage.unchecked)
    yield from _unlimited_findings(coverage)
    if len(runs) >= ENOUGH_RUNS:
        yield from _never_failed(coverage.never_failed, len(runs))


def _looked_at(run: RunData, history: History) -> list[str]:
    """The run itself and as many of the last runs as have not too many results together."""
    earlier = runs_within(MOST_COUNTED - len(run.results), history.runs)
    return [str(one["run_id"]) for one in (run.run, *reversed(earlier))]


def _never_run(steps: Sequence[StepCoverage], runs: int) -> Iterator[Finding]:
    places = [ResultId(host, step.step) for step in steps for host in step.never]
    if places:
        title = f"In {format_count(runs, 'run')} never run where it was planned: "
        named = first_few([f"{one.step} on {first_few(one.never, 3)}" for one in steps], SHOWN)
        yield Finding(
            KIND, NOTE, f"{title}{named}", tuple(places[:MOST_RESULTS]),
            "Look at why it is skipped, blocked or unreachable there each time.",
            {"runs": runs, "places": len(places)}, method=METHOD,
        )  # fmt: skip


def _unchecked(steps: Sequence[StepCoverage]) -> Iterator[Finding]:
    if steps:
        number = format_count(len(steps), "step judges", "steps judge")
        yield Finding(
            KIND, NOTE, f"{number} nothing: {first_few([one.step for one in steps], SHOWN)}",
            tuple(ResultId(one.hosts[0], one.step) for one in steps[:MOST_RESULTS]),
            "Give them success criteria, where something can be wrong.", {"steps": len(steps)}, method=METHOD,
        )  # fmt: skip


def _unlimited_findings(coverage: Coverage) -> Iterator[Finding]:
    found = coverage.unlimited
    if found:
        hosts = {one.step: one.hosts for one in coverage.steps}
        number = format_count(len(found), "measurement has", "measurements have")
        places = [ResultId(hosts[one.step][0], one.step, one.name) for one in found if hosts.get(one.step)]
        yield Finding(
            KIND, NOTE, f"{number} no limit: {first_few([f'{one.name} of {one.step}' for one in found], SHOWN)}",
            tuple(places[:MOST_RESULTS]), "Give them limits; rack-recipes rejudge tries limits on what is stored.",
            {"measurements": len(found)}, method=METHOD,
        )  # fmt: skip


def _never_failed(steps: Sequence[StepCoverage], runs: int) -> Iterator[Finding]:
    judging = [one for one in steps if one.checks]
    if judging:
        number = format_count(len(judging), "step with criteria has", "steps with criteria have")
        yield Finding(
            KIND, NOTE, f"{number} never failed in {runs} runs: {first_few([one.step for one in judging], SHOWN)}",
            tuple(ResultId(one.hosts[0], one.step) for one in judging[:MOST_RESULTS]),
            "That may be good hardware or criteria that notice nothing: rack-recipes mutate tells which.",
            {"steps": len(judging), "runs": runs}, method=METHOD,
        )  # fmt: skip
