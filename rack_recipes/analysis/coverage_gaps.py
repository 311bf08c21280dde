# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this run and its earlier runs have never judged: places where a step never ran, values without a limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import few
from rack_recipes.analysis.coverage_of_runs import Coverage, StepCoverage, coverage_with
from rack_recipes.analysis.findings import NOTE, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.wording import plural

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
    coverage = Coverage(
        [step for step in found.steps if step.step in here], [one for one in found.unlimited if one.step in here]
    )
    if len(runs) > 1:
        yield from _never_run(coverage.never_run, len(runs))
    yield from _unchecked(coverage.unchecked)
    yield from _unlimited(coverage)
    if len(runs) >= ENOUGH_RUNS:
        yield from _never_failed(coverage.never_failed, len(runs))


def _looked_at(run: RunData, history: History) -> list[str]:
    """The run itself and as many of the last runs as have not too many results together."""
    room = MOST_COUNTED - len(run.results)
    found = [str(run.run["run_id"])]
    for one in reversed(history.runs):
        room -= sum((one.get("counts") or {}).values())
        if room < 0:
            break
        found.append(str(one["run_id"]))
    return found


def _never_run(steps: Sequence[StepCoverage], runs: int) -> Iterator[Finding]:
    places = [ResultId(host, step.step) for step in steps for host in step.never]
    if places:
        title = f"In {plural(runs, 'run')} never run where it was planned: "
        named = few([f"{one.step} on {few(one.never, 3)}" for one in steps], SHOWN)
        yield Finding(
            KIND, NOTE, f"{title}{named}", tuple(places[:MOST_RESULTS]),
            "Look at why it is skipped, blocked or unreachable there each time.",
            {"runs": runs, "places": len(places)}, method=METHOD,
        )  # fmt: skip


def _unchecked(steps: Sequence[StepCoverage]) -> Iterator[Finding]:
    if steps:
        number = plural(len(steps), "step judges", "steps judge")
        yield Finding(
            KIND, NOTE, f"{number} nothing: {few([one.step for one in steps], SHOWN)}",
            tuple(ResultId(one.hosts[0], one.step) for one in steps[:MOST_RESULTS]),
            "Give them success criteria, where something can be wrong.", {"steps": len(steps)}, method=METHOD,
        )  # fmt: skip


def _unlimited(coverage: Coverage) -> Iterator[Finding]:
    found = coverage.unlimited
    if found:
        hosts = {one.step: one.hosts for one in coverage.steps}
        number = plural(len(found), "measurement has", "measurements have")
        places = [ResultId(hosts[one.step][0], one.step, one.name) for one in found if hosts.get(one.step)]
        yield Finding(
            KIND, NOTE, f"{number} no limit: {few([f'{one.name} of {one.step}' for one in found], SHOWN)}",
            tuple(places[:MOST_RESULTS]), "Give them limits; rack-recipes rejudge tries limits on what is stored.",
            {"measurements": len(found)}, method=METHOD,
        )  # fmt: skip


def _never_failed(steps: Sequence[StepCoverage], runs: int) -> Iterator[Finding]:
    judging = [one for one in steps if one.checks]
    if judging:
        number = plural(len(judging), "step with criteria has", "steps with criteria have")
        yield Finding(
            KIND, NOTE, f"{number} never failed in {runs} runs: {few([one.step for one in judging], SHOWN)}",
            tuple(ResultId(one.hosts[0], one.step) for one in judging[:MOST_RESULTS]),
            "That may be good hardware or criteria that notice nothing: rack-recipes mutate tells which.",
            {"steps": len(judging), "runs": runs}, method=METHOD,
        )  # fmt: skip
