# SPDX-License-Identifier: GPL-3.0-or-later

"""The names in a compiled playbook: the actions of its tasks, and the variable of its plays."""

from __future__ import annotations

STAGE = "rack.recipes.stage"
FLUSH = "rack.recipes.flush"
REPORT = "rack.recipes.report"
VERDICT = "rack.recipes.verdict"
DELEGATES_LOOKUP = "rack.recipes.delegates"  # the hosts of a play whose stage delegates run
CONTROLLER = "localhost"  # the host that runs what runs once for the run
RECIPE_VARIABLE = "rack_recipes_recipe"  # holds what is common to all steps
