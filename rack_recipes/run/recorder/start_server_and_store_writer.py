# SPDX-License-Identifier: GPL-3.0-or-later

"""The two processes that the recorder starts beside the run.

The context server, and the store writer, which it asks to flush.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from rack_recipes.collection_path import ROOT
from rack_recipes.errors import UsageError
from rack_recipes.private_files import FILE_MODE
from rack_recipes.run.current_run import Run
from rack_recipes.run.processes import END, FLUSH, FLUSH_SOON, NOW, OK, SHARE, STORE_WRITER_LOG, to_request
from rack_recipes.run.start_python import CALL, PYTHON, python_environment

SOCKET, SERVER_LOG = "ctx.sock", "server.log"
LONGEST_PATH = 107  # bytes of a socket's path; see unix(7)
NEEDED = ("starlette", "uvicorn")


def check_packages() -> None:
    """Raise UsageError if the packages of the server are not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UsageError(
            f"--serve needs the Python packages {', '.join(missing)}: `pip install 'rack-recipes[server]'` brings them"
        )


def start_server(run: Run) -> None:
    """Start it, and do not wait: it is needed by steps on the live bus alone, and these wait for it."""
    (run.folder / SERVER_LOG).touch(FILE_MODE)
    options = ["serve", "--run", run.run_id, "--with-run", "--socket", str(_socket(run.folder))]
    with (run.folder / SERVER_LOG).open("ab") as log:
        subprocess.Popen(
            [*PYTHON, "-c", CALL, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**python_environment(ROOT), "RACK_RECIPES_RUNS": str(run.folder.parent.absolute())},
            start_new_session=True,  # an interrupt at the terminal must not end it before the steps
        )


def _socket(folder: Path) -> Path:
    """The socket for other programs: in the run's folder, unless its path is too long for a socket."""
    path = folder / SOCKET
    return path if len(os.fsencode(path)) <= LONGEST_PATH else Path(tempfile.mkdtemp(prefix="rack-recipes-")) / SOCKET


PROGRAM = "rack_recipes.run.store_writer"


class FailedFlush(NamedTuple):
    """A request that failed: the journal's size in bytes, the time until which it could wait, and what went wrong."""

    size: int
    deadline: float
    problem: str


NOTHING_FAILED = FailedFlush(-1, 0.0, "")


class StoreWriterClient:
    """Starts the store writer of a run and sends it requests.

    The database is used in that process alone: one that is absent or slow holds up no stage, and no connection is
    shared with Ansible's workers.
    """

    def __init__(self, run: Run) -> None:
        self._timeout = run.settings.store_timeout
        patience = self._timeout * SHARE
        arguments = [str(run.path), str(run.settings.flush_interval), str(run.settings.flush_deltas), str(patience)]
        (run.folder / STORE_WRITER_LOG).touch(FILE_MODE)
        with (run.folder / STORE_WRITER_LOG).open("wb") as log:
            self._process = subprocess.Popen(
                [*PYTHON, "-c", f"from {PROGRAM} import main; main()", *arguments],
                bufsize=0,  # a buffered request to a dead process would be sent again when the pipe is closed
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=python_environment(ROOT),
                start_new_session=True,  # an interrupt at the terminal must not end it before the last flush
            )
        self._stdin: Any = self._process.stdin
        self._stdout: Any = self._process.stdout
        self._send(f"{run.settings.db}\n".encode())  # not an argument: it may hold a password
        self._questions = 0
        self._answers = b""
        self._journal = run.path
        self._failed = NOTHING_FAILED
        # The store writer ends when its stdin is closed everywhere; a worker may outlive the main process.
        os.register_at_fork(after_in_child=self._close)
        if threading.current_thread() is threading.main_thread():  # Python allows no other thread to do this
            signal.signal(FLUSH_SOON, lambda _number, _frame: self.flush_soon())

    def _close(self) -> None:
        self._stdin.close()
        self._stdout.close()

    def flush_soon(self) -> None:
        """Request a flush and do not wait for it; does nothing in a worker."""
        self._send(to_request(NOW))

    def _send(self, line: bytes) -> None:
        with suppress(BrokenPipeError, ValueError):  # the process has ended, or this is a worker, which closed the pipe
            self._stdin.write(line)

    def flush(self) -> str:
        """Bring everything so far into the store; returns what went wrong, an empty text for nothing."""
        return self._ask(FLUSH)

    def finish(self) -> str:
        """Flush for the last time and end the process; returns what went wrong, an empty text for nothing."""
        problem = self._ask(END)
        self._close()
        if problem:
            self._process.kill()
        self._process.wait()
        return problem

    def _ask(self, word: bytes) -> str:
        """Send a request and wait for its answer; returns what went wrong, an empty text for nothing.

        A run's end asks several times. Where the last request failed and the journal has not grown since, both share
        one time limit.
        """
        size = self._journal.stat().st_size if self._journal.exists() else 0
        before = self._failed if self._failed.size == size else NOTHING_FAILED
        deadline = before.deadline or time.monotonic() + self._timeout
        try:
            self._stdin.write(to_request(word, deadline - time.monotonic()))
        except (BrokenPipeError, ValueError):
            return f"the process that writes to the store has ended, see {STORE_WRITER_LOG} in the run's folder"
        self._questions += 1
        answer = self._last_answer(deadline)
        if answer == OK:
            self._failed = NOTHING_FAILED
            return ""
        if answer is None:
            problem = before.problem or f"the store did not answer within {self._timeout:g} s"
        else:
            problem = answer or "the process that writes to the store gave no answer"
        self._failed = FailedFlush(size, deadline, problem)
        return problem

    def _last_answer(self, deadline: float) -> str | None:
        """The answer to the last question: None where none came in time, an empty text where the process has ended.

        A late answer to an earlier question is passed over.
        """
        while self._answers.count(b"\n") < self._questions:
            if not select.select([self._stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            data = os.read(self._stdout.fileno(), 65536)
            if not data:
                return ""
            self._answers += data
        return self._answers.decode("utf-8", "replace").split("\n")[self._questions - 1]
