# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the program of a test suite: its output is shown while it runs, read line by line, and kept."""

from __future__ import annotations

import codecs
import importlib.util
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words
from scriptlets.tools.commands import PATHS

CHUNK = 65536
KEPT = 32 << 20  # bytes of the output that are kept for the attached file
LONGEST_LINE = 1 << 20  # bytes of a line that are looked at
SAID = 4096  # bytes at the end of the output that the reason of a verdict may quote
TICK = 0.1  # seconds between two looks whether the program has ended: its pipes may stay open after its end
GRACE = 10  # seconds from the first signal to SIGKILL
LEFT_IN_PIPES = 64  # reads after the end: a descendant that still prints must not hold the step up
ELF = b"\x7fELF"
# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "src": {"description": "The script to run; or a folder, with a slash at its end, with what `argv` runs"},
    "argv": {"description": "The program and its words; `./NAME` is a file of the folder `src`"},
    "args": {"description": "Further words behind the others; other users of the host can see them"},
    "env": {"description": "Variables of its environment, beside RACK_HOST and RACK_STEP"},
    "timeout": {"description": "A suite that has not ended by then is an error", "unit": "s"},
}


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (below 0 a signal), whether its time was over, and the last line that it said.

    `seconds` is what it took.
    """

    code: int
    timed_out: bool
    seconds: float
    said: str

    def problem(self, name, seconds):
        """What keeps its results from being whole; empty where it ended by itself."""
        if self.timed_out:
            return f"{name} did not end within {seconds:g} s: see its last lines in the log, or raise `timeout`"
        if self.code < 0:
            return f"{name} {end_in_words(self.code)}"
        return ""


def check_timeout(params):
    """Raises ValueError for a timeout that is not above 0."""
    if not params["timeout"] > 0:
        raise ValueError(f"timeout: expected a number of seconds above 0, got {params['timeout']:g}")


def check_program(params):
    """Raises ValueError where neither `src` nor `argv` says what to run."""
    if not params["src"] and not params["argv"]:
        raise ValueError("expected src, the path of a script, or argv, a list of words")


def environment(ctx, params):
    """The variables that a suite gets: the names of its host and its step, and those of `env`."""
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params["env"].items()}
    return {"RACK_HOST": ctx.host, "RACK_STEP": ctx.step, **given}


def place_of(src):
    """The folder in which a suite runs, and its name there, `.` for a folder. Raises ValueError where it is missing."""
    path = Path(src)
    if path.is_dir():
        return str(path), "."
    if not path.is_file():
        raise ValueError(f"src: there is no file {src} on this host: give the path of one, or of a file of the project")
    return str(path.parent), path.name


def program_of(params):
    """The folder and the command line of a program: `argv`, or the file `src`, each with `args` behind it.

    Raises ValueError where `src` is not there, and where it is a folder without `argv`.
    """
    folder, name = place_of(params["src"]) if params["src"] else (".", ".")
    argv = list(params["argv"] or ())
    if not argv and name == ".":
        raise ValueError("src is a folder: say in argv what to run in it, such as [./run.sh]")
    argv = argv or [f"./{name}"]
    return folder, [*started_by(folder, argv[0]), *argv[1:], *params["args"]]


def started_by(folder, word):
    """The words that start a program. A file with `#!` is started by its interpreter, any other text by /bin/sh.

    So a file needs no executable bit, which the files of a project lose on their way, and no folder without noexec.
    """
    path = Path(folder, word)
    if "/" not in word or not path.is_file():
        return [word]
    with path.open("rb") as file:
        start = file.readline(4096)
    if start.startswith(ELF):
        if not os.access(path, os.X_OK):
            path.chmod(0o700)
        return [word]
    if not start.startswith(b"#!"):
        return ["/bin/sh", word]
    return [*os.fsdecode(start[2:]).split(None, 1)[:1], *_argument(start), word]


def _argument(start):
    """The one argument that the kernel gives to an interpreter."""
    rest = os.fsdecode(start[2:]).split(None, 1)[1:]
    return [rest[0].strip()] if rest and rest[0].strip() else []


def tool(given, name, module, advice):
    """The words that call a tool: `given`, or `name` in PATH, or the module of this Python. Raises ValueError."""
    if given:
        return list(given)
    found = shutil.which(name, path=_path())
    if found:
        return [found]
    if importlib.util.find_spec(module):
        return [sys.executable, "-m", module]
    raise ValueError(
        f"{name} is not installed on this host: {advice}, or name it in `{name}`, such as [/opt/venv/bin/{name}]"
    )


def _path():
    return os.pathsep.join((os.environ.get("PATH", ""), *PATHS))


class Output:
    """What a program prints on one stream: shown at once, cut into lines for `take`, and kept in `file`."""

    def __init__(self, show, file, take=None):
        self.said = b""
        self._show, self._file, self._take = show, file, take
        self._decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode
        self._line = b""
        self._is_cut = False

    def add(self, data):
        """Take the next bytes; none at the end of the stream."""
        self._show.write(self._decode(data, final=not data))
        self.said = (self.said + data)[-SAID:]
        if self._file and self._file.tell() < KEPT:
            self._file.write(data[: KEPT - self._file.tell()])
        if self._take:
            self._split(data)

    def _split(self, data):
        *whole, rest = (self._line + data).split(b"\n")
        for line in whole:
            if not self._is_cut:
                self._tell(line)
            self._is_cut = False
        if len(rest) > LONGEST_LINE:
            if not self._is_cut:
                self._tell(rest)
            rest, self._is_cut = b"", True
        if not data and rest and not self._is_cut:
            self._tell(rest)
        self._line = rest if data else b""

    def _tell(self, line):
        self._take(line[:LONGEST_LINE].decode("utf-8", "backslashreplace").rstrip("\r"))


def stream(argv, folder, seconds, *, take=None, polite=signal.SIGTERM, env=(), attach=None):
    """Run a program to its end, or for `seconds`; `take` gets each line of its stdout.

    A program whose time is over gets the signal `polite` first, then SIGKILL. `attach` gets the output as the path of a
    file: stdout alone where it is taken, else with stderr. Returns how it ended. Raises ValueError where it cannot be
    started.
    """
    with tempfile.TemporaryFile() as file:
        started = time.monotonic()
        process = _started(argv, folder, env)
        errors = Output(sys.stderr, None if take else file)
        outputs = {process.stdout: Output(sys.stdout, file, take), process.stderr: errors}
        timed_out = _followed(process, outputs, seconds, polite)
        file.flush()
        if attach and file.tell():
            attach(f"/proc/self/fd/{file.fileno()}")
    said = next(filter(None, (each.said.strip() for each in (errors, *outputs.values()))), b"")
    last = said.rpartition(b"\n")[2].decode("utf-8", "backslashreplace")
    return Ended(process.returncode, timed_out, round(time.monotonic() - started, 3), last[:300])


def _started(argv, folder, env):
    given = {**os.environ, "PATH": _path(), "PYTHONDONTWRITEBYTECODE": "1", **dict(env)}
    try:
        return subprocess.Popen(
            argv, cwd=folder, env=given, bufsize=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError:
        raise ValueError(f"{argv[0]} is not installed on this host: install it, or name it by its path") from None
    except OSError as error:
        raise ValueError(f"{argv[0]} cannot be started: {error.strerror}") from None
    except ValueError as error:  # NUL in a word
        raise ValueError(f"{argv[0]!r} cannot be started: {error}") from None


def _followed(process, outputs, seconds, polite):
    """Read the output until the program has ended. Returns whether its time was over."""
    deadline, timed_out = time.monotonic() + seconds, False
    with selectors.DefaultSelector() as selector:
        for pipe, output in outputs.items():
            selector.register(pipe, selectors.EVENT_READ, output)
        while process.poll() is None:
            _read(selector, TICK)
            if time.monotonic() > deadline:
                process.send_signal(signal.SIGKILL if timed_out else polite)
                deadline, timed_out = time.monotonic() + GRACE, True
        for _chunk in range(LEFT_IN_PIPES):
            if not _read(selector, 0):
                break
        for key in [*selector.get_map().values()]:
            key.data.add(b"")
            key.fileobj.close()
    return timed_out


def _read(selector, wait):
    """Read what the pipes hold. Returns whether there was anything."""
    if not selector.get_map():
        time.sleep(wait)
        return False
    ready = selector.select(wait)
    for key, _events in ready:
        data = os.read(key.fd, CHUNK)
        key.data.add(data)
        if not data:
            selector.unregister(key.fileobj)
            key.fileobj.close()
    return bool(ready)
