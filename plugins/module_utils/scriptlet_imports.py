# SPDX-License-Identifier: GPL-3.0-or-later

"""The package `rack_recipes` as scriptlets find it on a host: short names for all that an author imports.

The package that `pip install rack-recipes` brings has these names from here, and its own for programs.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PACKAGE = "rack_recipes"
HERE = "ansible_collections.rack.recipes.plugins.module_utils."
# Each name and the module that defines it. The module is imported when the name is asked for, and it is sent to a host
# only with a scriptlet that imports the name.
MODULES = {
    "ContextView": f"{HERE}context_view",
    "Failed": f"{HERE}context_view",
    "HostFiles": f"{HERE}read_proc_and_sys",
    "Scriptlet": f"{HERE}context_view",
    "ShellScriptlet": f"{HERE}shell",
    "Skipped": f"{HERE}context_view",
    "debug_trace": f"{HERE}decorators",
    "register_scriptlet": f"{HERE}decorators",
    "run_program": f"{HERE}shell",
    "timeout_enforce": f"{HERE}decorators",
    "track_resources": f"{HERE}decorators",
}
FOR_PROGRAMS = (
    "Context",
    "JournalError",
    "RackError",
    "RecipeResult",
    "RunFrames",
    "ScriptletResult",
    "StoreError",
    "UsageError",
    "load_run",
    "measurements",
    "run_recipe",
    "run_scriptlet",
    "runs",
)


def not_for_scriptlets(name: str) -> str:
    """Why a scriptlet cannot have a name of the package that is for programs."""
    return f"{PACKAGE}.{name} is for programs on the controller: a scriptlet has its ctx for what concerns the run"


def install() -> None:
    """Make the package importable in this process, unless it is imported already."""
    if PACKAGE in sys.modules:
        return
    module = type(sys)(PACKAGE, __doc__)
    vars(module).update(__all__=tuple(MODULES), __getattr__=_found)
    sys.modules[PACKAGE] = module


def _found(name: str) -> Any:
    """The object of this name. Raises ImportError for one that is for programs, else AttributeError."""
    if name in MODULES:
        return imported(MODULES[name], name)
    if name in FOR_PROGRAMS:
        raise ImportError(
            not_for_scriptlets(name)
        )  # `from rack_recipes import` would not show an AttributeError's text
    raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")


def imported(module: str, name: str) -> Any:
    """The object `name` of a module, which is imported now."""
    __import__(module)
    return getattr(sys.modules[module], name)
