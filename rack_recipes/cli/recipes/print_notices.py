# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notices about a plan, for people."""

from __future__ import annotations

import sys

from rack_recipes.plan.plan_model import Plan
from rack_recipes.plan.recipe_mistakes import plan_notices


def print_notices(plan: Plan) -> None:
    """Print the notices about a plan to stderr, each with its place."""
    sys.stderr.writelines(f"{notice.place}: {notice.text}\n" for notice in plan_notices(plan))
