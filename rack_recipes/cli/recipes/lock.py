# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `lock`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import examples
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    from rack_recipes.run.trust.lock_file import Difference, LockFile
    from rack_recipes.settings import Settings


def add_lock(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument(
        "recipes", nargs="*", metavar="RECIPE", help="recipes to lock, in addition to those that are locked already"
    )
    command.add_argument(
        "--check", action="store_true", help="write nothing; show what differs from the lock file (exit code 1)"
    )
    examples(
        command,
        "rack-recipes lock recipes/*.yml && git diff rack-recipes.lock",
        "rack-recipes lock --check",
        "rack-recipes run recipes/numbers.yml --locked",
    )


def lock(options: argparse.Namespace) -> Answer:
    """Record what recipes are made of, so that `run --locked` runs nothing else.

    The file rack-recipes.lock has the SHA-256 of each recipe and of the recipes that it includes, and of each scriptlet
    and hook with the files that it imports. For Ansible modules it has the versions of their packages; for modules,
    plugins and collections of the project it has their digests. The file belongs into version control. A recipe that no
    longer exists is dropped.
    """
    from rack_recipes import settings as project
    from rack_recipes.run.trust.check_trust import check_lock
    from rack_recipes.run.trust.lock_file import LockFile, differences, has_lock, read_lock, write_lock

    settings = project.load()
    locked = read_lock() if has_lock() or options.check else LockFile()
    paths = _recipe_paths(options.recipes, locked)
    current = _current_lock(paths, settings)
    found = [*differences(locked, current)]
    if options.check:
        return _answer(found, len(current.recipes), 1 if found else 0)
    check_lock(paths, settings)
    write_lock(current)
    return _answer(found, len(current.recipes), 0)


def _recipe_paths(given: Iterable[str], locked: LockFile) -> list[str]:
    """Return the paths of the given recipes and of the locked ones that still exist.

    Raises UsageError if there are none.
    """
    from rack_recipes.run.trust.trust_request import in_project

    paths = {**dict.fromkeys(map(in_project, given)), **{path: None for path in locked.recipes if Path(path).exists()}}
    if not paths and not locked.recipes:
        raise UsageError("rack-recipes lock: expected RECIPE, such as recipes/numbers.yml: none is locked yet")
    return sorted(paths)


def _current_lock(paths: Iterable[str], settings: Settings) -> LockFile:
    from rack_recipes.plan.compile.playbook_file import plan_of
    from rack_recipes.run.trust.lock_file import lock_of
    from rack_recipes.run.trust.trust_request import request_of_plan

    return lock_of(request_of_plan(plan_of(path, settings), settings) for path in paths)


def _answer(found: Iterable[Difference], recipes: int, code: int) -> Answer:
    """Print a line to stderr for each difference, and return the answer with all of them."""
    differences = [*found]
    sys.stderr.writelines(f"{one}\n" for one in differences)
    status = "error" if code else "ok"
    return {"status": status, "recipes": recipes, "differences": [asdict(one) for one in differences]}, code
