# SPDX-License-Identifier: GPL-3.0-or-later

"""The command learn: limits from good runs, as a file that people read and a recipe names."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import COMPLETE, PASSING
from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.cli.terminal import format_table, printable, value_text
from rack_recipes.errors import UsageError, counted
from rack_recipes.yaml_suffixes import either

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rack_recipes.analysis.learn_limits import GoodRun, LearnedLimit, Place
    from rack_recipes.recipe.limits_file import NewLimit
Row = Mapping[str, Any]
OTHERS = 50  # further runs that are judged by the new limits
PLACE = ("model", "position")
TITLES = ("step", "measurement", "where", "was", "is now", "would have failed", "remark")


@takes(
    """
    RUN...  good runs of one test
    --last N=1  with one RUN: this one and those before it that passed, N in all
    --by NAME...  attributes of hosts that have limits of their own (default: model and position)
    --margin PERCENT=50  how much wider the ranges are than they have to be for normal values (default: 50)
    --to FILE  write the limits to this file, which must not be there
    --update FILE  replace the learned limits in this file, and show what changes; entries without `learned` stay
    --force  learn from runs that did not pass, too: from those of their results that did
    --db URL
    examples:
    rack-recipes learn last --last 20 --to limits/h100.yml
    rack-recipes learn last --last 20 --by model --update limits/h100.yml --json
    """,
    margin={"type": float},
)
def learn(options: argparse.Namespace) -> Answer:
    """Learn limits from good runs: the range in which each measurement of a further good run lies.

    Each limit is for one measurement of one step on hosts of one model and position, and says what it rests on: runs,
    hosts, values, their mean and spread, the method. At least ten runs are needed for one. The table shows what held
    before, what would hold, and what would have failed in up to 50 other runs of the test. Read the file and change it
    before a recipe names it by `limits`: the line for that is printed. A limit without `learned` is yours: no update
    touches it.
    """
    from rack_recipes.analysis.learn_limits import learn_limits, place_of_limit

    path, by = options.update or options.to, options.by or PLACE
    before = _file_before(options)
    with open_store(options) as store:
        runs = _chosen(store, options)
        found = learn_limits([_good(store, run["run_id"]) for run in runs], by, options.margin / 100)
        anew = {place_of_limit(one.limit, by): one.limit for one in found if one.limit.condition}
        if not anew:
            raise UsageError(_too_few(found))
        failing = _failing(store, runs, anew, by)
    old = {place_of_limit(limit, by): limit for limit in before}
    kept = [limit for limit in before if not limit.learned or place_of_limit(limit, by) not in anew]
    if path:
        _write(Path(path), runs, [*kept, *anew.values()], options.margin)
    rows = []
    for one in found:
        place = place_of_limit(one.limit, by)
        was = old[place].condition if place in old else one.before
        rows.append(_told(one.limit, one.why_not, was, failing.get(place, ())))
    line = _line_for_recipe(path, runs[-1]["recipe"] or "") if path else ""
    if options.json:
        told = {"runs": [run["run_id"] for run in runs], "file": path or "", "recipe": runs[-1]["recipe"], "line": line}
        return {**told, "kept": len(kept), "limits": rows}, 0
    if path:
        sys.stderr.write(f"written to {printable(path)}: read it, {_how_to_name(line, runs[-1]['recipe'])}\n")
    return "".join(_lines(rows, runs, len(kept))), 0


def _line_for_recipe(path: str, recipe: str) -> str:
    """The line by which a recipe names a file of limits.

    Empty where it cannot: for a recipe that we ship, and for a file that is not in the recipe's project.
    """
    from rack_recipes.recipe.includes.included_files import project_of
    from rack_recipes.recipe.limits_file import as_flow
    from rack_recipes.recipe.recipe_names import is_shipped

    if is_shipped(recipe) or not Path(path).resolve().is_relative_to(project_of(recipe)):
        return ""
    return f"limits: {as_flow(os.path.relpath(path, Path(recipe).parent))}"


def _how_to_name(line: str, recipe: str | None) -> str:
    """How a recipe gets the limits of a file."""
    if line:
        return f"then add this line to {printable(recipe or 'the recipe')}:\n{printable(line)}"
    return "then name it in a recipe of yours that has it in its project: limits: PATH, relative to the recipe"


def _file_before(options: argparse.Namespace) -> tuple[NewLimit, ...]:
    """The limits of the file that is replaced. Raises UsageError for a faulty file, and for one that --to would hit."""
    from rack_recipes.recipe.limits_file import read_limits

    if options.to and options.update:
        raise UsageError("rack-recipes learn: expected --to or --update, got both")
    if options.to and (there := either(Path(options.to))).exists():
        raise UsageError(f"{there} is there already: --update shows what changes in it, and replaces it")
    return read_limits(options.update).limits if options.update else ()


def _chosen(store: Engine, options: argparse.Namespace) -> Sequence[Row]:
    """The runs, the oldest first. Raises UsageError for runs of several tests, and for one that did not pass."""
    from rack_recipes.store.reading import recorded_runs
    from rack_recipes.store.reading.earlier_runs import counts, earlier_runs, is_same_test

    ids = dict.fromkeys(run_id_of(store, start, options.db) for start in options.run)
    found = (recorded_runs.run(store, run_id) for run_id in ids)
    runs: list[Row] = sorted(found, key=lambda run: (run["started"], run["run_id"]))
    if len(runs) == 1 < options.last:
        passed = [run for run in recorded_runs.runs(store) if options.force or run["status"] == "passed"]
        runs = [*earlier_runs(runs[0], passed, options.last - 1), *runs]
    for run in runs:
        if not is_same_test(run, runs[0]):
            tests = " and ".join(f"{one['run_id']} of {one['test_id']} ({one['recipe']})" for one in (runs[0], run))
            raise UsageError(f"limits are learned from runs of one test, got {tests}")
        if run["status"] != "passed" and not options.force:
            instead = "leave it out" if len(ids) > 1 else _good_one(store, run)
            raise UsageError(
                f"run {run['run_id']} is no good one ({run['status'] or 'not ended'}): {instead}, or learn from what "
                "passed in it by --force"
            )
    return [run for run in runs if counts(run)]


def _good_one(store: Engine, bad: Row) -> str:
    """Which run to name in place of one that did not pass."""
    from rack_recipes.store.reading import recorded_runs
    from rack_recipes.store.reading.earlier_runs import is_same_test

    passed = (run for run in recorded_runs.runs(store) if run["status"] == "passed" and is_same_test(run, bad))
    newest = next(passed, None)
    return f"take the newest good one, {newest['run_id']}" if newest else "none of this test has passed: run it again"


def _good(store: Engine, run_id: str) -> GoodRun:
    """What a run measured itself in results that passed, apart from the count of keys of the context."""
    from rack_recipes.analysis.learn_limits import GoodRun
    from rack_recipes.store.reading import recorded_runs

    steps = recorded_runs.steps(store, run_id, attempts=False, in_order=False)
    passed = {(row["step"], row["host"]) for row in steps if row["verdict"] in COMPLETE and not row["source_run"]}
    measured = recorded_runs.measurements(store, run_id)
    rows = [row for row in measured if (row["step"], row["host"]) in passed and row["name"] != "ctx_has_keys"]
    return GoodRun(run_id, rows, recorded_runs.attributes(store, run_id))


def _too_few(found: Sequence[LearnedLimit]) -> str:
    reasons = dict.fromkeys(one.why_not for one in found)
    why = "; ".join(reasons) or "their steps have measured nothing, or none of them passed"
    return f"nothing can be learned from these runs: {why}"


def _failing(
    store: Engine, runs: Sequence[Row], limits: Mapping[Place, NewLimit], by: Sequence[str]
) -> dict[Place, list[str]]:
    """By the place of a learned limit the measurements of further runs of the test that fail by it, in words."""
    from rack_recipes.analysis.learn_limits import place_of
    from rack_recipes.analysis.rejudge import rejudge
    from rack_recipes.store.reading import recorded_runs
    from rack_recipes.store.reading.earlier_runs import counts, is_same_test

    learned = {run["run_id"] for run in runs}
    others = [run["run_id"] for run in recorded_runs.runs(store) if is_same_test(run, runs[0]) and counts(run)]
    found: dict[Place, list[str]] = {}
    for run_id in [one for one in others if one not in learned][:OTHERS]:
        attributes = recorded_runs.attributes(store, run_id)
        for row in recorded_runs.measurements(store, run_id, brief=True):
            place = place_of(row, attributes, by)
            judged = rejudge([row], [limits[place]], attributes) if place in limits else []
            if judged and judged[0].after not in PASSING:
                found.setdefault(place, []).append(f"{row['host'] or 'run'} in {run_id}: {value_text(row['value'])}")
    return found


def _told(limit: NewLimit, why_not: str, old: Row, failed: Sequence[str]) -> dict[str, Any]:
    from rack_recipes.recipe.limits_file import why_unsound

    about = {"step": limit.step, "measurement": limit.measurement, "unit": limit.unit, "where": dict(limit.where)}
    told = {"was": dict(old), "now": dict(limit.condition), "learned": dict(limit.learned), "failed": [*failed]}
    return {**about, **told, "remark": why_not or why_unsound(old, limit.learned)}


def _write(path: Path, runs: Sequence[Row], limits: Sequence[NewLimit], margin: float) -> None:
    from rack_recipes.analysis.learn_limits import METHODS
    from rack_recipes.recipe.limits_file import limits_as_yaml

    how = {"margin": f"{margin:g} %", "methods": METHODS}
    about = {"test": runs[0]["test_id"] or "", "runs": [run["run_id"] for run in runs], **how}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(limits_as_yaml(limits, about), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _lines(rows: Sequence[Row], runs: Sequence[Row], kept: int) -> Iterator[str]:
    shown = [row for row in rows if row["was"] != row["now"] or row["failed"] or row["remark"]]
    if shown:
        yield format_table(TITLES, [_row(row) for row in shown])
    if same := len(rows) - len(shown):
        yield f"{counted(same, 'limit')} as before\n"
    learned = sum(bool(row["now"]) for row in rows)
    yield f"{counted(learned, 'limit')} from {counted(len(runs), 'run')}"
    yield f"; {kept} entries of the file stay\n" if kept else "\n"


def _row(row: Row) -> tuple[str, ...]:
    where = ", ".join(f"{name} {value_text(value)}" for name, value in row["where"].items()) or "all hosts"
    name = f"{row['measurement']} ({row['unit']})" if row["unit"] else row["measurement"]
    failed = f"{len(row['failed'])}, such as {row['failed'][0]}" if row["failed"] else "-"
    told = (row["step"], name, where, _bounds(row["was"]), _bounds(row["now"]), failed, row["remark"])
    return tuple(map(printable, told))


def _bounds(condition: Row) -> str:
    return ", ".join(f"{word} {value_text(bound)}" for word, bound in condition.items()) or "-"
