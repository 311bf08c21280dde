# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls the command `rack-recipes` as a process of its own, with what a program gives as its words and files.

Nothing here belongs to the whole process, such as the working folder: several threads may call at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import check_value, shortened
from rack_recipes.errors import JournalError, RackError, StoreError, UsageError
from rack_recipes.run.start_python import CALL, PYTHON, python_environment

Inventory = str | os.PathLike[str] | Sequence[str]


def write_json_file(folder: Path, name: str, data: Mapping[str, object]) -> str:
    """The path of a new file of JSON in a folder. Raises UsageError for what is no JSON, with its path from `name`."""
    try:
        text = json.dumps(check_value(dict(data), name), indent=1)
    except ValueError as error:
        raise UsageError(shortened(str(error))) from None
    path = folder / f"{name}.json"
    path.write_text(text, encoding="utf-8")
    return str(path)


def options_of(given: Mapping[str, Any]) -> Iterator[str]:
    """The words of the options that have a value; a list gives one option for each of its items."""
    for name, value in given.items():
        if value is True:
            yield f"--{name}"
        elif value:
            values = [value] if isinstance(value, str | os.PathLike) else value
            yield from (word for one in values for word in (f"--{name}", os.fspath(one)))


ERRORS: Mapping[int, type[RackError]] = {error.exit_code: error for error in (JournalError, StoreError, UsageError)}


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """How the command ended: its exit code and its answer, the JSON object on stdout."""

    exit_code: int
    answer: dict[str, Any]

    def error(self) -> RackError:
        """The error that says why the command has done nothing."""
        return ERRORS.get(self.exit_code, RackError)(self.answer.get("reason", "rack-recipes gave no reason"))


def call_command(
    words: Sequence[str], project: Path, env: Mapping[str, str] | None = None, show: IO[str] | None = None
) -> CommandEnd:
    """Call `rack-recipes` in the folder `project`, and wait for its end.

    `env` holds additional variables. `show` gets what the command says on stderr, as it comes. If the command prints no
    JSON, its output becomes the reason of an error. An exception in the meantime, such as an interrupt, ends the
    command as Ctrl-C does, and the steps on the hosts with it.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace") as stdout:
        child = subprocess.Popen(
            [*PYTHON, "-c", CALL, *words],
            cwd=project,
            env={**python_environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
        )
        said = _followed(child, show)
        stdout.seek(0)
        printed = stdout.read()
    try:
        answer = json.loads(printed)
    except ValueError:
        ending = f"rack-recipes {words[0]} ended with exit code {child.returncode}"
        answer = {"status": "error", "reason": f"{ending}: {printed}{said}".strip(": \n")}
    return CommandEnd(child.returncode, answer)


def _followed(child: subprocess.Popen[str], show: IO[str] | None) -> str:
    """What a command says on stderr until it has ended."""
    lines: list[str] = []
    with child:
        try:
            for line in child.stderr or ():
                lines.append(line)
                if show is not None:
                    show.write(line)
        except BaseException:
            child.send_signal(signal.SIGINT)
            child.wait()
            raise
    return "".join(lines)
