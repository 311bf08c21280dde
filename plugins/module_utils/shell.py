# SPDX-License-Identifier: GPL-3.0-or-later

"""The base class of a Python scriptlet that runs one program or one shell script."""

from __future__ import annotations

import codecs
import json
import os
import re
import select
import signal
import sys
import time

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import mark_if_long
from ansible_collections.rack.recipes.plugins.module_utils.context_view import Scriptlet
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import variables
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.start_process import IGNORED, spawn_program
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import (
    CHUNK,
    LEFT_IN_PIPES,
    TAIL,
    OutputCapture,
)
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import (
    describe_missing_envelope,
    read_envelope,
)
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import close_all, in_memory
from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
    from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask

KEPT = 65536  # bytes of the program's stderr that are kept, since the reason of a verdict quotes its last line
TICK = 100  # milliseconds between two checks whether the program has ended: its pipes may stay open after its end
GRACE = 10  # ticks from TERM to KILL
PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ShellScriptlet(Scriptlet):
    """A scriptlet that runs one program, `command`, and reads what it prints.

    `command` is a tuple of words, or a text that is split into words as a shell does it. `{name}` in a word stands for
    the argument of that name. Where a word is `{name}` alone, an argument without a value is left out, and a list
    becomes several words. No shell is involved, so arguments may hold any characters.

    With `shell = True`, `command` is a script for /bin/sh instead; it takes arguments as `$RACK_PARAM_NAME`.

    A subclass that defines `parse` gets all of stdout, once the program ended with one of `exit_codes`. Without
    `parse`, the last line of stdout has to be an envelope.

    >>> class Words(ShellScriptlet):
    ...     options = {"text": {"type": "str", "required": True}}
    ...     command = ("echo", "{text}")
    ...     def parse(self, stdout, ctx, params):
    ...         ctx.check("words", len(stdout.split()), min=2)
    >>> rack_context.run(Words, {"text": "all is well"}).verdict
    all is well
    [echo ended with exit code 0]
    'passed'
    """

    command: str | tuple[str, ...] = ()
    shell: bool = False
    exit_codes: tuple[int, ...] = (0,)

    def argv(self, ctx: ContextView, params: dict[str, Any]) -> list[str]:
        """The program and its words; override it where `command` is not enough. Raises ValueError if there are none."""
        if self.shell:
            return ["/bin/sh", "-c", self.command if isinstance(self.command, str) else "\n".join(self.command)]
        words: Sequence[str] = self.command
        if isinstance(self.command, str):
            import shlex  # most commands are tuples

            words = shlex.split(self.command)
        if not words:
            raise ValueError(f"{type(self).__name__} has no command")
        return [filled for word in words for filled in _filled(word, params)]

    def stdin(self, ctx: ContextView, params: dict[str, Any]) -> str:
        """The text that the program reads. Pass secrets here: others on the host can see a program's arguments."""
        return ""

    def parse(self, stdout: str, ctx: ContextView, params: dict[str, Any]) -> int | None:
        """Set keys, measure and check according to what the program printed. Returns and raises what `run` does."""
        raise NotImplementedError

    def run(self, ctx: ContextView, params: dict[str, Any]) -> int | None:
        """Run the program to its end. Returns its exit code, or what `parse` returns.

        Raises ValueError for an unexpected exit code, or if the envelope is missing; OSError if the program cannot be
        run.
        """
        argv = self.argv(ctx, params)
        given = variables(self.options, params, getattr(ctx, "shows_secret", None)) if self.shell else {}
        program = Program(argv, {**os.environ, **given}, self.stdin(ctx, params))
        program.finish()
        mask = getattr(ctx, "mask", None)
        has_parser = type(self).parse is not ShellScriptlet.parse
        sys.stdout.write(_lines(program.stdout, mask))
        if not has_parser and read_envelope(program.stdout):
            return program.exit_code
        sys.stdout.write(f"[{argv[0]} {program.ending}]\n")  # nothing before it can be taken for an envelope
        if program.exit_code not in self.exit_codes:
            raise ValueError(f"{argv[0]} {program.ending}{program.last_words(mask)}")
        if not has_parser:
            raise ValueError(f"{argv[0]} {describe_missing_envelope(program.stdout, mask)}")
        return self.parse(_whole(argv[0], program.stdout), ctx, params)


