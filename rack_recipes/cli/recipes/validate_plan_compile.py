# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands validate, plan and compile."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, plan_options, takes
from rack_recipes.errors import Place, RackError, RecipeError, RecipeErrors, UsageError

if TYPE_CHECKING:
    from rack_recipes.plan.plan_model import Plan
    from rack_recipes.plan.recipe_mistakes import PlanNotice
Finding = dict[str, object]


@takes(
    """
    [RECIPE...] as recipes  paths or names of recipes; the recipes that they include are checked, too
    --stdin FILE  check the text on stdin as if it were FILE: for an editor's unsaved buffer
    examples:
    rack-recipes validate recipes/*.yml
    rack-recipes validate --json recipes/*.yml | jq -r '.problems[].text'
    rack-recipes validate --stdin recipes/numbers.yml < buffer
    """
)
def validate(options: argparse.Namespace) -> Answer:
    """Check recipes, and report every problem in them.

    Stderr has a line for each problem: file, line, column, what was expected, what was found, the nearest valid word.
    Stdout has the same as one JSON object. The exit code is 2 if there is any problem. A deprecated scriptlet, a
    criterion that is the same in each run, and steps without a timeout are notices, not problems.
    """
    if not options.recipes and options.stdin is None:
        raise UsageError("rack-recipes validate: expected RECIPE or --stdin FILE")
    checked: list[tuple[str, bytes | None]] = [(path, None) for path in options.recipes]
    if options.stdin is not None:
        checked.append((options.stdin, sys.stdin.buffer.read()))
    answer = check_recipes(checked)
    for finding in (*answer["problems"], *answer["notices"]):
        sys.stderr.write(f"{finding['text']}\n")
    return answer, 2 if answer["problems"] else 0


def check_recipes(recipes: Sequence[tuple[str, bytes | None]]) -> dict[str, Any]:
    """Check recipes by path, or their texts in place of these files: the answer of `validate`.

    Each of its `problems` and `notices` has `file`, `line`, `column` and `text`.
    """
    found = [_check(name, text) for name, text in recipes]
    problems = [problem for wrong, _plan in found for problem in wrong]
    plans = [plan for _problems, plan in found if plan]
    notices = [*(notice for plan in plans for notice in _notices(plan)), *_elsewhere(plans)]
    status = "error" if problems else "ok"
    return {"status": status, "recipes": len(recipes), "problems": problems, "notices": notices}


def _check(name: str, text: bytes | None) -> tuple[list[Finding], Plan | None]:
    """Return the problems of a recipe file, or of a text in its place; the plan too if there are none."""
    try:
        return [], _planned(name, text)
    except RackError as error:
        found = error.errors if isinstance(error, RecipeErrors) else (error,)
        return [_problem(name, one) for one in found], None


def _planned(name: str, text: bytes | None) -> Plan:
    from rack_recipes import settings
    from rack_recipes.plan.make_plan import make_plan
    from rack_recipes.recipe.load import load, parse

    recipe = load(name) if text is None else parse(text, name)
    return make_plan(recipe, tuple(map(Path, settings.load().scriptlets)))


def _problem(name: str, error: RackError) -> Finding:
    if not isinstance(error, RecipeError):
        return {"file": name, "line": 1, "column": 1, "text": str(error)}
    located = _position(error.place)
    return {**located, "expected": error.expected, "got": error.got, "near": error.near, "text": str(error)}


def _notices(plan: Plan) -> Iterator[Finding]:
    from rack_recipes import settings
    from rack_recipes.plan.recipe_mistakes import plan_notices, timeout_notices

    yield from _located((*plan_notices(plan), *timeout_notices(plan, settings.load().step_timeout)))


def _located(notices: Iterable[PlanNotice]) -> Iterator[Finding]:
    return ({**_position(notice.place), "text": f"{notice.place}: {notice.text}"} for notice in notices)


def _elsewhere(plans: Sequence[Plan]) -> Iterator[Finding]:
    """What the hosts of steps and canaries name beside those of their recipe, as far as the own inventory tells.

    That is asked only where it can matter: an editor asks for each word that is typed.
    """
    asked = [
        plan
        for plan in plans
        if (plan.recipe.canary and plan.recipe.canary.hosts)
        or (plan.recipe.hosts != "all" and any(step.hosts for step in plan.steps))
    ]
    if not asked:
        return
    from rack_recipes.cli.inventory_hosts import asking_for_hosts
    from rack_recipes.plan.recipe_mistakes import host_notices

    with asking_for_hosts([], None, [], recipes=[plan.recipe for plan in asked]) as answer:
        for plan, texts in zip(asked, answer().elsewhere, strict=False):  # none where the inventory cannot be read
            yield from _located(host_notices(plan, texts))


def _position(place: Place) -> Finding:
    return {"file": place.file, "line": place.line, "column": place.column}


@takes(
    """
    RECIPE
    --format tree|json|dot|mermaid  tree for people (the default), json, dot for Graphviz, mermaid for Markdown
    --only STEP
    --skip STEP
    --stepwise
    --parallel N
    --seed N
    examples:
    rack-recipes plan rack.recipes.host_health
    rack-recipes plan rack.recipes.host_health --only clock_jitter
    rack-recipes plan rack.recipes.host_health --format dot | dot -Tsvg > plan.svg
    """
)
def plan(options: argparse.Namespace) -> Answer:
    """Show what would run, as a tree, as data or as a graph. Nothing is run.

    It shows the stages and why each starts, the steps, their hosts, the keys that each step reads and writes, which
    failures are waived, and which stages one process runs on all hosts.
    `run --dry-run` adds what an inventory and the store know: hosts, earlier results, durations.
    """
    from rack_recipes import settings
    from rack_recipes.cli.recipes.plan_notices_and_waivers import (
        planned_waivers,
        print_notices,
        waiver_data,
        waiver_lines,
    )
    from rack_recipes.plan.compile.playbook_file import plan_of
    from rack_recipes.plan.one_process import process_lines
    from rack_recipes.plan.output_formats import FORMATS, plan_to_data

    if options.json and options.format not in (None, "json"):
        raise UsageError(
            f"rack-recipes plan: --json and --format {options.format} ask for two answers: give one of them"
        )
    planned = plan_of(options.recipe, options=plan_options(options))
    print_notices(planned)
    waivers = planned_waivers(planned, settings.load())
    word = "json" if options.json else options.format or "tree"
    if word == "json" and waivers:
        return json.dumps({**plan_to_data(planned), **waiver_data(waivers)}, ensure_ascii=False, indent=2) + "\n", 0
    more = (*waiver_lines(waivers), *process_lines(planned, settings.load())) if word == "tree" else ()
    return FORMATS[word](planned) + "".join(more), 0


@takes(
    """
    RECIPE
    --only STEP
    --skip STEP
    --stepwise
    --parallel N
    --seed N
    examples:
    rack-recipes compile recipes/numbers.yml > numbers.playbook.yml
    ansible-playbook -i inventory.yml numbers.playbook.yml
    """
)
def compile(options: argparse.Namespace) -> Answer:  # noqa: A001 - commands are functions of their names
    """Print the playbook of a recipe.

    Ansible runs it as it stands, so it can be read, committed and given to AWX. The same recipe gives the same text.
    """
    from rack_recipes.plan.compile.playbook_file import playbook_of

    text = playbook_of(options.recipe, plan_options(options))
    return ({"status": "ok", "playbook": text} if options.json else text), 0
