# SPDX-License-Identifier: GPL-3.0-or-later

"""Decorators for authors of Python scriptlets."""

from __future__ import annotations

import functools
import os
import resource
import signal
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
HELD_UP = 5.0  # seconds that a busy machine may keep signal handlers from running


def register_scriptlet(scriptlet: Class) -> Class:
    """Register a class as a scriptlet, whatever it derives from. Raises TypeError if it has no method `run`.

    >>> @register_scriptlet
    ... class Own:
    ...     def run(self, ctx, params):
    ...         ctx.check("links", 2, eq=2)
    >>> rack_context.run(Own).verdict
    'passed'
    """
    if not callable(getattr(scriptlet, "run", None)):
        raise TypeError(f"{scriptlet.__name__} is no scriptlet: it has no method run(self, ctx, params)")
    REGISTRY[scriptlet.__name__] = scriptlet
    return scriptlet


def track_resources(run: Method) -> Method:
    """Log to stderr how long the decorated method took and how much the process's peak memory grew.

    >>> class Fan(Scriptlet):
    ...     @track_resources
    ...     def run(self, ctx, params):
    ...         ctx.check("speed", 900, "rpm", min=800)
    >>> rack_context.run(Fan).verdict  # stderr has [resource] step=Fan duration_sec=0.000 memory_diff=0.0MB
    'passed'
    """

    @functools.wraps(run)
    def wrapper(self: object, *args: Any, **named: Any) -> Any:
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
    """The peak memory of this process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def debug_trace(run: Method | None = None, *, force: bool = False) -> Any:
    """With --debug, log to stderr the decorated method's arguments, its changes of the context and of its variables.

    Each line begins with run, step and host. The variables are those of the method and of the functions in its file;
    they are compared line by line. Values of `no_log` options are masked. With `force=True` it logs without --debug,
    too. The decorator works with or without parentheses, on any method whose last arguments are `ctx` and `params`.

    >>> class Fan(Scriptlet):
    ...     @debug_trace(force=True)
    ...     def run(self, ctx, params):
    ...         ctx.set("fan.speed_v1", 900)
    >>> rack_context.run(Fan).verdict  # stderr has a line for each change
    'passed'
    """
    if run is None:
        return functools.partial(debug_trace, force=force)

    @functools.wraps(run)
    def wrapper(self: object, *args: Any) -> Any:
        if not force and os.environ.get(DEBUG, "0") in ("", "0"):
            return run(self, *args)
        from ansible_collections.rack.recipes.plugins.module_utils.debug_tracing import traced

        return traced(run, self, *args)

    wrapper.is_traced = True  # type: ignore[attr-defined]
    return wrapper


class TimeIsOver(BaseException):
    """Raised inside a method to end it. It is no Exception, so that `except Exception` cannot catch it."""


def timeout_enforce(seconds: float, grace: float = GRACE) -> Callable[[Method], Method]:
    """End the decorated method with TimeoutError once it has run for `seconds`.

    An exception that `except Exception` does not catch is raised inside the method. If the method still goes on, the
    process is ended after `grace` more seconds. The decorator works in the main thread only, which is where scriptlets
    run. Raises ValueError if `seconds` is not above 0.

    >>> class Slow(Scriptlet):
    ...     @timeout_enforce(0.05)
    ...     def run(self, ctx, params):
    ...         while True:
    ...             pass
    >>> rack_context.run(Slow).reason
    'TimeoutError: Slow.run was ended after 0.05 s'
    """
    if not seconds > 0:
        raise ValueError(f"timeout_enforce: expected a number of seconds above 0, got {seconds!r}")

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def wrapper(self: object, *args: Any, **named: Any) -> Any:
            what = f"{type(self).__name__}.{method.__name__} was ended after {seconds:g} s"
            with _Deadline(what, seconds, grace):
                return method(self, *args, **named)

        return wrapper  # type: ignore[return-value]

    return decorate


class _Deadline:
    """A context manager that raises TimeIsOver in its body after `seconds`.

    If the body goes on for `grace` seconds more, the process is ended.
    """

    def __init__(self, what: str, seconds: float, grace: float) -> None:
        self.what = what
        self.seconds = seconds
        self.grace = grace
        self.has_ended = False
        self.is_over = False

    def __enter__(self) -> None:
        self.around = signal.getitimer(signal.ITIMER_REAL)  # the deadline of an outer method
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
            left, grace = self.around
            _arm(max(0.001, left - (time.monotonic() - self.started)) if left else 0, grace)
            signal.signal(signal.SIGALRM, self.handler or signal.SIG_DFL)
        if self.is_over:
            raise TimeoutError(self.what) from error


def _arm(seconds: float, grace: float) -> None:
    """Send SIGALRM after `seconds`, and again every `grace` seconds. With 0 `seconds`, send none."""
    import faulthandler

    signal.setitimer(signal.ITIMER_REAL, seconds, grace)
    faulthandler.cancel_dump_traceback_later()
    if seconds:  # the last resort: in a C function that never returns, no signal handler runs
        faulthandler.dump_traceback_later(seconds + grace + max(grace, HELD_UP), exit=True, file=2)


def _leave(reason: str) -> None:
    """End the process at once. It prints an envelope with `reason` first, since nothing else would."""
    import json

    os.write(1, f"\n{json.dumps({'status': 'error', 'reason': reason, 'exit_code': 1})}\n".encode())
    os._exit(1)
