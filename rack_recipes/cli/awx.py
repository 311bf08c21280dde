# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `awx`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.errors import RackError, UsageError

if TYPE_CHECKING:
    from rack_recipes.integrations.awx.configuration_playbook import Job
    from rack_recipes.integrations.awx.write_unless_edited import Difference


@takes(
    """
    RECIPE... as recipes  path of a recipe in this folder
    --output FOLDER=awx  the folder of the files (default: awx)
    --force  write files that people have changed, too
    examples:
    rack-recipes awx recipes/first.yml
    rack-recipes awx recipes/*.yml --output awx --force
    """
)
def awx(options: argparse.Namespace) -> Answer:
    """Write what AWX needs to run recipes: playbooks, an execution environment, job templates with surveys, workflows.

    The folder in which you type this is the project that AWX will have, as a git repository. The templates are made by
    the playbook configure.yml. A file that somebody has changed is kept, and the difference is shown.
    """
    from rack_recipes.integrations.awx.project_files import check_other_recipes, check_project, project_files
    from rack_recipes.integrations.awx.write_unless_edited import SAME, write_files

    folder = _in_project(options.output)
    check_project()
    jobs = _jobs(options.recipes, folder)
    if not options.force:
        check_other_recipes(jobs)
    files = project_files(jobs, folder)
    done, kept = write_files(files, force=options.force)
    if kept:
        raise UsageError(_told(kept))
    sys.stderr.writelines(f"{what} {path}\n" for path, what in done.items() if what != SAME)
    hints = (
        f"ansible-builder build --tag IMAGE --file {folder / 'execution-environment.yml'}",
        f"ansible-playbook {folder / 'configure.yml'}",
    )
    sys.stderr.writelines(["next (docs/awx.md says with which values):\n", *(f"  {hint}\n" for hint in hints)])
    return {"status": "ok", "files": {str(path): what for path, what in done.items()}}, 0


def _jobs(recipes: Sequence[str], folder: Path) -> list[Job]:
    """The recipes, each compiled as a check. Raises RackError with what is wrong with all of them."""
    from rack_recipes.integrations.awx.configuration_playbook import Job
    from rack_recipes.plan.compile.playbook_file import plan_of

    jobs, wrong = [], []
    for path in dict.fromkeys(str(_in_project(recipe)) for recipe in recipes):
        try:
            jobs.append(Job(plan_of(path).recipe, folder))
        except RackError as error:
            wrong.append(error)
    if wrong:
        raise UsageError("\n".join(map(str, wrong)))
    return jobs


def _in_project(path: str) -> Path:
    """A path relative to the current folder. Raises UsageError for one that leads out of it."""
    here = Path.cwd()
    found = (
        Path(path)
        if not Path(path).is_absolute()
        else Path(path).relative_to(here)
        if Path(path).is_relative_to(here)
        else None
    )
    if found is None or ".." in found.parts:
        raise UsageError(f"{path}: expected a path in this folder: AWX sees only the files of its project")
    return found


def _told(kept: Sequence[Difference]) -> str:
    """What people have changed, and what to do."""
    names = ", ".join(str(one.path) for one in kept)
    lines = "".join(line for one in kept for line in one.lines())
    return f"{names}: changed by somebody, so nothing was written (--force overwrites):\n{lines.rstrip()}"
