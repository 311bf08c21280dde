# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands coverage and mutate.

What the last runs never tested, and wrong outputs that no criterion would notice.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.cli.terminal import format_table, printable
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    from rack_recipes.analysis.coverage import Coverage
    from rack_recipes.analysis.mutate_outputs import Mutant, StepCriteria, StepMutants
LAST = 20  # runs
NAMED = 5  # hosts in a line
Row = Mapping[str, Any]


@takes(
    """
    --last N  the last N runs (default: 20)
    --test ID=  of this test (default: that of the newest run)
    -i, --inventory PATH...  the inventory whose hosts should be covered (default: Ansible's own)
    --db URL
    examples:
    rack-recipes coverage
    rack-recipes coverage --test HALL-001 --last 50 --json
    """,
    last={"default": 20, "type": int},
)
def coverage(options: argparse.Namespace) -> Answer:
    """Show what the last runs of a test cover, and what they have never judged.

    For each step: on how many hosts it ran, on which only a cache had its result, on which it was planned and never
    ran, how often it failed, how many criteria were judged. Then the measurements that have no limit, and the hosts of
    the inventory that no run had.
    """
    from rack_recipes.analysis.coverage import coverage_of
    from rack_recipes.store.reading import recorded_runs

    if options.last < 1:
        raise UsageError(f"rack-recipes coverage: --last: expected a number of runs above 0, got {options.last}")
    with open_store(options) as store:
        runs = _chosen(recorded_runs.runs(store), options.test)[: options.last]
        found = coverage_of(store, [run["run_id"] for run in runs])
    absent, problem = _absent(
        options.inventory, {host for one in found.steps for host in (*one.hosts, *one.cached, *one.never)}
    )
    if options.json:
        return _coverage_data(runs, found, absent, problem), 0
    return "".join(_coverage_lines(runs, found, absent, problem)), 0


def _chosen(runs: Sequence[Row], test: str) -> list[Row]:
    """The runs of a test that count, the newest first. Raises UsageError where there are none."""
    from rack_recipes.store.reading.earlier_runs import counts

    found = [run for run in runs if counts(run)]
    test_id = test or (found[0]["test_id"] if found else None)
    chosen = [run for run in found if run["test_id"] == test_id]
    if not chosen:
        raise UsageError(
            f"there are no runs of the test {test!r} in the store" if test else "there are no runs in the store"
        )
    return chosen


def _absent(inventories: Sequence[str], hosts: set[str]) -> tuple[list[str], str]:
    """The hosts of the inventory that no run had, and why they are not known."""
    from rack_recipes.cli.inventory_hosts import inventory_hosts

    found = inventory_hosts(inventories, None, ["all"])
    return [host for host in found.of("all") if host not in hosts], found.problem


def _coverage_data(runs: Sequence[Row], found: Coverage, absent: Sequence[str], problem: str) -> dict[str, Any]:
    steps = [
        {
            "step": one.step,
            "results": one.results,
            "failed": one.failed,
            "checks": one.checks,
            "hosts": [*one.hosts],
            "cached_on": [*one.cached],
            "never_on": [*one.never],
        }
        for one in found.steps
    ]
    return {
        "test_id": runs[0]["test_id"],
        "runs": [run["run_id"] for run in runs],
        "steps": steps,
        "without_limit": [one._asdict() for one in found.unlimited],
        "never_failed": [one.step for one in found.never_failed],
        "without_criterion": [one.step for one in found.unchecked],
        "hosts_without_run": [*absent],
        **({"problem": problem} if problem else {}),
    }


def _named(hosts: Sequence[str]) -> str:
    return first_few([host or "the run" for host in hosts], NAMED)


def _coverage_lines(runs: Sequence[Row], found: Coverage, absent: Sequence[str], problem: str) -> Iterator[str]:
    from rack_recipes.analysis.findings import the_last

    yield printable(f"{runs[0]['test_id'] or 'runs without a test'}: {the_last(len(runs), 'run')}") + "\n"
    rows = [
        (
            one.step,
            len(one.hosts),
            one.results,
            one.failed or ("never" if one.results else ""),
            one.checks or ("none" if one.results else ""),
            _named(one.cached),
            _named(one.never),
        )
        for one in found.steps
    ]
    yield format_table(
        ("step", "hosts", "results", "failed", "criteria judged", "only cached on", "never run on"), rows
    )
    if found.unlimited:
        yield "\nwithout a limit:\n"
        yield format_table(
            ("measurement", "unit", "step", "values"), [(o.name, o.unit, o.step, o.values) for o in found.unlimited]
        )
    if problem:
        yield f"\nhosts of the inventory: {printable(problem)}\n"
    elif absent:
        yield f"\nhosts of the inventory that no run had: {printable(first_few(absent, 2 * NAMED))}\n"


LONGEST = 40  # characters of a value


