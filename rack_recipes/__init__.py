# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The public Python names of rack.recipes: for scriptlets, and for notebooks that read the store.

Nothing is defined here. What is exported keeps its name, its parameters and its columns in every later version.
"""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet, Skipped
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.notebook import (
    RunFrames,
    load_run,
    measurements,
    runs,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError

__all__ = ("Failed", "RackError", "RunFrames", "Scriptlet", "Skipped", "load_run", "measurements", "runs")
