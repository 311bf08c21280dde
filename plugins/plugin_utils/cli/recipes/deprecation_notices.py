# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notices about deprecated scriptlets."""

from __future__ import annotations

import sys

from ansible_collections.rack.recipes.plugins.plugin_utils.plan.plan_model import Plan


def print_notices(plan: Plan) -> None:
    """Print a notice to stderr for each step whose scriptlet is deprecated."""
    for planned in plan.steps:
        if planned.notice:
            sys.stderr.write(f"{planned.step.place}: {planned.notice}\n")
