# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inside the forked child: become the step's program, or run its Python class."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.plugins.module_utils.view import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn, TextIO

    Emit = Callable[[dict[str, Any]], None]


def enter(stdin: int, stdout: int, stderr: int, folder: str) -> None:
    """Leave the executor's session, pipes and signal handlers behind."""
    os.setsid()
    for target, source in enumerate((stdin, stdout, stderr)):
        os.dup2(source, target)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(folder)


def become(argv: list[str], env: dict[str, str]) -> NoReturn:
    """Replace this process; where that fails, say so as a shell would."""
    try:
        os.execvpe(argv[0], argv, env)
    except OSError as error:
        os.write(2, ("%s: %s\n" % (argv[0], error.strerror)).encode())
    os._exit(127)


def run_class(load: Callable[[], type[Scriptlet]], ctx: View, params: dict[str, Any], emit: Emit) -> NoReturn:
    """Run a Python scriptlet and end this process; how it ended is the last event."""
    sys.stdout, sys.stderr = (_stream(number) for number in (1, 2))
    code = 1
    try:
        code = _run(load, ctx, params)
        verdict, reason = ("passed", "") if code == 0 else ("error", "run returned %d" % code)
    except Failed as failed:
        verdict, reason = "failed", str(failed)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        verdict, reason = ("passed", "") if code == 0 else ("error", "left with exit code %s" % leaving.code)
    except BaseException as error:
        traceback.print_exc()
        verdict, reason = "error", _reason(error)
    emit({"kind": "ending", "verdict": verdict, "reason": reason})
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if 0 <= code < 256 else 1)


def _stream(number: int) -> TextIO:
    """A new stream: the inherited one may hold text of the executor, and believes to be what it was before."""
    return open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def _run(load: Callable[[], type[Scriptlet]], ctx: View, params: dict[str, Any]) -> int:
    scriptlet = load()()
    scriptlet.validate(ctx, params)
    code = scriptlet.run(ctx, params)
    return code if isinstance(code, int) else 0


def _reason(error: BaseException) -> str:
    text = str(error)
    return text if isinstance(error, ValueError) and text else "%s: %s" % (type(error).__name__, text)


def load_class(module: str, name: str) -> type[Scriptlet]:
    """The class `name` of an importable module; in a drop-in the seed's import lines work."""
    if module.startswith("scriptlets."):
        from ansible_collections.rack.recipes.plugins.module_utils import seed

        seed.install()
    found = getattr(importlib.import_module(module), name, None)
    if not isinstance(found, type) or not callable(getattr(found, "run", None)):
        raise ValueError("%s has no scriptlet class %s" % (module, name))
    return found


def emitter(events: int) -> Emit:
    """A function that sends one event to the executor, whole."""

    def emit(event: dict[str, Any]) -> None:
        data = memoryview(json.dumps(event).encode() + b"\n")
        while data:
            data = data[os.write(events, data) :]

    return emit
