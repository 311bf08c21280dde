# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs single scriptlets for tests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rack_recipes.private_files import FOLDER_MODE
from rack_recipes.programs.program_context import Context
from rack_recipes.programs.run_scriptlet import ScriptletResult, run_scriptlet


def own_store(folder: Path) -> dict[str, str]:
    """The variables by which run folders and store are in this folder, which is made."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    return {"RACK_RECIPES_RUNS": str(folder / "runs"), "RACK_RECIPES_DB": f"sqlite:///{folder}/results.db"}


@dataclass(frozen=True, slots=True)
class ScriptletRunner:
    """Runs scriptlets for one test. Run folders and store are in `folder`; everything else is the project's.

    Call it with a scriptlet's name and its arguments. It runs on this machine, or on a `host` of `inventory`, by
    default of the `inventories` of the command line.
    """

    folder: Path
    project: Path
    inventories: tuple[str, ...] = ()

    def __call__(
        self,
        name: str,
        args: Mapping[str, Any] | None = None,
        *,
        host: str | None = None,
        inventory: str | os.PathLike[str] | Sequence[str] | None = None,
        function: str = "",
        context: Context | Mapping[str, Any] | None = None,
    ) -> ScriptletResult:
        """Run a scriptlet to its end and return how it ended. Raises RackError if it cannot be run."""
        return run_scriptlet(
            name,
            args,
            host=host,
            inventory=inventory or (self.inventories or None if host else None),
            function=function,
            context=context,
            project=self.project,
            env=own_store(self.folder),
        )
