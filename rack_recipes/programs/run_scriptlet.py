# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one scriptlet from a program, a notebook or a test, here or on a host."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rack_recipes.errors import UsageError
from rack_recipes.programs.build_command_line import Inventory, options_of, written
from rack_recipes.programs.call_cli import call_command
from rack_recipes.programs.program_context import Context
from rack_recipes.programs.recipe_result import Verdict


@dataclass(frozen=True, slots=True)
class ScriptletResult:
    """How a scriptlet ended: `verdict`, `reason` and `seconds`.

    `context` has the values that it has set, by key. `measurements` has all that it has measured and checked, as a run
    records it. `findings` has what it has found about its run.
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
    args: Mapping[str, Any] | None = None,
    *,
    host: str | None = None,
    inventory: Inventory | None = None,
    function: str = "",
    context: Context | Mapping[str, Any] | None = None,
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
    """
    folder = Path.cwd() / (project or "")
    if not folder.is_dir():
        raise UsageError(f"project: there is no folder {folder}")
    with tempfile.TemporaryDirectory(prefix="rack-recipes-") as own:
        words = [*_files(Path(own), args, context), *_host_words(host, inventory)]
        words += ["--function", function] if function else []
        words += [] if debug else ["--log-level", "error"]
        ended = call_command(["debug", name, "--json", *words], folder, env, sys.stderr if debug else None)
    if "verdict" not in ended.answer:
        raise ended.error()
    return _result(ended.answer)


def _files(own: Path, args: Mapping[str, Any] | None, context: Context | Mapping[str, Any] | None) -> Iterator[str]:
    """The words for what the command reads from files in the folder `own`: other users can see its words."""
    if args:
        yield from ("--args", f"@{written(own, 'args', args)}")
    if context is not None:
        data = {"context": context.rows()} if isinstance(context, Context) else context
        yield from ("--context", written(own, "context", data))


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
