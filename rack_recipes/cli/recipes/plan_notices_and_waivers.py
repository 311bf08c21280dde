# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said beside a plan.

Its notices, and the waivers that would be in force if it were run today, for `plan` and `run --dry-run`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.cli.terminal import format_table
from rack_recipes.plan.plan_model import Plan
from rack_recipes.plan.recipe_mistakes import plan_notices
from rack_recipes.recipe.waiver_file import waivers_of
from rack_recipes.recipe.waivers import Waiver, day_of, waivers_for
from rack_recipes.settings import Settings


def print_notices(plan: Plan) -> None:
    """Print the notices about a plan to stderr, each with its place."""
    sys.stderr.writelines(f"{notice.place}: {notice.text}\n" for notice in plan_notices(plan))


TITLES = ("step", "waived if it fails", "on hosts", "why")


def planned_waivers(plan: Plan, settings: Settings) -> list[Waiver]:
    """The waivers for the steps of a plan that are in force today; passes are not counted. Raises UsageError."""
    file = waivers_of(settings)
    recipe = {"path": plan.recipe.path, "test_id": plan.recipe.test_meta.test_id}
    names = [step.name for step in plan.steps]
    found = waivers_for(file, recipe, names, lambda _pattern: (), day_of(now()))
    return [each.waiver for each in found.in_force]


def waiver_lines(waivers: Sequence[Waiver]) -> Iterator[str]:
    """A table of these waivers for people; nothing where there are none."""
    if waivers:
        yield "\n" + format_table(TITLES, [_row(waiver) for waiver in waivers])


def waiver_data(waivers: Sequence[Waiver]) -> dict[str, Any]:
    """The field `waivers` of an answer; no field where there are none."""
    return {"waivers": [waiver.to_data() for waiver in waivers]} if waivers else {}


def _row(waiver: Waiver) -> tuple[str, ...]:
    step = f"{waiver.step}: {waiver.measurement}" if waiver.measurement else waiver.step
    verdicts = " or ".join(waiver.verdicts)
    term = f"{verdicts}, until {waiver.term}"
    return step, term, waiver.where, f"{waiver.who}: {waiver.reason}"
