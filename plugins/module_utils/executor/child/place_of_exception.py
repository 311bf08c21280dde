# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a scriptlet's own code was when an exception came out of it. Only a failure needs this."""

from __future__ import annotations

import json
import os
import shlex
import traceback

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import converted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType
    from typing import Any

PUBLISHED = "ansible_collections.rack.recipes.plugins.modules."
DROP_INS = "scriptlets."
AUTHORS = (DROP_INS, PUBLISHED)
HERE = ("", "localhost")
MOST_IN_WORD = 80  # characters of a value in the command
LIBRARY = "ansible_collections.rack.recipes.plugins.module_utils."


def place_of(error: BaseException, host: str, params: Mapping[str, object], *, with_advice: bool) -> str:
    """File and line of the scriptlet, in brackets, and `with_advice` how to see more on this host with these params.

    It is empty where no code of a scriptlet was at work, for an error of the library's own, such as that of a run that
    is aborted, and for a ValueError or an error of its own that a scriptlet raises itself: these words are meant for
    who reads the reason.
    """
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if _is_of_scriptlet(frame)]
    is_own = type(error).__name__ == "ValueError" or type(error).__module__.startswith(AUTHORS)
    is_told = type(error).__module__.startswith(LIBRARY) or (is_own and _is_raised_there(error))
    if not frames or is_told:
        return ""
    (frame, line), name = frames[-1], _name_of(frames[0][0])
    words = _debug_words(error, host, params)
    more = f"; `{' '.join(['rack-recipes debug', name, *words])}` shows more" if name and with_advice else ""
    return f" ({_file_of(frame)}:{line}{more})"


def _debug_words(error: BaseException, host: str, params: Mapping[str, object]) -> list[str]:
    """The host, and the arguments that are not as by default, with values that are short and no secret.

    The reason that they become a part of is masked as every reason is.
    """
    selves: Iterator[Any] = (frame.f_locals.get("self") for frame, _line in traceback.walk_tb(error.__traceback__))
    options = next((own.options for own in selves if hasattr(own, "options")), None) or {}
    words = [
        f"--arg {name}={_plain(options.get(name) or {}, value)}"
        for name, value in params.items()
        if _is_given(name, options.get(name) or {}, value)
    ]
    if host in HERE:
        return words
    inventories = json.loads(os.environ.get("RACK_INVENTORY", "[]"))
    return [*words, f"--host {shlex.quote(host)}", *(f"-i {shlex.quote(path)}" for path in inventories)]


def _is_given(name: str, spec: Mapping[str, Any], value: object) -> bool:
    """Whether an argument is other than by default. A default is converted, too: of `~/a` it is the whole path."""
    default = spec.get("default")
    return value is not None and (default is None or value != converted(name, spec, default))


def _plain(spec: Mapping[str, Any], value: object) -> str:
    """A value as a shell takes it, or three dots."""
    text = json.dumps(value) if isinstance(value, (bool, int, float)) else value
    is_plain = isinstance(text, str) and len(text) <= MOST_IN_WORD and text.isprintable() and "`" not in text
    return shlex.quote(str(text)) if is_plain and not spec.get("no_log") else "..."


def _is_of_scriptlet(frame: FrameType) -> bool:
    return _module_of(frame).startswith(AUTHORS)


def _is_raised_there(error: BaseException) -> bool:
    """Whether the last line of the traceback is a `raise`."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (last.line or "raise").startswith("raise")


def _file_of(frame: FrameType) -> str:
    """The path of a file in the project, or the name of one of the collection. On a host it lies elsewhere."""
    name = _module_of(frame)
    return f"{name.replace('.', '/')}.py" if name.startswith(DROP_INS) else os.path.basename(frame.f_code.co_filename)


def _name_of(frame: FrameType) -> str:
    """What recipes write as `module`."""
    name = _module_of(frame)
    return name[len(DROP_INS) :] if name.startswith(DROP_INS) else f"rack.recipes.{name[len(PUBLISHED) :]}"


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
