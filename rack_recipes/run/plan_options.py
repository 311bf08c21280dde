# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a run that come as extra vars: those of its plan, and the earlier run that it continues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rack_recipes.settings import NAMES, NUMBER, TEXT, TRUTH, converted

if TYPE_CHECKING:
    from rack_recipes.plan.plan_model import PlanOptions

PLAN = {
    "only": (NAMES, "the steps to run, with all that they need"),
    "skip": (NAMES, "the steps to leave out"),
    "stepwise": (TRUTH, "whether each step is a stage of its own"),
    "parallel": (TRUTH, "whether steps run beside each other wherever they can"),
    "seed": (NUMBER, "the order of independent steps"),
}
REUSE = {
    "resume": (TEXT, "the run to go on from"),
    "resume_from": (TEXT, "the step from which everything runs anew"),
    "context": (TEXT, "the file with the context to start with"),
}


@dataclass(frozen=True, slots=True)
class RequestedPlan:
    """The run to continue, the step from which all steps run anew, and the file with the context to start with.

    Each is empty where the user has not set it.
    """

    resume: str = ""
    resume_from: str = ""
    context: str = ""

    @classmethod
    def of(cls, variables: Mapping[str, Any]) -> RequestedPlan:
        """Read from extra vars. Raises UsageError."""
        return cls(**converted(REUSE, variables))


def plan_options(variables: Mapping[str, Any]) -> PlanOptions:
    """The plan's options, which have the same names on the command line. Raises UsageError."""
    from rack_recipes.plan.plan_model import PlanOptions  # 5 ms, which no run needs

    return PlanOptions(**converted(PLAN, variables))
