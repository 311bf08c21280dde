# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a recipe by the command that users type."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from ansible_collections.rack.recipes.plugins.plugin_utils import settings
from ansible_collections.rack.recipes.plugins.plugin_utils.private_files import FOLDER_MODE
from ansible_collections.rack.recipes.plugins.plugin_utils.pytest_plugin.run_results import RecipeResult, read_result

CALL = "from ansible_collections.rack.recipes.plugins.plugin_utils.cli.main import main; main()"
Recipe = str | os.PathLike[str] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """How the command ended. `journal` is the path of the run's journal, or "" if nothing was run."""

    exit_code: int
    answer: dict[str, Any]
    journal: str = ""

    def result(self) -> RecipeResult:
        """The results of the run."""
        return read_result(self.exit_code, self.answer, Path(self.journal) if self.journal else None)


def run_command(words: Sequence[str], project: Path, env: Mapping[str, str] | None = None) -> CommandEnd:
    """Run `rack-recipes run` with the arguments `words` in the folder `project`, and wait for its end.

    `env` holds additional variables. If the command prints no JSON, its output becomes the reason of an error.
    """
    whole = {**os.environ, **(env or {})}
    command = [sys.executable, "-c", CALL, "run", "--json", *words]
    done = subprocess.run(
        command, cwd=project, env=whole, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {"status": "error", "reason": f"rack-recipes run said:\n{done.stdout}{done.stderr}".strip()}
    run_id = answer.get("run_id")
    return CommandEnd(done.returncode, answer, str(_runs(project, whole) / run_id / JOURNAL) if run_id else "")


def _runs(project: Path, env: Mapping[str, str]) -> Path:
    """The folder of all run folders, as the command found it."""
    given = env.get("RACK_RECIPES_RUNS")
    with chdir(project):
        return Path(given or settings.load().runs).absolute()


def run_once(folder: Path, words: Sequence[str], project: Path) -> CommandEnd:
    """Do what `run_command` does, but only once for all processes that share `folder`.

    The first process that asks runs the command. The others wait, and get the same result.
    """
    name = sha256(json.dumps([*words, str(project)]).encode()).hexdigest()[:16]
    with (folder / f"rack-recipes-{name}.json").open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = file.read()
        ended = CommandEnd(**json.loads(known)) if known else run_command(words, project)
        if not known:
            file.write(json.dumps(asdict(ended)))
    return ended


@dataclass(frozen=True, slots=True)
class RecipeRunner:
    """Runs recipes for one test. Run folders and store are in `folder`; everything else is the project's.

    Call it with a recipe: a mapping, or the path of a file in the project. It runs on this machine, or on the hosts of
    `inventory`. `params` are values for its parameters, `options` additional words for `rack-recipes run`.
    """

    folder: Path
    project: Path

    def __call__(
        self,
        recipe: Recipe,
        *,
        inventory: str | os.PathLike[str] | None = None,
        params: Mapping[str, Any] | None = None,
        options: Sequence[str] = (),
    ) -> RecipeResult:
        """Run a recipe to its end and return its results. A run that fails raises nothing."""
        self.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        words = [str(self._written("recipe.yml", recipe) if isinstance(recipe, Mapping) else Path(recipe))]
        words += ["--inventory", os.fspath(inventory)] if inventory is not None else []
        words += ["--param-file", str(self._written("params.json", params))] if params else []
        runs = self.folder / "runs"
        env = {"RACK_RECIPES_RUNS": str(runs), "RACK_RECIPES_DB": f"sqlite:///{self.folder}/results.db"}
        return run_command([*words, *options], self.project, env).result()

    def _written(self, name: str, data: Mapping[str, Any]) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(data), encoding="utf-8")
        return path
