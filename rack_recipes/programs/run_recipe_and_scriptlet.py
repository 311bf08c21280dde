# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a recipe or a single scriptlet from a program, a notebook or a test."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import check_key, shortened
from rack_recipes.context.context_model import REFUSED
from rack_recipes.context.initial_context_file import to_data
from rack_recipes.context.run_context import RUN
from rack_recipes.errors import UsageError
from rack_recipes.programs.call_cli import CommandEnd, Inventory, call_command, options_of, write_json_file
from rack_recipes.programs.program_context import Context
from rack_recipes.programs.recipe_result import RecipeResult, Verdict, read_result

Recipe = str | os.PathLike[str] | Mapping[str, Any]
Names = str | Sequence[str]


def run_recipe(  # noqa: PLR0913 - the options of the command that programs need, all by name
    recipe: Recipe,
    *,
    inventory: Inventory | None = None,
    limit: str | None = None,
    params: Mapping[str, object] | None = None,
    context: Context | Mapping[str, object] | None = None,
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

    >>> run_recipe("recipes/first.yml").verdicts["disk"]
    'passed'
    """
    given = RunOptions(
        inventory=inventory, limit=limit, params=params, context=context, only=only, skip=skip, report=report,
        debug=debug, db=db, options=options,
    )  # fmt: skip
    folder = _folder_of(project)
    with tempfile.TemporaryDirectory(prefix="rack-recipes-") as own:
        ended = end_of_run(Path(own), recipe, folder, given)
    if "folder" not in ended.answer:
        raise _with_advice(ended.error(), recipe, folder)
    return read_result(ended.exit_code, ended.answer, folder)


class RunOptions(TypedDict, total=False):
    """What `run_recipe` takes beside the recipe, and so does the fixture of this name."""

    inventory: Inventory | None
    limit: str | None
    params: Mapping[str, object] | None
    context: Context | Mapping[str, object] | None
    only: Names | None
    skip: Names | None
    report: bool
    debug: bool
    db: str | None
    project: str | os.PathLike[str] | None
    options: Sequence[str]


def _folder_of(project: str | os.PathLike[str] | None) -> Path:
    folder = Path.cwd() / (project or "")
    if not folder.is_dir():
        raise UsageError(f"project: there is no folder {folder}")
    return folder


def end_of_run(
    own: Path, recipe: Recipe, folder: Path, given: RunOptions, env: Mapping[str, str] | None = None
) -> CommandEnd:
    """Run a recipe in `folder` with what is `given`; `own` is a folder for files that only this run needs.

    A log that was asked for is shown on stderr. Raises UsageError as `_file_words` does.
    """
    options = given.get("options", ())
    named = {name: given.get(name) for name in ("inventory", "limit", "only", "skip", "report", "debug")}
    words = [*_file_words(own, recipe, given), *options_of(named), *options]
    hidden = {"RACK_RECIPES_DB": db} if (db := given.get("db")) else {}  # not a word: other users can see them
    logs = given.get("debug") or any(word.startswith(("--debug", "--log-level")) for word in options)
    ended = call_command(["run", "--json", *words], folder, {**(env or {}), **hidden}, sys.stderr if logs else None)
    if "reason" in ended.answer:  # whoever gave a mapping knows nothing of its file
        file = rf"--param-file: {re.escape(str(own))}/params\.json[:\d]*: "
        ended.answer["reason"] = re.sub(file, "params: ", ended.answer["reason"])
    return ended


def _file_words(own: Path, recipe: Recipe, given: RunOptions) -> Iterator[str]:
    """The words for what the command reads from files. What is no file yet is written into the folder `own`.

    Raises UsageError for what is no JSON, and for a key of the context that a run does not take.
    """
    params, context = given.get("params"), given.get("context")
    yield write_json_file(own, "recipe", recipe) if isinstance(recipe, Mapping) else os.fspath(recipe)
    if params:
        yield from ("--param-file", write_json_file(own, "params", params))
    if context is not None:
        yield from ("--context", write_json_file(own, "context", _context_data(context)))


def _context_data(context: Context | Mapping[str, object]) -> dict[str, Any]:
    """The context as a file has it. Raises UsageError for a key that a run does not take."""
    rows = context.rows() if isinstance(context, Context) else []
    if isinstance(context, Mapping):
        rows = [{"key": key, "host": RUN, "value": value} for key, value in context.items()]
    for row in rows:
        try:
            check_key(row["key"])
        except ValueError as error:
            raise UsageError(shortened(f"context: {error}; a run takes only keys with a version")) from None
    history = context.get_history() if isinstance(context, Context) else []
    who: dict[str, dict[str, str]] = {}
    for change in history:
        if change.get("outcome") != REFUSED:
            who.setdefault(change["host"], {})[change["key"]] = change["who"]
    return {**to_data("", None, rows), "who": who}


def _with_advice(error: Exception, recipe: Recipe, folder: Path) -> Exception:
    """The error, with what to do if the recipe's file is missing."""
    if isinstance(recipe, Mapping) or folder.joinpath(recipe).exists():
        return error
    advice = f"paths are relative to {folder}, and `rack-recipes new recipe NAME` begins a recipe"
    return type(error)(f"{error}; {advice}")


@dataclass(frozen=True, slots=True)
class ScriptletResult:
    """How a scriptlet ended: `verdict`, `reason` and `seconds`.

    `context` has the values that it has set, by key. `measurements` has all that it has measured and checked, as a run
    records it. `findings` has what it has found about its run.

    >>> result = run_scriptlet("memory.usage")
    >>> sorted(result.measured), sorted(result.context)
    (['memory_used'], ['memory.usage_v1'])
    """

    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0
    context: Mapping[str, Any] = field(default_factory=dict)
    measurements: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()

    @property
    def measured(self) -> dict[str, Any]:
        """The last value of each measurement and check, by name."""
        return {one["name"]: one["value"] for one in self.measurements}

    @property
    def checked(self) -> dict[str, str]:
        """The last verdict of each check, by name."""
        return {one["name"]: one["verdict"] for one in self.measurements if "verdict" in one}


def run_scriptlet(  # noqa: PLR0913 - the options of the command that programs need, all by name
    name: str,
    args: Mapping[str, object] | None = None,
    *,
    host: str | None = None,
    inventory: Inventory | None = None,
    function: str = "",
    context: Context | Mapping[str, object] | None = None,
    debug: bool = False,
    project: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> ScriptletResult:
    """Run one scriptlet and return how it ended. A verdict other than passed raises nothing.

    `name` is what a recipe writes as `module`: a scriptlet of the project or of the collection, in any language. It
    runs on this machine, or on `host` of `inventory`. `args` are its arguments, `context` the keys that it finds: a
    Context, or values by key. `function` is the class, if the file has several. With `debug` stderr shows what it does.
    `project` is the folder whose scriptlets and settings hold, by default the working folder. `env` are further
    variables. Raises RackError if it cannot be run, as for a name that is not there. Its own checks are judged.

    >>> run_scriptlet("disk.usage", {"path": "/", "max_percent": 100}).verdict
    'passed'
    """
    folder = _folder_of(project)
    with tempfile.TemporaryDirectory(prefix="rack-recipes-") as own:
        words = [*_files(Path(own), args, context), *_host_words(host, inventory)]
        words += ["--function", function] if function else []
        words += [] if debug else ["--log-level", "error"]
        ended = call_command(["debug", name, "--json", *words], folder, env, sys.stderr if debug else None)
    if "verdict" not in ended.answer:
        raise ended.error()
    return _result(ended.answer)


def _files(
    own: Path, args: Mapping[str, object] | None, context: Context | Mapping[str, object] | None
) -> Iterator[str]:
    """The words for what the command reads from files in the folder `own`: other users can see its words."""
    if args:
        yield from ("--args", f"@{write_json_file(own, 'args', args)}")
    if context is not None:
        data = {"context": context.rows()} if isinstance(context, Context) else context
        yield from ("--context", write_json_file(own, "context", data))


def _host_words(host: str | None, inventory: Inventory | None) -> Iterator[str]:
    if inventory is not None and host is None:
        raise UsageError("inventory: it has no effect without a host: name one, as in host='leaf1'")
    yield from options_of({"host": host, "inventory": inventory})


def _result(answer: Mapping[str, Any]) -> ScriptletResult:
    reason = answer.get("reason", "")
    return ScriptletResult(
        Verdict(answer["verdict"], reason),
        reason,
        answer["seconds"],
        answer["outputs"],
        tuple(answer["measurements"]),
        tuple(answer.get("findings", ())),
    )
