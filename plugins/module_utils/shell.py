# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Python class around one program or one shell script, for what a command line can already do."""

from __future__ import annotations

import codecs
import json
import os
import re
import select
import signal
import sys
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.child.launcher import variables
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.output_capture import TAIL, OutputCapture
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.spawn import spawn
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.scriptlet_result import missing, read_envelope
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import in_memory
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_class import Scriptlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
    from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask

CHUNK = 65536
KEPT = 65536  # bytes of its stderr: its last line is a part of what it ended with
TICK = 100  # milliseconds between two looks at a program whose pipes somebody else holds
GRACE = 10  # of them from TERM to KILL
LEFT_IN_PIPES = 64  # reads after the end: a descendant that still prints must not hold the step up
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python, and so by what it starts
PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ShellScriptlet(Scriptlet):
    """A scriptlet that runs one program, `command`, and reads what it prints.

    `command` is a tuple of words, or a text that is split into words as a shell would do it. `{name}` in a word stands
    for the argument of that name; as a word of its own it is left out where the argument has no value, and becomes
    several words where it is a list. No shell is in between, so an argument stays what it is, whatever is in it.

    With `shell = True`, `command` is a script for /bin/sh instead; it takes arguments as `$RACK_PARAM_NAME`.

    A subclass that defines `parse` gets all of stdout, once the program ended with one of `exit_codes`. Without
    `parse`, the last line of stdout has to be an envelope.
    """

    command: str | tuple[str, ...] = ()
    shell: bool = False
    exit_codes: tuple[int, ...] = (0,)

    def argv(self, ctx: ContextView, params: dict[str, Any]) -> list[str]:
        """The program and its words; override it where `command` cannot say them."""
        if self.shell:
            return ["/bin/sh", "-c", self.command if isinstance(self.command, str) else "\n".join(self.command)]
        words = _split(self.command) if isinstance(self.command, str) else self.command
        if not words:
            raise ValueError(f"{type(self).__name__} has no command")
        return [filled for word in words for filled in _filled(word, params)]

    def stdin(self, ctx: ContextView, params: dict[str, Any]) -> str:
        """What the program reads; the place for secrets, which others on the host could see among the words."""
        return ""

    def parse(self, stdout: str, ctx: ContextView, params: dict[str, Any]) -> int | None:
        """Set keys, measure and check by what the program printed; return and raise as `run` does."""
        raise NotImplementedError

    def run(self, ctx: ContextView, params: dict[str, Any]) -> int | None:
        """Run the program to its end. Raises ValueError where it ended badly, or OSError where it cannot be run."""
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
            raise ValueError(f"{argv[0]} {missing(program.stdout, mask)}")
        return self.parse(_whole(argv[0], program.stdout), ctx, params)


class Program:
    """A program that runs: what it prints on stdout is kept, what it prints on stderr goes to the log at once.

    Raises OSError where there is no such program.
    """

    def __init__(self, argv: list[str], env: dict[str, str], stdin: str) -> None:
        self.name = argv[0]
        self.stdout = OutputCapture()
        self.stderr = OutputCapture(0, KEPT)
        self.exit_code = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode
        opened = [in_memory(stdin.encode("utf-8", "surrogateescape")), *os.pipe(), *os.pipe()]
        try:
            self.pid = spawn(argv, env, {0: opened[0], 1: opened[2], 2: opened[4]}, IGNORED)
        except OSError as error:
            _close(opened[1::2])
            raise OSError(error.errno, os.strerror(error.errno or 0), argv[0]) from None
        finally:
            _close(opened[::2])
        self._poll = select.poll()
        self._pipes: dict[int, Callable[[bytes], None]] = {opened[1]: self.stdout.add, opened[3]: self._log}
        for pipe in self._pipes:
            self._poll.register(pipe, select.POLLIN)

    def finish(self) -> None:
        """Read what it prints until it has ended; end it where this is interrupted."""
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
            _close(list(self._pipes))
        self.exit_code = os.waitstatus_to_exitcode(status)

    def _read(self, wait: int) -> bool:
        """Take what there is after so many milliseconds at most; False where there is nothing."""
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
        """How it ended, in words."""
        if self.exit_code >= 0:
            return f"ended with exit code {self.exit_code}"
        try:
            return f"was killed by {signal.Signals(-self.exit_code).name}"
        except ValueError:
            return f"was killed by signal {-self.exit_code}"

    def last_words(self, mask: Mask | None = None) -> str:
        """The last line of its stderr, behind a colon; `mask` takes secrets out before it is cut."""
        said = self.stderr.text(4096, mask).strip().rpartition("\n")[2]
        return f": {said[:400]}" if said else ""


def _split(command: str) -> list[str]:
    import shlex  # most commands are tuples

    return shlex.split(command)


def _filled(word: str, params: dict[str, Any]) -> list[str]:
    """The words that a word of the command becomes."""
    alone = PLACE.fullmatch(word)
    if alone and alone.group(1) in params:
        value = params[alone.group(1)]
        items = value if isinstance(value, list) else [value]
        return [_text(item) for item in items if item is not None]
    return [PLACE.sub(lambda place: _text(params.get(place.group(1), place.group())), word)]


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _lines(stdout: OutputCapture, mask: Mask | None) -> str:
    """What was printed, with an end of its last line; of very much the end, that shows no half of a secret."""
    kept = stdout.ending()
    text = kept.decode("utf-8", "backslashreplace")
    if mask and len(kept) < stdout.size:
        from ansible_collections.rack.recipes.plugins.module_utils.masking.text_edges import whole_from

        text = text[whole_from(text, mask) :]
    return text if not text or text.endswith("\n") else f"{text}\n"


def _whole(name: str, stdout: OutputCapture) -> str:
    if stdout.size > TAIL:
        raise ValueError(f"{name} printed {stdout.size} bytes: what is to be parsed may have {TAIL}")
    return stdout.ending().decode("utf-8", "backslashreplace")


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(pid: int) -> None:
    """End a program politely, then by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _has_ended(pid):
            os.kill(pid, number)
        for _tick in range(GRACE):
            if _has_ended(pid):
                break
            time.sleep(TICK / 1000)
    os.waitpid(pid, 0)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