def run_program(
    argv: Sequence[str], *, stdin: str = "", exit_codes: Sequence[int] = (0,), env: Mapping[str, str] | None = None
) -> str:
    """Run a program to its end, and return what it printed on stdout. Its stderr is logged at once.

    `argv` are the program and its words; no shell is involved. `stdin` is what it reads: pass secrets there. `env` has
    further variables. A step's `timeout` ends the program too. Raises ValueError for another exit code than one of
    `exit_codes`, with the last line of stderr, and for more than 4 MiB on stdout; OSError if it cannot be started.

    >>> run_program(["printf", "%03d", "7"])
    '007'
    """
    if isinstance(argv, str) or not argv:
        raise ValueError(f"run_program: expected a list of words such as ['ip', '-j', 'link'], got {argv!r}")
    words = [str(word) for word in argv]
    program = Program(words, {**os.environ, **(env or {})}, stdin)
    program.finish()
    if program.exit_code not in exit_codes:
        said = program.stderr.text(KEPT).strip().rpartition("\n")[2]
        raise ValueError(f"{words[0]} {program.ending}{f': {mark_if_long(said)}' if said else ''}")
    return _whole(words[0], program.stdout)


class Program:
    """A running program. Its stdout is kept, its stderr is logged at once.

    Raises OSError if it cannot be started.
    """

    def __init__(self, argv: list[str], env: dict[str, str], stdin: str) -> None:
        self.name = argv[0]
        self.stdout = OutputCapture()
        self.stderr = OutputCapture(0, KEPT)
        self.exit_code = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode
        opened = [in_memory(stdin.encode("utf-8", "surrogateescape")), *os.pipe(), *os.pipe()]
        try:
            self.pid = spawn_program(argv, env, {0: opened[0], 1: opened[2], 2: opened[4]}, IGNORED)
        except OSError as error:
            close_all(opened[1::2])
            raise OSError(error.errno, os.strerror(error.errno or 0), argv[0]) from None
        finally:
            close_all(opened[::2])
        self._poll = select.poll()
        self._pipes: dict[int, Callable[[bytes], None]] = {opened[1]: self.stdout.add, opened[3]: self._log}
        for pipe in self._pipes:
            self._poll.register(pipe, select.POLLIN)

    def finish(self) -> None:
        """Read the program's output until it has ended. If this is interrupted, the program is ended too."""
        try:
            while self._pipes and not _has_ended(self.pid):
                self._read(TICK)
            for _chunk in range(LEFT_IN_PIPES):
                if not self._read(0):
                    break
            _pid, status = os.waitpid(self.pid, 0)
        except BaseException:
            _end(self.pid)
            raise
        finally:
            close_all(list(self._pipes))
        self.exit_code = os.waitstatus_to_exitcode(status)

    def _read(self, wait: int) -> bool:
        """Read what the pipes hold, after at most `wait` milliseconds. Returns False if there was nothing."""
        ready = self._poll.poll(wait)
        for pipe, _event in ready:
            data = os.read(pipe, CHUNK)
            self._pipes[pipe](data)
            if not data:
                self._poll.unregister(pipe)
                del self._pipes[pipe]
                os.close(pipe)
        return bool(ready)

    def _log(self, data: bytes) -> None:
        self.stderr.add(data)
        sys.stderr.write(self._decode(data, final=not data))

    @property
    def ending(self) -> str:
        """How the program ended, in words."""
        return end_in_words(self.exit_code)

    def last_words(self, mask: Mask | None = None) -> str:
        """`: ` and the last line of stderr, empty if there is none. `mask` takes secrets out before the line is cut."""
        said = self.stderr.text(4096, mask).strip().rpartition("\n")[2]
        return f": {said[:400]}" if said else ""


def _filled(word: str, params: dict[str, object]) -> list[str]:
    """The words that `word` becomes once its arguments are filled in."""
    alone = PLACE.fullmatch(word)
    if alone and alone.group(1) in params:
        value = params[alone.group(1)]
        items = value if isinstance(value, list) else [value]
        return [_text(item) for item in items if item is not None]
    return [PLACE.sub(lambda place: _text(params.get(place.group(1), place.group())), word)]


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _lines(stdout: OutputCapture, mask: Mask | None) -> str:
    """What was printed, ending in a newline.

    Of very long output only the end is kept. It does not begin with half a secret.
    """
    kept = stdout.ending()
    text = kept.decode("utf-8", "backslashreplace")
    if mask and len(kept) < stdout.size:
        from ansible_collections.rack.recipes.plugins.module_utils.mask import whole_from

        text = text[whole_from(text, mask) :]
    return text if not text or text.endswith("\n") else f"{text}\n"


def _whole(name: str, stdout: OutputCapture) -> str:
    if stdout.size > TAIL:
        raise ValueError(f"{name} printed {stdout.size} bytes: what is to be parsed may have {TAIL}")
    return stdout.ending().decode("utf-8", "backslashreplace")


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(pid: int) -> None:
    """End a program: send TERM, then KILL if it still runs."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _has_ended(pid):
            os.kill(pid, number)
        for _tick in range(GRACE):
            if _has_ended(pid):
                break
            time.sleep(TICK / 1000)
    os.waitpid(pid, 0)
