# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the step's Python class inside a forked child. The last event tells how that ended."""

from __future__ import annotations

import os
import sys

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LONGEST_MESSAGE, bounded
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_class import Failed, Scriptlet, Skipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Callable, NoReturn

    from ansible_collections.rack.recipes.plugins.module_utils.executor.child.child_process_setup import Emit

    Load = Callable[[], type[Scriptlet]]

DEBUG = "RACK_DEBUG"


def run_class(load: Load, ctx: ContextView, params: dict[str, Any], emit: Emit, method: str = "run") -> NoReturn:
    """Run a Python scriptlet, or only its `validate` if `method` says so, and end this process.

    The last event, of kind `ending`, has the verdict and the reason.
    """
    sys.stdin = _stream(0, "r")
    sys.stdout, sys.stderr = printed = _stream(1, "w"), _stream(2, "w")
    verdict, reason, code = _outcome(load, ctx, params, method)
    for stream in printed:
        if not stream.closed:
            stream.flush()
    emit({"kind": "ending", "verdict": verdict, "reason": reason[:LONGEST_MESSAGE]})
    os._exit(code and (code % 256 or 1))


def _stream(number: int, mode: str) -> IO[str]:
    """A new stream: the inherited one may hold text of the executor, and refers to what the descriptor was before.

    It buffers one line at most, so that the output of a step that is killed is not lost.
    """
    return open(number, mode, 1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _outcome(load: Load, ctx: ContextView, params: dict[str, Any], method: str) -> tuple[str, str, int]:
    """Verdict, reason and exit code."""
    try:
        code = _run(load, ctx, params, method)
    except Failed as failed:
        return "failed", str(failed), 1
    except Skipped as skipped:
        return "skipped", str(skipped), 0
    except SystemExit as leaving:
        return _left(leaving.code)
    except BaseException as error:  # a scriptlet may raise anything, and nothing else would catch it
        import traceback  # imported here, since only a failure needs it

        traceback.print_exc()
        return "error", _reason(error), 1
    return ("error", f"run returned {code}", code) if code else ("passed", "", 0)


def _run(load: Load, ctx: ContextView, params: dict[str, Any], method: str) -> int:
    scriptlet = load()()
    validate = getattr(scriptlet, "validate", None)  # a registered class need not have one
    if validate is not None:
        validate(ctx, params)
    code = _called(scriptlet, ctx, params) if method == "run" else None
    if code is not None and (not isinstance(code, int) or isinstance(code, bool)):
        raise ValueError(f"run returned {bounded(repr(code))}: expected nothing, or an exit code")
    return code or 0


def _called(scriptlet: Scriptlet, ctx: ContextView, params: dict[str, Any]) -> object:
    """Call `run` and return what it returns. With --debug its variables are logged, unless it does that itself."""
    run = scriptlet.run
    if os.environ.get(DEBUG, "0") in ("", "0") or getattr(run, "is_traced", False):
        return run(ctx, params)
    from ansible_collections.rack.recipes.plugins.module_utils.debug_tracing import watched

    return watched(run, scriptlet, ctx, params)


def _left(code: object) -> tuple[str, str, int]:
    """The outcome of `sys.exit(code)`: a number is the exit code; anything else is printed and makes it 1."""
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
    """The class `name` of an importable module. Raises ValueError if it has no such scriptlet class."""
    __import__(module)
    found = getattr(sys.modules[module], name, None)
    if not isinstance(found, type) or not callable(getattr(found, "run", None)):
        raise ValueError(f"{module} has no scriptlet class {name}")
    return found
