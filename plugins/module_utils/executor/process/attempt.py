# SPDX-License-Identifier: GPL-3.0-or-later

"""One attempt of one step, as its parent process sees it.

A child in its own session, with pipes, a deadline, and output that is kept in a limited amount of memory.
"""

from __future__ import annotations

import codecs
import json
import os
import select
import signal
import time

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    LONGEST_MESSAGE,
    mark_if_long,
    shortened,
)
from ansible_collections.rack.recipes.plugins.module_utils.executor.child import start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.start_process import spawn_program
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import (
    close_all,
    in_memory,
    try_to,
    write_all,
)
from ansible_collections.rack.recipes.plugins.module_utils.program_end import BY_SIGNAL, oom_kills, oom_kills_since

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource
    from typing import Any, Callable, NoReturn

    from ansible_collections.rack.recipes.plugins.module_utils.executor.child.start_process import Program
    from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask

    Event = dict[str, Any]

HEAD = 16 * 1024
TAIL = 4 * 1024 * 1024
LOOKED_AT = 20_000  # bytes before the end that are searched for secrets


class OutputCapture:
    """Collects bytes. Of more than `head + tail` bytes only the first and the last are kept."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._head = b""
        self._tail = bytearray()
        self._limits = (head, tail)
        self.size = 0

    def add(self, data: bytes) -> None:
        """Take the next data."""
        head, tail = self._limits
        self.size += len(data)
        room = head - len(self._head)
        if room:
            self._head, data = self._head + data[:room], data[room:]
        self._tail += data
        if len(self._tail) > 2 * tail:
            del self._tail[:-tail]

    def ending(self) -> bytes:
        """The last bytes, as many as are kept without a gap."""
        tail = bytes(self._tail[-self._limits[1] :])
        return tail if self.size > len(self._head) + len(tail) else self._head + tail

    def text(self, limit: int, mask: Mask | None = None) -> str:
        """The output as text for people.

        Of more than `limit` bytes it has the beginning, a note of how much was left out, and the end. `mask` takes
        secrets out before anything is cut, since half a secret would not be found any more.
        """
        whole, half = self.ending(), limit // 2
        if self.size <= limit:
            text = whole.decode("utf-8", "backslashreplace")
            return _shown(mask.mask(text) if mask else text)
        if mask:
            head, tail = self._masked_ends(whole, limit, mask)
            if head is tail and len(head) <= limit:
                return _shown(head)
            head, tail = head[:half], tail[-half:]
        else:
            head, tail = _before_cut(self._head[:half]), _after_cut(whole[-half:])
        return _shown(f"{head}\n[... {self.size - 2 * half} bytes left out ...]\n{tail}")

    def _masked_ends(self, whole: bytes, limit: int, mask: Mask) -> tuple[str, str]:
        """The beginning and the end without secrets. If the whole text is short enough, both are the whole text.

        How much is masked depends on the limit and on the longest secret, not on what was printed.
        """
        from ansible_collections.rack.recipes.plugins.module_utils.mask import masked_beginning, masked_ending

        reach, is_all = limit + 2 * mask.longest, len(whole) == self.size
        if is_all and self.size <= 2 * reach:
            text = shortened(mask.mask(whole.decode("utf-8", "backslashreplace")))
            return text, text
        first = whole if is_all else self._head
        head = masked_beginning(_before_cut(first[:reach]), mask)
        return shortened(head), shortened(masked_ending(_after_cut(whole[-reach:]), mask))

    def end(self, limit: int, mask: Mask | None = None) -> str:
        """The last `limit` characters as text for people, without white space around them."""
        kept = self.ending().rstrip()
        if mask is None:
            return kept[-limit:].decode("utf-8", "backslashreplace").strip()
        from ansible_collections.rack.recipes.plugins.module_utils.mask import masked_ending

        reach = LOOKED_AT + 2 * mask.longest
        if len(kept) <= reach and len(self.ending()) == self.size:
            text = mask.mask(kept.decode("utf-8", "backslashreplace"))
        else:
            text = masked_ending(_after_cut(kept[-reach:]), mask)
        return shortened(text)[-limit:].strip()


def _before_cut(data: bytes) -> str:
    """The bytes as text. Half a character at the end is left out."""
    return codecs.getincrementaldecoder("utf-8")("backslashreplace").decode(data)


def _after_cut(data: bytes) -> str:
    """The bytes as text. Half a character at the beginning, at most three bytes, is left out."""
    start = next((place for place in range(min(4, len(data))) if data[place] & 0xC0 != 0x80), 0)
    return data[start:].decode("utf-8", "backslashreplace")


def _shown(text: str) -> str:
    """Masked text as files accept it. Its marked values are cut: a scriptlet may have printed a message with some."""
    return shortened(text).replace("\0", "\\x00")


class Lines:
    """Puts lines together from pieces of data, and hands each line to `take`. `longest` is in bytes."""

    def __init__(self, take: Callable[[bytes], None], longest: int) -> None:
        self._take = take
        self._longest = longest
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        """Take the next data. Raises ValueError for a line that is too long to be kept."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            line = b"".join((*self._pieces, end))
            self._pieces, self._size = [], 0
            self._take(line)
        self._pieces.append(rest)
        self._size += len(rest)
        if self._size > self._longest:
            self._pieces, self._size = [], 0
            raise ValueError(f"a line of more than {self._longest} bytes")


