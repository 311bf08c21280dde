# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a recipe from a program or a notebook."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import check_key, shortened
from rack_recipes.context.initial_context_file import to_data
from rack_recipes.context.run_context import RUN
from rack_recipes.errors import UsageError
from rack_recipes.programs.build_command_line import Inventory, options_of, written
from rack_recipes.programs.call_cli import call_command
from rack_recipes.programs.program_context import Context
from rack_recipes.programs.recipe_result import RecipeResult, read_result

Recipe = str | os.PathLike[str] | Mapping[str, Any]
Names = str | Sequence[str]


def run_recipe(  # noqa: PLR0913 - the options of the command that programs need, all by name
    recipe: Recipe,
    *,
    inventory: Inventory | None = None,
    limit: str | None = None,
    params: Mapping[str, Any] | None = None,
    context: Context | Mapping[str, Any] | None = None,
    only: Names | None = None,
    skip: Names | None = None,
    report: bool = False,
    debug: bool = False,
    db: str | None = None,
    project: str | os.PathLike[str] | None = None,
    options: Sequence[str] = (),
) -> RecipeResult:
    """Run a recipe to its end, as `rack-recipes run` does, and return its results.

    `recipe` is the path of a file, or a mapping. It runs on the hosts of `inventory` (by default Ansible's setting, or
    else this machine), of which `limit` may choose some. `params` are values for its parameters, `context` what the run
    starts with: a Context, or keys of the run with their values. `only` and `skip` name steps. With `report` the report
    is written, with `debug` stderr shows what steps do. `db` is the URL of the store. `options` are further words for
    `rack-recipes run`. Paths are relative to `project`, the folder whose scriptlets and settings hold, by default the
    working folder.

    A step that does not pass raises nothing: look at `exit_code` and `verdicts`. Raises RackError if nothing was run:
    for a recipe with mistakes its text has file, line and column of each. It may be called from several threads.
    """
    folder = Path.cwd() / (project or "")
    if not folder.is_dir():
        raise UsageError(f"project: there is no folder {folder}")
    with tempfile.TemporaryDirectory(prefix="rack-recipes-") as own:
        given = {"inventory": inventory, "limit": limit, "only": only, "skip": skip, "report": report, "debug": debug}
        words = [*recipe_words(Path(own), recipe, params, context), *options_of(given), *options]
        env = {"RACK_RECIPES_DB": db} if db else {}  # not among the words: other users can see them
        ended = call_command(["run", "--json", *words], folder, env, sys.stderr if debug else None)
    if "folder" not in ended.answer:
        raise _with_advice(ended.error(), recipe, folder)
    return read_result(ended.exit_code, ended.answer, folder)


def recipe_words(
    own: Path, recipe: Recipe, params: Mapping[str, Any] | None, context: Context | Mapping[str, Any] | None = None
) -> Iterator[str]:
    """The words for what the command reads from files. What is no file yet is written into the folder `own`.

    Raises UsageError for what is no JSON, and for a key of the context that a run does not take.
    """
    yield written(own, "recipe", recipe) if isinstance(recipe, Mapping) else os.fspath(recipe)
    if params:
        yield from ("--param-file", written(own, "params", params))
    if context is not None:
        yield from ("--context", written(own, "context", _context_data(context)))


def _context_data(context: Context | Mapping[str, Any]) -> dict[str, Any]:
    """The context as a file has it. Raises UsageError for a key that a run does not take."""
    rows = context.rows() if isinstance(context, Context) else []
    if isinstance(context, Mapping):
        rows = [{"key": key, "host": RUN, "value": value} for key, value in context.items()]
    for row in rows:
        try:
            check_key(row["key"])
        except ValueError as error:
            raise UsageError(shortened(f"context: {error}; a run takes only keys with a version")) from None
    return to_data("", None, rows)


def _with_advice(error: Exception, recipe: Recipe, folder: Path) -> Exception:
    """The error, with what to do if the recipe's file is missing."""
    if isinstance(recipe, Mapping) or folder.joinpath(recipe).exists():
        return error
    advice = f"paths are relative to {folder}, and `rack-recipes new recipe NAME` begins a recipe"
    return type(error)(f"{error}; {advice}")
