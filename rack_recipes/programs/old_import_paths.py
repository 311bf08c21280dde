# SPDX-License-Identifier: GPL-3.0-or-later

"""The module names of the first proposal, for programs and tests: `from orchestrator.runner import run_recipe`.

On hosts `module_utils/legacy_imports.py` has those that scriptlets import. Nothing is imported before such a name is.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from typing import Any

PACKAGES = ("orchestrator", "scriptlets")


class ProposalFinder:
    """An import finder for these names. It comes last, so that real modules of the same name win."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """The spec of a module that is known here, else None. Nothing is imported for any other name."""
        if name.partition(".")[0] not in PACKAGES:
            return None
        from ansible_collections.rack.recipes.plugins.module_utils import legacy_imports
        from rack_recipes.programs.program_context import Context
        from rack_recipes.programs.run_recipe_and_scriptlet import run_recipe

        modules: dict[str, dict[str, Any]] = {
            **legacy_imports.MODULES,
            "orchestrator.context": {"Context": Context},
            "orchestrator.runner": {"run_recipe": run_recipe},
        }
        return legacy_imports.Finder(modules).find_spec(name)


def install_legacy_imports() -> None:
    """Make the names importable in this process, after all other finders."""
    if ProposalFinder not in sys.meta_path:
        sys.meta_path.append(ProposalFinder)
