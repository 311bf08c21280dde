# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe as AWX runs it: the names of its templates and playbooks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rack_recipes.errors import UsageError
from rack_recipes.recipe.recipe_model import Recipe

NOT_A_WORD = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Job:
    """A recipe, and the folder of its playbooks in the project. Its name is that of its file, as part of a variable."""

    recipe: Recipe
    folder: Path

    @property
    def name(self) -> str:
        """The name of the recipe's file in letters, digits and `_`, such as `burn_in`."""
        return NOT_A_WORD.sub("_", Path(self.recipe.path).stem).strip("_").lower()

    @property
    def description(self) -> str:
        """What the recipe tests."""
        meta = self.recipe.test_meta
        return ": ".join(filter(None, (meta.test_id, meta.description)))

    @property
    def title(self) -> str:
        """The name of the job template that runs the recipe."""
        return f"rack {self.name}"

    @property
    def ending(self) -> str:
        """The name of the job template that adds up what the jobs of a workflow have told."""
        return f"rack {self.name} total"

    @property
    def workflow(self) -> str:
        """The name of the workflow."""
        return f"rack {self.name} workflow"

    @property
    def playbook(self) -> str:
        """The path of the playbook that runs the recipe."""
        return (self.folder / f"run_{self.name}.yml").as_posix()

    @property
    def ending_playbook(self) -> str:
        """The path of the playbook that adds up."""
        return (self.folder / f"total_{self.name}.yml").as_posix()


def check_names(jobs: Sequence[Job]) -> None:
    """Raise UsageError where two recipes would get the same name in AWX, or one would get none."""
    paths: dict[str, list[str]] = defaultdict(list)
    for job in jobs:
        paths[job.name].append(job.recipe.path)
    for name, same in paths.items():
        if not name:
            raise UsageError(
                f"{same[0]}: expected a file name with a letter or a digit: AWX's templates are named after it"
            )
        if len(same) > 1:
            raise UsageError(f"{' and '.join(same)}: both would be {name!r} in AWX: rename one of them")
