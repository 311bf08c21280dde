# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inside a forked child: run the step's Python class, or become the program in a file."""

from __future__ import annotations

import json
import os
import signal
import sys
from _thread import allocate_lock

from ansible_collections.rack.recipes.plugins.module_utils.executor.descriptors import in_memory, write_all
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.plugins.module_utils.values import as_reason
from ansible_collections.rack.recipes.plugins.module_utils.view import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Callable, NoReturn

    Emit = Callable[[dict[str, Any]], None]

LARGEST_EVENT = 64 * 1024 * 1024  # bytes of JSON
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python, and so by what it starts


def enter(stdin: int, stdout: int, stderr: int) -> None:
    """Leave the executor's session, streams and signal handlers behind."""
    os.setsid()
    for target, source in enumerate((stdin, stdout, stderr)):
        os.dup2(source, target)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def execute_file(path: str, env: dict[str, str]) -> NoReturn:
    """Become the program in a file, also in one whose folder is mounted noexec."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_DFL)
    try:
        try:
            os.execve(path, [path], env)
        except PermissionError:
            with open(path, "rb") as program:
                os.execve(in_memory(program.read()), [path], env)
    except OSError as error:
        _leave(path, error)


def _leave(program: str, error: OSError) -> NoReturn:
    write_all(2, f"{program}: {error.strerror}\n".encode("utf-8", "backslashreplace"))
    os._exit(127)


def run_class(load: Callable[[], type[Scriptlet]], ctx: View, params: dict[str, Any], emit: Emit) -> NoReturn:
    """Run a Python scriptlet and end this process; how it ended is the last event."""
    sys.stdin = _stream(0, "r")
    sys.stdout, sys.stderr = printed = _stream(1, "w"), _stream(2, "w")
    verdict, reason, code = _outcome(load, ctx, params)
    for stream in printed:
        if not stream.closed:
            stream.flush()
    emit({"kind": "ending", "verdict": verdict, "reason": as_reason(reason)})
    os._exit(code and (code % 256 or 1))


def _stream(number: int, mode: str) -> IO[str]:
    """A new stream: the inherited one may hold text of the executor, and believes to be what it was before.

    It keeps no more than a line: a step that is killed has said what it did until then.
    """
    return open(number, mode, 1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _outcome(load: Callable[[], type[Scriptlet]], ctx: View, params: dict[str, Any]) -> tuple[str, str, int]:
    """Verdict, reason and exit code."""
    try:
        code = _run(load, ctx, params)
    except Failed as failed:
        return "failed", str(failed), 1
    except SystemExit as leaving:
        return _left(leaving.code)
    except BaseException as error:  # a scriptlet may raise anything, and nobody is behind this to take it
        import traceback  # only a mistake pays for it

        traceback.print_exc()
        return "error", _reason(error), 1
    return ("error", f"run returned {code}", code) if code else ("passed", "", 0)


def _run(load: Callable[[], type[Scriptlet]], ctx: View, params: dict[str, Any]) -> int:
    scriptlet = load()()
    validate = getattr(scriptlet, "validate", None)  # a registered class need not have one
    if validate is not None:
        validate(ctx, params)
    code: object = scriptlet.run(ctx, params)
    if code is not None and (not isinstance(code, int) or isinstance(code, bool)):
        raise ValueError(f"run returned {code!r:.80}: expected nothing, or an exit code")
    return code or 0


def _left(code: object) -> tuple[str, str, int]:
    """As Python does at `sys.exit`: a number is the exit code, anything else is printed and makes it 1."""
    if not code and (code is None or isinstance(code, int)):
        return "passed", "", 0
    if isinstance(code, int):
        return "error", f"left with exit code {code}", code
    sys.stderr.write(f"{code}\n")
    return "error", str(code), 1


def _reason(error: BaseException) -> str:
    text, name = str(error), type(error).__name__
    return text if text and name == "ValueError" else f"{name}: {text}" if text else name


def load_class(module: str, name: str) -> type[Scriptlet]:
    """The class `name` of an importable module."""
    __import__(module)
    found = getattr(sys.modules[module], name, None)
    if not isinstance(found, type) or not callable(getattr(found, "run", None)):
        raise ValueError(f"{module} has no scriptlet class {name}")
    return found


def emitter(events: int) -> Emit:
    """A function that sends one event to the executor, whole; it raises ValueError for one that is too large."""
    lock = allocate_lock()

    def emit(event: dict[str, Any]) -> None:
        data = json.dumps(event).encode() + b"\n"
        if len(data) > LARGEST_EVENT:
            name = event.get("key") or event.get("name")
            raise ValueError(f"{name}: {len(data)} bytes of JSON, a step can hand over {LARGEST_EVENT} at once")
        with lock:
            write_all(events, data)

    return emit
