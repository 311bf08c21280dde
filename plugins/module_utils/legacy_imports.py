# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that scriptlets of the first proposal import; they stay importable for ever."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.decorators import (
    debug_trace,
    register_scriptlet,
    timeout_enforce,
    track_resources,
)
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_class import Scriptlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class BaseScriptlet(Scriptlet):
    """A scriptlet that calls its own `validate` from `run`, prints an envelope and returns an exit code."""


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
    """Finds the names where nothing else in this process answers to them."""

    @classmethod
    def find_spec(cls, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """As Python's import asks."""
        known = name in PACKAGES or name in MODULES
        return ModuleSpec(name, cls, is_package=name in PACKAGES) if known else None  # type: ignore[arg-type]

    @staticmethod
    def create_module(_spec: ModuleSpec) -> None:
        """Leave it to Python."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Fill in what the module is known to hold."""
        vars(module).update(MODULES.get(module.__name__, {}))


def install() -> None:
    """Make the names importable in this process, behind whatever else is."""
    if Finder not in sys.meta_path:
        sys.meta_path.append(Finder)
