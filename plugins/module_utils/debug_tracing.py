# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs to stderr what a scriptlet does while it runs. Only a step that is run with --debug imports this."""

from __future__ import annotations

import os
import reprlib
import sys
import time
from types import CodeType, FunctionType

from ansible_collections.rack.recipes.plugins.module_utils.author_traceback import traceback_of
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED, texts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any, Callable

    Say = Callable[[str], None]

MOST = 2000  # lines about the variables of one call; then they are no longer watched
LONGEST = 400  # letters of one value
OURS = "ansible_collections.rack.recipes.plugins.module_utils."
CALLER = ("self", "ctx", "params")  # logged once, as what the method was given


def traced(method: Callable[..., Any], scriptlet: object, *args: Any) -> Any:
    """Call `method(scriptlet, ..., ctx, params)` and return what it returns or raise what it raises.

    Its arguments, its changes of the context and of variables, and its end are logged to stderr.
    """
    ctx, params = args[-2:]
    shown = shown_of(scriptlet, ctx, params)
    say = prefixed(ctx, shown)
    name = f"{type(scriptlet).__name__}.{method.__name__}"
    started = time.monotonic()
    say(f"{name} starts, params: {shown.repr(params)}")
    try:
        with _Changes(ctx, say, shown), Variables({code.co_filename for code in _codes(method)}, say, shown):
            returned = method(scriptlet, *args)
    except BaseException as error:
        say(f"{name} raised {type(error).__name__}: {error} after {time.monotonic() - started:.3f} s")
        say(traceback_of(error, is_debug=True))
        raise
    say(f"{name} returned {shown.repr(returned)} after {time.monotonic() - started:.3f} s")
    return returned


def watched(run: Callable[..., Any], scriptlet: object, ctx: object, params: object) -> Any:
    """Call a scriptlet's bound method `run(ctx, params)` and return what it returns.

    Changes of the variables in its files are logged to stderr, unless a debugger or a measurement of coverage is at
    work.
    """
    files = files_of(type(scriptlet))
    if not files or sys.gettrace() is not None:
        return run(ctx, params)
    shown = shown_of(scriptlet, ctx, params)
    with Variables(files, prefixed(ctx, shown), shown):
        return run(ctx, params)


def files_of(kind: type) -> set[str]:
    """The files in which the methods of a class and of its bases are written, except our own files.

    All bases count, since `run` may be the method of a base.
    """
    authored = (above for above in kind.__mro__ if not above.__module__.startswith(OURS))
    return {code.co_filename for above in authored for method in vars(above).values() for code in _codes(method)}


def _codes(method: object) -> Iterator[CodeType]:
    """The code of a method or, where it wraps another, of the wrapped one; nothing for anything else."""
    method = method.fget if isinstance(method, property) else getattr(method, "__func__", method)
    while isinstance(method, FunctionType) and "__wrapped__" in vars(method):
        method = vars(method)["__wrapped__"]
    if isinstance(method, FunctionType):
        yield method.__code__


def shown_of(scriptlet: object, ctx: object, params: object) -> Shown:
    """The formatter of values for a scriptlet with these parameters. It hides the scriptlet's and the run's secrets."""
    secrets = secrets_of(getattr(scriptlet, "options", None) or {}, params)
    return Shown(secrets, getattr(ctx, "hidden", str))


def prefixed(ctx: object, shown: Shown) -> Say:
    """A function that writes lines to stderr, each beginning with run, step and host."""
    where = (os.environ.get("RACK_RUN"), getattr(ctx, "step", ""), getattr(ctx, "host", ""))
    head = " ".join(word or "-" for word in where)

    def say(text: str) -> None:
        for line in shown.masked(text).splitlines():
            sys.stderr.write(f"[{head}] {line}\n")

    return say


def secrets_of(options: dict[str, Any], params: object) -> list[str]:
    """The texts in the values of `no_log` options, suboptions included."""
    if not isinstance(params, dict):
        return []
    found: list[str] = []
    for name, spec in options.items():
        value = params.get(name)
        if spec.get("no_log"):
            found += texts_of(value)
        for inner in value if isinstance(value, list) else [value]:
            found += secrets_of(spec.get("options") or {}, inner)
    return found


