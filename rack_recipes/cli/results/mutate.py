# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `mutate`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples

if TYPE_CHECKING:
    from rack_recipes.analysis.mutate_outputs import Mutant, StepCriteria, StepMutants

LONGEST = 40  # characters of a value


def add_mutate(command: argparse.ArgumentParser) -> None:
    """Its options."""
    add_run(command)
    command.add_argument("--step", metavar="STEP", default="", help="only the outputs of this step")
    add_db(command)
    examples(command, "rack-recipes mutate", "rack-recipes mutate 20261125-14 --step link_errors --json")


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
    from rack_recipes.cli.results.open_store import opened, run_id_of
    from rack_recipes.errors import UsageError
    from rack_recipes.store.reading import recorded_runs

    with opened(options) as store:
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
    return _data(run_id, found) if options.json else "".join(_lines(found)), 0


def _criteria(runs: Path, recipe: str, run_ids: Sequence[str]) -> list[StepCriteria]:
    """What the steps of the recipe check, as it was when the run began: the first of these runs that has kept it.

    `runs` is the folder of runs. Raises UsageError where nothing is kept.
    """
    from rack_recipes.analysis.mutate_outputs import StepCriteria
    from rack_recipes.errors import UsageError
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


def _data(run_id: str, found: Sequence[StepMutants]) -> dict[str, Any]:
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


def _lines(found: Sequence[StepMutants]) -> Iterator[str]:
    from rack_recipes.cli.terminal.text_table import printable, to_text

    rows = [(step.step, step.host or "run", f"{step.noticed} of {len(step.mutants)}", step.problem) for step in found]
    yield to_text(("step", "outputs of", "noticed", ""), rows)
    for step in found:
        missed = _gathered(step)
        if missed:
            yield f"\n{printable(step.step)}: nobody would notice\n"
            yield to_text(("output", "changed by"), missed)
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


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
