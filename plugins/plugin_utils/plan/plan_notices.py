# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What authors of a recipe should know of it, although it can be run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.plan_model import Plan, PlannedStep
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.param_values import is_open
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.values_in_messages import shown

CHECKS_NOTHING = (
    "the criterion for {} checks nothing, since that is the same in each run: let it refer to a value, such as "
    "${{numbers.stats_v1.mean}}"
)


class PlanNotice(NamedTuple):
    """A notice about the step at a place."""

    place: Place
    text: str


def plan_notices(plan: Plan) -> Iterator[PlanNotice]:
    """The notices about a plan's steps, in the order in which these run."""
    for planned in plan.steps:
        yield from (PlanNotice(planned.step.place, text) for text in _of_step(planned))


def _of_step(planned: PlannedStep) -> Iterator[str]:
    if planned.entry and planned.entry.deprecated:
        yield f"{planned.uses} is deprecated: {planned.entry.deprecated}"
    for criterion in planned.step.success.values:
        if not is_open(criterion["value"]):
            yield CHECKS_NOTHING.format(shown(criterion["value"]))
