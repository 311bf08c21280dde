# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a scriptlet's class in Python's debugger, while the executor runs it in a child process as usual."""

from __future__ import annotations

import io
import os
import pdb  # noqa: T100 - what this file is for
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import PurePosixPath
from typing import IO, Any

from ansible_collections.rack.recipes.plugins.module_utils import legacy_imports
from ansible_collections.rack.recipes.plugins.module_utils.author_traceback import traceback_of
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet, Skipped
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry


def with_debugger(entry: ScriptletEntry) -> type[Scriptlet]:
    """Return the scriptlet's class with a `run` that stops in the debugger when it begins and where it raises.

    The debugger uses the stdin and stderr of this process, because stdout is for the answer alone.
    """
    legacy_imports.install()
    module = import_module(".".join(PurePosixPath(entry.inside).with_suffix("").parts))
    scriptlet: type[Scriptlet] = getattr(module, entry.function)
    terminal = os.dup(0), os.dup(2)

    def run(self: Scriptlet, ctx: object, params: dict[str, object]) -> Any:
        with _streams(*terminal) as screen:
            return _debug(Debugger(screen), scriptlet, self, ctx, params)

    return type(scriptlet.__name__, (scriptlet,), {"run": run})


def _debug(debugger: Debugger, scriptlet: type[Scriptlet], *call: Any) -> Any:
    try:
        code = debugger.runcall(scriptlet.run, *call)
    except (Failed, Skipped, SystemExit):
        raise
    except Exception as error:
        debugger.inspect(error)
        raise
    if debugger.was_left:
        sys.exit("left in the debugger")  # no traceback: nothing of the author's has failed
    return code


class Debugger(pdb.Pdb):
    """A debugger that writes to `screen`, while the scriptlet prints to stdout.

    `was_left` is True once the user has quit before the end.
    """

    def __init__(self, screen: IO[str]) -> None:
        with redirect_stdout(screen):
            super().__init__()
        self._screen = screen
        self.was_left = False

    def set_quit(self) -> None:
        """Quit."""
        self.was_left = True
        super().set_quit()

    def interaction(self, *place: Any) -> None:
        """Let the user type commands. sys.stdout is replaced by the terminal, so that lines can be edited."""
        with redirect_stdout(self._screen):
            super().interaction(*place)

    def inspect(self, error: Exception) -> None:
        """Let the user inspect the frame that raised an exception."""
        self._screen.write(traceback_of(error))
        self.reset()
        self.interaction(None, error.__traceback__)


class Copier(io.TextIOBase):
    """A stream that writes to all of its streams."""

    def __init__(self, *streams: IO[str]) -> None:
        self._streams = streams

    def write(self, text: str) -> int:
        """Write a text to each stream."""
        for stream in self._streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush each stream."""
        for stream in self._streams:
            stream.flush()


@contextmanager
def _streams(source: int, target: int) -> Iterator[IO[str]]:
    """Make the terminal stdin and stdout of this process; what is printed also goes to the executor."""
    pipe = os.dup(1)
    before = sys.stdin, sys.stdout
    os.dup2(source, 0)
    os.dup2(target, 1)
    with open(pipe, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False) as kept:
        screen = open(1, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115 - stays open
        sys.stdin, sys.stdout = open(0, closefd=False), Copier(kept, screen)  # noqa: SIM115
        try:
            yield screen
        finally:
            sys.stdin, sys.stdout = before
            os.dup2(pipe, 1)