@takes(
    """
    [RUN]
    --step STEP=  only the outputs of this step
    --db URL
    examples:
    rack-recipes mutate
    rack-recipes mutate 20261125-14 --step link_errors --json
    """
)
def mutate(options: argparse.Namespace) -> Answer:
    """Show which wrong outputs of a run's steps no criterion would notice. Nothing is run, and no host is contacted.

    Each output that a run has stored is changed in turn: a number doubled, halved, negated, one more, one less, 0; a
    text changed or emptied; a key removed; null. Then the criteria are judged again as on a host: those of the step,
    and those of other steps that name the key. What all of them let pass is listed. The outputs are those of the first
    host on which a step passed, the criteria those of the recipe as it was when the run began.
    """
    from rack_recipes import settings
    from rack_recipes.analysis.mutate_outputs import mutate as changed
    from rack_recipes.analysis.run_data import load_run_data
    from rack_recipes.store.reading import recorded_runs

    with open_store(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        run = load_run_data(store, run_id)
        parts = [part["run_id"] for part in recorded_runs.parts(store, run_id)]
        criteria = _criteria(Path(settings.load().runs), str(run.run["recipe"] or ""), [run_id, *parts])
        found = changed(run, recorded_runs.history(store, run_id), criteria)
    if options.step:
        found = [step for step in found if options.step in (step.step, run.planned(step.step))]
        if not found:
            raise UsageError(
                f"run {run_id} has no step {options.step!r}: there are {', '.join(c.name for c in criteria)}"
            )
    return _mutants_data(run_id, found) if options.json else "".join(_mutant_lines(found)), 0


def _criteria(runs: Path, recipe: str, run_ids: Sequence[str]) -> list[StepCriteria]:
    """What the steps of the recipe check, as it was when the run began: the first of these runs that has kept it.

    `runs` is the folder of runs. Raises UsageError where nothing is kept.
    """
    from rack_recipes.analysis.mutate_outputs import StepCriteria
    from rack_recipes.recipe.load import load
    from rack_recipes.recipe.steps_to_and_from_data import to_data
    from rack_recipes.run.run_folders import BEGUN, RECIPES

    folders = [runs / run_id / BEGUN / RECIPES for run_id in run_ids]
    path = next((kept for folder in folders if (kept := _kept(folder, recipe))), None)
    if path is None:
        where = f"{folders[0]}{', nor in the folders of its parts' if len(folders) > 1 else ''}"
        raise UsageError(f"the recipe of run {run_ids[0]} is not in {where}: without it nobody knows its criteria")
    found = []
    for step in load(str(path)).steps:
        data = to_data(step)
        success = data.get("success") or {}
        plain = {"none": True} if success == "none" else json.loads(json.dumps(success))
        found.append(StepCriteria(step.name, plain, step.scope, data.get("loop"), data.get("matrix") or {}))
    return found


def _kept(folder: Path, recipe: str) -> Path | None:
    """The recipe as a run has kept it in this folder; None where it is not there."""
    if recipe and (folder / recipe).is_file():
        return folder / recipe
    return next((file for file in sorted(folder.rglob("0-*")) if file.is_file()), None)  # a recipe from elsewhere


def _mutants_data(run_id: str, found: Sequence[StepMutants]) -> dict[str, Any]:
    steps = [
        {
            "step": step.step,
            "host": step.host,
            "mutants": len(step.mutants),
            "noticed": step.noticed,
            **({"problem": step.problem} if step.problem else {}),
            "unnoticed": [_mutant(mutant) for mutant in step.mutants if not mutant.is_noticed],
        }
        for step in found
    ]
    return {"run": run_id, **_score(found), "steps": steps}


def _mutant(mutant: Mutant) -> dict[str, Any]:
    told = {"kind": mutant.kind, "name": mutant.name, "what": mutant.what}
    return {**told, "before": mutant.before, "after": mutant.after}


def _score(found: Sequence[StepMutants]) -> dict[str, Any]:
    mutants, noticed = sum(len(step.mutants) for step in found), sum(step.noticed for step in found)
    return {"mutants": mutants, "noticed": noticed, "score": round(noticed / mutants, 4) if mutants else None}


def _mutant_lines(found: Sequence[StepMutants]) -> Iterator[str]:
    rows = [(step.step, step.host or "run", f"{step.noticed} of {len(step.mutants)}", step.problem) for step in found]
    yield format_table(("step", "outputs of", "noticed", ""), rows)
    for step in found:
        missed = _gathered(step)
        if missed:
            yield f"\n{printable(step.step)}: nobody would notice\n"
            yield format_table(("output", "changed by"), missed)
    score = _score(found)
    if score["score"] is not None:
        yield f"\n{score['noticed']} of {score['mutants']} changes would be noticed: {100 * score['score']:.0f} %\n"


def _gathered(step: StepMutants) -> list[tuple[str, str]]:
    """The unnoticed changes of each output in one row, with its value in the run."""
    found: dict[str, list[Mutant]] = {}
    for mutant in step.mutants:
        if not mutant.is_noticed:
            found.setdefault(mutant.name, []).append(mutant)
    return [(f"{name} = {_short(own[0].before)}", ", ".join(one.what for one in own)) for name, own in found.items()]


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
