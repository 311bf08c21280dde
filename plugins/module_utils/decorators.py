# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decorators for authors of Python scriptlets."""

from __future__ import annotations

import functools
import os
import resource
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Callable, TypeVar

    Class = TypeVar("Class", bound=type)
    Method = TypeVar("Method", bound=Callable[..., Any])

REGISTRY: dict[str, type] = {}
DEBUG = "RACK_DEBUG"  # set in the environment of a step that is run with --debug
GRACE = 2.0  # seconds that a method has to clean up after its time is over


def register_scriptlet(scriptlet: Class) -> Class:
    """Mark a class as a scriptlet, also where it derives from none. Raises TypeError for one that cannot be run."""
    if not callable(getattr(scriptlet, "run", None)):
        raise TypeError(f"{scriptlet.__name__} is no scriptlet: it has no method run(self, ctx, params)")
    REGISTRY[scriptlet.__name__] = scriptlet
    return scriptlet


def track_resources(run: Method) -> Method:
    """Log to stderr how long the decorated method took and how much the process's peak memory grew."""

    @functools.wraps(run)
    def wrapper(self: Any, *args: Any, **named: Any) -> Any:
        before, started = _peak(), time.monotonic()
        try:
            return run(self, *args, **named)
        finally:
            seconds, grown = time.monotonic() - started, (_peak() - before) / 1024
            sys.stderr.write(
                f"[resource] step={type(self).__name__} duration_sec={seconds:.3f} memory_diff={grown:.1f}MB\n"
            )

    return wrapper  # type: ignore[return-value]


def _peak() -> int:
    """The largest memory so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def debug_trace(run: Method | None = None, *, force: bool = False) -> Any:
    """Log to stderr, with --debug, what the decorated method was given, did to the context and to its variables.

    Each line begins with run, step and host. Changed variables are those of the method and of the functions in its
    file, line by line; what `no_log` options hold is masked. With `force=True` it logs without --debug, too. It may
    stand with or without parentheses, before any method whose last arguments are `ctx` and `params`.
    """
    if run is None:
        return functools.partial(debug_trace, force=force)

    @functools.wraps(run)
    def wrapper(self: Any, *args: Any) -> Any:
        if not force and os.environ.get(DEBUG, "0") in ("", "0"):
            return run(self, *args)
        from ansible_collections.rack.recipes.plugins.module_utils.debug_tracing import traced

        return traced(run, self, *args)

    wrapper.is_traced = True  # type: ignore[attr-defined]
    return wrapper


class TimeIsOver(BaseException):
    """Ends a method from inside; no Exception, since `except Exception` must not keep the method alive."""


def timeout_enforce(seconds: float, grace: float = GRACE) -> Callable[[Method], Method]:
    """End the decorated method with TimeoutError once it has run for so many seconds.

    Whatever it does then, it does not pass: an exception that no `except Exception` holds up is raised in it, and
    where it goes on for all that, the process is ended after `grace` seconds more. It needs the main thread, where
    scriptlets run.
    """
    if not seconds > 0:
        raise ValueError(f"timeout_enforce: expected a number of seconds above 0, got {seconds!r}")

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def wrapper(self: Any, *args: Any, **named: Any) -> Any:
            what = f"{type(self).__name__}.{method.__name__} was ended after {seconds:g} s"
            with _Deadline(what, seconds, grace):
                return method(self, *args, **named)

        return wrapper  # type: ignore[return-value]

    return decorate


class _Deadline:
    """Raises TimeIsOver in its body once the time is over, and ends the process where that does not help."""

    def __init__(self, what: str, seconds: float, grace: float) -> None:
        self.what = what
        self.seconds = seconds
        self.grace = grace
        self.has_ended = False
        self.is_over = False

    def __enter__(self) -> None:
        import signal

        self.around = signal.getitimer(signal.ITIMER_REAL)  # a deadline of the method that calls this one
        self.counts = not 0 < self.around[0] <= self.seconds
        if self.counts:
            self.started = time.monotonic()
            self.handler = signal.signal(signal.SIGALRM, self._expire)
            _arm(self.seconds, self.grace)

    def _expire(self, _number: int, _frame: FrameType | None) -> None:
        if self.has_ended:
            return
        if self.is_over:
            _leave(f"{self.what}, and went on for {self.grace:g} s more")
        self.is_over = True
        raise TimeIsOver(self.what)

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self.has_ended = True
        if self.counts:
            import signal

            left, grace = self.around
            _arm(max(0.001, left - (time.monotonic() - self.started)) if left else 0, grace)
            signal.signal(signal.SIGALRM, self.handler or signal.SIG_DFL)
        if self.is_over:
            raise TimeoutError(self.what) from error


def _arm(seconds: float, grace: float) -> None:
    """Send SIGALRM after so many seconds and again after each `grace`; none for 0 seconds."""
    import faulthandler
    import signal

    signal.setitimer(signal.ITIMER_REAL, seconds, grace)
    faulthandler.cancel_dump_traceback_later()
    if seconds:  # the last resort where no handler of a signal is run, such as in a C function that never comes back
        faulthandler.dump_traceback_later(seconds + 2 * grace, exit=True, file=2)


def _leave(reason: str) -> None:
    """End the process at once, with an envelope: nothing behind this would write one."""
    import json

    os.write(1, f"\n{json.dumps({'status': 'error', 'reason': reason, 'exit_code': 1})}\n".encode())
    os._exit(1)