class Shown(reprlib.Repr):
    """Formats values for a log: shortened, and without secrets. Secrets are taken out before anything is cut.

    `secrets` are the scriptlet's own. `hide` takes out those that the run knows; it is called for every text, since the
    run may learn more of them.
    """

    def __init__(self, secrets: list[str], hide: Callable[[str], str] = str) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxtuple, self.maxset = 4, 20, 20, 20, 20
        self.maxstring = self.maxlong = self.maxother = LONGEST
        self.secrets = {secret for secret in secrets if secret}
        self._mask, self._hide = Mask(self.secrets), hide

    def masked(self, text: str) -> str:
        """The text without secrets."""
        return self._hide(self._mask.mask(text))

    def repr_str(self, x: str, level: int) -> str:
        """A text."""
        return super().repr_str(self.masked(x), level)

    def repr_dict(self, x: dict[object, object], level: int) -> str:
        """A mapping. Of an environment only the size is shown, since any of its variables may hold a secret."""
        return f"<an environment of {len(x)} variables>" if _is_environment(x) else super().repr_dict(x, level)

    def repr_int(self, x: int, level: int) -> str:
        """A number, which may be a secret as well."""
        return repr(MASKED) if str(x) in self.secrets else super().repr_int(x, level)

    def repr_float(self, x: float, level: int) -> str:
        """A number, which may be a secret as well."""
        return repr(MASKED) if str(x) in self.secrets else repr(x)

    def repr_instance(self, x: Any, level: int) -> str:
        """Anything else. Its own `repr` may fail."""
        if _is_environment(x):
            return f"<an environment of {len(x)} variables>"
        try:
            text = self.masked(repr(x))
        except Exception as error:
            return f"<{type(x).__name__}, whose repr raises {type(error).__name__}>"
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _is_environment(value: object) -> bool:
    """Whether a value is this process's environment, or a mapping that holds most of it."""
    if value is os.environ or not isinstance(value, dict):
        return value is os.environ
    there = [name for name, text in os.environ.items() if dict.get(value, name) == text]
    return 2 * len(there) > len(os.environ)


class _Changes:
    """A context manager that logs each change of the context: key, author, value before and after."""

    def __init__(self, ctx: Any, say: Say, shown: Shown) -> None:
        self.ctx = ctx
        self.say = say
        self.shown = shown

    def __enter__(self) -> None:
        self.emit: Any = getattr(self.ctx, "_emit", None)
        if self.emit is not None:
            self.ctx.send_to(self._tell)

    def _tell(self, event: dict[str, Any]) -> None:
        if event.get("kind") == "delta":
            key, shown = event["key"], self.shown.repr
            before, after = shown(self.ctx.get(key)), shown(event["after"])
            self.say(f"context: {key} set by {event['who']}, before: {before}, after: {after}")
        self.emit(event)

    def __exit__(self, *_error: object) -> None:
        if self.emit is not None:
            self.ctx.send_to(self.emit)


class Variables:
    """A context manager that logs, line by line, which local variables of the functions in `files` change."""

    def __init__(self, files: set[str], say: Say, shown: Shown) -> None:
        self.files = files
        self.say = say
        self.shown = shown
        self.lines = 0

    def __enter__(self) -> None:
        self.is_on = sys.gettrace() is None
        if self.is_on:
            sys.settrace(self._call)
        else:
            self.say("variables: not watched beside a debugger or a measurement of coverage")

    def __exit__(self, *_error: object) -> None:
        if self.is_on:
            sys.settrace(None)

    def _call(self, frame: FrameType, _event: str, _argument: object) -> Any:
        """Python calls this for each function that is entered. What it returns is called for each line there."""
        if frame.f_code.co_filename not in self.files or self.lines > MOST:
            return None
        seen: dict[str, str] = {}
        last = frame.f_lineno

        def line(frame: FrameType, event: str, _argument: object) -> Any:
            nonlocal last
            if event != "exception":  # `traced` logs the exception
                self._compare(frame, last, seen)
                last = frame.f_lineno
            return line if self.lines <= MOST else None

        return line

    def _compare(self, frame: FrameType, number: int, seen: dict[str, str]) -> None:
        """Log what the line that has just run has changed."""
        for name, value in list(frame.f_locals.items()):
            if name in CALLER or not name.isidentifier():  # Python's own variables are no identifiers
                continue
            text = self.shown.repr(value)
            if seen.get(name) != text:
                seen[name] = text
                self._count(
                    f"{os.path.basename(frame.f_code.co_filename)}:{number} {frame.f_code.co_name}: {name} = {text}"
                )

    def _count(self, text: str) -> None:
        if self.lines > MOST:
            return
        self.lines += 1
        self.say(text if self.lines <= MOST else f"variables: more than {MOST} changes, not watched any more")