CHUNK = 65536
QUIET = 0.01  # seconds in which most steps end: until then nobody reads their pipes, which have room for the output
GRACE = 2.0  # seconds from TERM to KILL
LOOK = 0.1  # seconds between two inspections
LEFT_IN_PIPES = 64  # reads after the end: a descendant that still prints must not hold the step up
SHOWN = 20000
PROCESSES = 1000  # processes of one attempt that are kept for a log
NEVER = float("inf")


class Attempt:
    """A running child. `timeout` is in seconds; None sets no limit.

    `change` gets each change of the context, `conceal` the texts that the child registers as secret.
    """

    def __init__(
        self, timeout: float | None, change: Callable[[Event], None], conceal: Callable[[list[str]], None] | None = None
    ) -> None:
        self.stdout = OutputCapture()
        self.stderr = OutputCapture()
        self.ending: Event | None = None
        self.measurements: list[Event] = []
        self.findings: list[Event] = []
        self._processes: list[Event] = []
        self._unkept = 0  # processes beyond `PROCESSES`
        self.secrets = 0  # how many texts it has registered as secret
        self.stopped = ""
        self.is_waiting = False  # it passed by itself, but does not fulfil `until` yet
        self.exit_code = 0
        self.signal = 0
        self.pid = 0
        self.mark = 0
        self.usage: resource.struct_rusage | None = None
        self.group: dict[str, Any] = {}
        self.pipes: dict[int, Callable[[bytes], None]] = {}
        self.is_watched = False
        self.ask: Callable[[int], None] | None = None
        self.patterns: Event | None = None  # by key, of a program that prints no envelope
        self._change = change
        self._conceal = conceal
        self._events: Lines | None = None
        self._measured = 0
        self._oom_kills: int | None = None  # on this machine, soon after the child's start
        self._timeout = timeout
        self._inspect: Callable[[], str] | None = None
        self._look = NEVER
        self.started = self.ended = time.monotonic()
        self.deadline = self.started + timeout if timeout else NEVER

    @property
    def due(self) -> float:
        """The moment, on the monotonic clock, at which `check` has to be called unless the child ends before."""
        return min(self.deadline, self._look if self.is_watched else self.started + QUIET)

    def start(self, stdin: bytes, program: Program, mark: int = 0) -> None:
        """Start the child; `mark` is the one that it bears.

        Raises OSError if it cannot be started, and ValueError if its arguments cannot be handed over.
        """
        takers = [self.stdout.add, self.stderr.add]
        if callable(program):
            self._events = Lines(self._take_line, start_process.LARGEST_EVENT)
            takers.append(self._add_events)
        opened: list[int] = []
        try:
            opened.append(in_memory(stdin) if stdin else os.open(os.devnull, os.O_RDONLY))
            for _stream in takers:
                opened += os.pipe()
            self.pid = _started(program, opened)
        except (OSError, ValueError):
            close_all(opened)
            raise
        self.mark = mark
        close_all([opened[0], *opened[2::2]])
        self.pipes = dict(zip(opened[1::2], takers))

    def read(self, pipe: int) -> int:
        """Read what one pipe holds now. Returns the number of bytes, 0 at its end. Blocks while the pipe is empty."""
        data = os.read(pipe, CHUNK)
        if data:
            self.pipes[pipe](data)
        return len(data)

    def _add_events(self, data: bytes) -> None:
        if self._events is None:
            return
        try:
            self._events.add(data)
        except ValueError as error:
            self._events = None
            self.stop(f"stopped: it sent {error}")

    def _take_line(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind = event["kind"]
        except (ValueError, LookupError, TypeError):
            raise ValueError(f"what is no event: {mark_if_long(repr(line[:LONGEST_MESSAGE]))}") from None
        if kind in ("measurement", "finding"):
            self._measured += len(line)
        if self._measured > start_process.LARGEST_EVENT:
            raise ValueError(f"more than {start_process.LARGEST_EVENT} bytes of measurements or findings")
        self.receive(event)

    def receive(self, event: Event) -> None:
        """Take one event of the step or of its envelope."""
        kind = event.pop("kind")
        if kind == "ending":
            self.ending = event
        elif kind == "measurement":
            self.measurements.append(event)
        elif kind == "finding":
            self.findings.append(event)
        elif kind == "secret":
            self.secrets += len(event["texts"])
            if self._conceal:
                self._conceal(event["texts"])
        elif kind == "process":
            if len(self._processes) < PROCESSES:
                self._processes.append(event)
            else:
                self._unkept += 1
        else:
            self._change(event)

    def stop(self, reason: str) -> None:
        """Ask the child's process group to end: by `ask`, or else with TERM. It gets `GRACE` seconds for that."""
        if not self.stopped:
            self.stopped = reason
            self.deadline = time.monotonic() + GRACE
            if self.ask:
                self.ask(self.pid)
            else:
                self.kill(signal.SIGTERM)

    def inspect_by(self, inspect: Callable[[], str]) -> None:
        """From now on call `inspect` regularly. It returns why the child has to be stopped, or an empty text."""
        self._inspect, self._look = inspect, self.started

    def check(self) -> bool:
        """Stop the child if its time is up. Returns whether its pipes have to be read from now on."""
        moment = time.monotonic()
        if moment >= self.deadline:
            self.stop(f"timed out after {self._timeout or 0:g} s")
        elif self._inspect and moment >= self._look and not self.stopped:
            self._look = moment + LOOK
            reason = self._inspect()
            if reason:
                self.stop(reason)
        is_watched, self.is_watched = self.is_watched, moment >= self.started + QUIET
        if self.is_watched and not is_watched:
            self._oom_kills = oom_kills()
            return True
        return False

    @property
    def ended_by(self) -> set[int]:
        """The signals that may have ended the child. A shell turns a signal of its own child into an exit code."""
        return {self.signal, self.exit_code - BY_SIGNAL}

    def starved(self) -> str:
        """A remark in brackets if the child may have been killed for lack of memory, else an empty text."""
        if self._oom_kills is None or self.stopped or signal.SIGKILL not in self.ended_by:
            return ""
        return oom_kills_since(self._oom_kills)

    def kill(self, number: int) -> None:
        """Send a signal to the child's group, or to the child where it has no group yet.

        It may have ended, or belong to another user now, such as a child that became sudo.
        """
        if self.pid > 1:  # 0 is the executor's own group
            try_to(os.killpg, self.pid, number) or try_to(os.kill, self.pid, number)

    def has_ended(self) -> bool:
        """Whether the child has ended, or has to be killed since it does not end. Its pipes may still be open.

        It stays a zombie, so that its process number is not used again.
        """
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        return bool(self.stopped) and time.monotonic() >= self.deadline

    def finish(self) -> None:
        """After the child's end: kill its group, empty its pipes, and keep what it has used.

        A child that could not be killed, such as one of another user, has no figures of use.
        """
        self.ended = time.monotonic()
        self.kill(signal.SIGKILL)
        self._drain()
        pipes, self.pipes = self.pipes, {}
        close_all(list(pipes))
        _pid, status, self.usage = os.wait4(self.pid, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status)
        self.exit_code, self.signal = (code, 0) if code >= 0 else (0, -code)

    def end_in_words(self, argv: list[str]) -> str:
        """How the child, which runs the program `argv`, has ended; for a log."""
        end = f"signal {self.signal}" if self.signal else f"exit code {self.exit_code}"
        return _process_in_words({"pid": self.pid, "argv": argv, "end": end, "seconds": self.ended - self.started})

    def processes_in_words(self) -> list[str]:
        """The processes that the child has reported to have started, each as a line for a log."""
        more = [f"{self._unkept} more processes"] if self._unkept else []
        return [*map(_process_in_words, self._processes), *more]

    def cpu_seconds(self) -> float:
        """CPU seconds of the child and of all processes that it waited for."""
        return self.usage.ru_utime + self.usage.ru_stime if self.usage else 0.0

    def _drain(self) -> None:
        """Read what is left in the pipes. A daemon may go on writing into them, so the number of reads is limited."""
        poll = select.poll()
        for pipe in self.pipes:
            poll.register(pipe, select.POLLIN)
        for _chunk in range(LEFT_IN_PIPES):
            read = [self.read(pipe) for pipe, event in poll.poll(0) if event & select.POLLIN]
            if CHUNK not in read:
                return

    def record(self, verdict: str, reason: str, started: str, mask: Mask | None = None) -> dict[str, Any]:
        """The record of this attempt: times in seconds, memory in KiB, blocks of 512 bytes. `mask` takes secrets out.

        Raises ValueError if the attempt has not ended.
        """
        usage = self.usage
        if usage is None:
            raise ValueError("the attempt has not ended")
        return {
            "verdict": verdict,
            "reason": reason,
            "started": started,
            "seconds": round(time.monotonic() - self.started, 6),
            "exit_code": self.exit_code,
            "signal": self.signal,
            "user_sec": round(usage.ru_utime, 6),
            "system_sec": round(usage.ru_stime, 6),
            "max_rss_kib": usage.ru_maxrss,
            "in_blocks": usage.ru_inblock,
            "out_blocks": usage.ru_oublock,
            "voluntary_switches": usage.ru_nvcsw,
            "involuntary_switches": usage.ru_nivcsw,
            "stdout": self.stdout.text(SHOWN, mask),
            "stderr": self.stderr.text(SHOWN, mask),
            **({"group": self.group} if self.group else {}),
            **({"findings": self.findings} if self.findings else {}),
        }


def _started(program: Program, opened: list[int]) -> int:
    if isinstance(program, tuple):
        return _spawned(dict(enumerate(opened[0:5:2])), *program)
    pid = os.fork()
    if not pid:
        _become(program, opened)
    return pid


def _spawned(streams: dict[int, int], argv: list[str], env: dict[str, str], begun: bytes | None = None) -> int:
    if begun is None:
        return spawn_program(argv, env, streams, start_process.IGNORED, session=True)
    records = start_process.records_of(begun)
    try:
        more = {start_process.RECORDS: records, start_process.GIVEN: 0}
        return spawn_program(argv, env, {**streams, **more}, start_process.IGNORED, session=True)
    finally:
        os.close(records)


def _process_in_words(event: Event) -> str:
    name = f"process {event['pid'] or 'unknown'}"
    argv = f" {json.dumps(event['argv'], ensure_ascii=False)}" if event["argv"] else ""
    if "end" not in event:
        return f"{name} becomes{argv}"
    if not event["end"]:
        return f"{name}{argv}: nobody has waited for its end"
    return f"{name}{argv}, after {event['seconds']:.3f} s, ended with {event['end']}"


def _become(program: Callable[[start_process.EventWriter], NoReturn], opened: list[int]) -> NoReturn:
    """In the child: take the other ends of the pipes as streams, and run `program`. Never returns."""
    stdin, stdout, stderr, events = opened[0], *opened[2::2]
    try:
        start_process.enter_child(stdin, stdout, stderr)
        program(start_process.EventWriter(events))
    except BaseException as error:
        write_all(2, f"cannot become the step: {type(error).__name__}: {error}\n".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(125)
