# SPDX-License-Identifier: GPL-3.0-or-later

"""The public Python names of rack.recipes: for scriptlets and their tests, for programs and notebooks.

Nothing is defined here, and nothing is imported before a name is used. What is exported keeps its name, its parameters
and its columns in every later version.
"""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils import scriptlet_imports

TYPE_CHECKING = False  # typing's would have to be imported
if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.module_utils.context_view import (
        ContextView,
        Failed,
        Scriptlet,
        Skipped,
    )
    from ansible_collections.rack.recipes.plugins.module_utils.decorators import (
        debug_trace,
        register_scriptlet,
        timeout_enforce,
        track_resources,
    )
    from ansible_collections.rack.recipes.plugins.module_utils.read_proc_and_sys import HostFiles
    from ansible_collections.rack.recipes.plugins.module_utils.shell import ShellScriptlet, run_program
    from rack_recipes.analysis.data_frames import RunFrames, load_run, measurements, runs
    from rack_recipes.errors import JournalError, RackError, StoreError, UsageError
    from rack_recipes.programs.program_context import Context
    from rack_recipes.programs.recipe_result import RecipeResult
    from rack_recipes.programs.run_recipe_and_scriptlet import ScriptletResult, run_recipe, run_scriptlet

__all__ = (
    "Context",
    "ContextView",
    "Failed",
    "HostFiles",
    "JournalError",
    "RackError",
    "RecipeResult",
    "RunFrames",
    "Scriptlet",
    "ScriptletResult",
    "ShellScriptlet",
    "Skipped",
    "StoreError",
    "UsageError",
    "debug_trace",
    "load_run",
    "measurements",
    "register_scriptlet",
    "run_program",
    "run_recipe",
    "run_scriptlet",
    "runs",
    "timeout_enforce",
    "track_resources",
)

_MODULES = {
    **scriptlet_imports.MODULES,
    **dict.fromkeys(("JournalError", "RackError", "StoreError", "UsageError"), "rack_recipes.errors"),
    **dict.fromkeys(("RunFrames", "load_run", "measurements", "runs"), "rack_recipes.analysis.data_frames"),
    "Context": "rack_recipes.programs.program_context",
    "RecipeResult": "rack_recipes.programs.recipe_result",
    "run_recipe": "rack_recipes.programs.run_recipe_and_scriptlet",
    **dict.fromkeys(("ScriptletResult", "run_scriptlet"), "rack_recipes.programs.run_recipe_and_scriptlet"),
}

if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> object:
        """The public object of this name, imported now and kept."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = scriptlet_imports.imported(_MODULES[name], name)
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
