# SPDX-License-Identifier: GPL-3.0-or-later

"""The module names that scriptlets of the first proposal import. They stay importable for ever."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView, Scriptlet
from ansible_collections.rack.recipes.plugins.module_utils.decorators import (
    debug_trace,
    register_scriptlet,
    timeout_enforce,
    track_resources,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class BaseScriptlet(Scriptlet):
    """A scriptlet of the first proposal: `run` calls `validate`, prints an envelope and returns an exit code."""


PACKAGES = ("scriptlets", "scriptlets.core", "orchestrator")
MODULES: dict[str, dict[str, Any]] = {
    "scriptlets.core.base": {"BaseScriptlet": BaseScriptlet},
    "scriptlets.core.decorator": {
        "debug_trace": debug_trace,
        "register_scriptlet": register_scriptlet,
        "timeout_enforce": timeout_enforce,
        "track_resources": track_resources,
    },
    "orchestrator.context": {"Context": ContextView},
}


class Finder:
    """An import finder for `modules`, each with its names. It comes last, so that real modules of the same name win."""

    def __init__(self, modules: dict[str, dict[str, Any]]) -> None:
        self._modules = modules

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """The spec of a module that is known here, else None."""
        known = name in PACKAGES or name in self._modules
        return ModuleSpec(name, self, is_package=name in PACKAGES) if known else None  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> None:
        """Return None: Python then creates an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module with the names that it offers."""
        vars(module).update(self._modules.get(module.__name__, {}))


FINDER = Finder(MODULES)


def install() -> None:
    """Make the names importable in this process, after all other finders."""
    if FINDER not in sys.meta_path:
        sys.meta_path.append(FINDER)
