# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs recipes and single scriptlets for tests, by the command that users type."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Unpack

from rack_recipes.private_files import FOLDER_MODE
from rack_recipes.programs.call_cli import CommandEnd, call_command
from rack_recipes.programs.program_context import Context
from rack_recipes.programs.recipe_result import RecipeResult, read_result
from rack_recipes.programs.run_recipe_and_scriptlet import (
    Recipe,
    RunOptions,
    ScriptletResult,
    end_of_run,
    run_scriptlet,
)


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
        args: Mapping[str, object] | None = None,
        *,
        host: str | None = None,
        inventory: str | os.PathLike[str] | Sequence[str] | None = None,
        function: str = "",
        context: Context | Mapping[str, object] | None = None,
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


RUN = ("run", "--json")


def run_here(words: Sequence[str], project: Path, show: IO[str] | None = None) -> RecipeResult:
    """Run a recipe in the folder `project`; `words` are the arguments of `rack-recipes run`, `show` gets its log."""
    return _result(call_command([*RUN, *words], project, show=show), project)


def run_once(folder: Path, words: Sequence[str], project: Path) -> RecipeResult:
    """Do what `run_here` does, but only once for all processes that share `folder`.

    The first process that asks runs the command. The others wait, and get the same result.
    """
    name = sha256(json.dumps([*words, str(project)]).encode()).hexdigest()[:16]
    with (folder / f"rack-recipes-{name}.json").open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = file.read()
        ended = CommandEnd(**json.loads(known)) if known else call_command([*RUN, *words], project)
        if not known:
            file.write(json.dumps(asdict(ended)))
    return _result(ended, project)


def _result(ended: CommandEnd, project: Path) -> RecipeResult:
    return read_result(ended.exit_code, ended.answer, project)


@dataclass(frozen=True, slots=True)
class RecipeRunner:
    """Runs recipes for one test. Run folders and store are in `folder`; everything else is the project's.

    Call it with a recipe, a mapping or a file of the project, and with what `rack_recipes.run_recipe` takes.
    """

    folder: Path
    project: Path

    def __call__(self, recipe: Recipe, **given: Unpack[RunOptions]) -> RecipeResult:
        """Run a recipe to its end and return its results. A run that fails raises nothing."""
        __tracebackhide__ = True  # pytest shows the test's line, and not ours
        if unknown := given.keys() - RunOptions.__annotations__.keys():
            raise TypeError(f"run_recipe takes no {min(unknown)!r}; it takes {', '.join(RunOptions.__annotations__)}")
        project = self.project / (given.get("project") or "")
        return _result(end_of_run(self.folder, recipe, project, given, own_store(self.folder)), project)
