# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The follower of a run: a process of its own that brings the journal into the store while stages run."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.plugin_utils.run.current_run import Run
from ansible_collections.rack.recipes.plugins.plugin_utils.run.flush_signal import FLUSH_SOON
from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_ids import ROOT

PATIENT = 0.8  # of the time that the recorder waits, so that it hears what went wrong


class FailedFlush(NamedTuple):
    """A question that failed: how large the journal was, until when it might wait, and what went wrong."""

    size: int
    deadline: float
    problem: str


NOTHING_FAILED = FailedFlush(-1, 0.0, "")


class StoreWriterClient:
    """Starts the follower and asks it: an absent or slow database never holds up a run, nor crosses a fork."""

    def __init__(self, run: Run) -> None:
        self._timeout = run.settings.store_timeout
        path = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))
        name = "ansible_collections.rack.recipes.plugins.plugin_utils.run.store_writer.store_writer"
        patience = self._timeout * PATIENT
        arguments = [str(run.path), str(run.settings.flush_interval), str(run.settings.flush_deltas), str(patience)]
        (run.folder / "follower.log").touch(0o600)
        with (run.folder / "follower.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from {name} import main; main()", *arguments],
                bufsize=0,  # what a dead process did not take must not be sent again when the pipe is closed
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # an interrupt at the terminal must not end it before the last flush
            )
        self._stdin: Any = self._process.stdin
        self._stdout: Any = self._process.stdout
        self._send(f"{run.settings.db}\n".encode())  # which may have a password
        self._asked = 0
        self._heard = b""
        self._journal = run.path
        self._failed = NOTHING_FAILED
        # A worker that outlives the main process must not keep the follower waiting.
        os.register_at_fork(after_in_child=self._close)
        if threading.current_thread() is threading.main_thread():  # no other one may
            signal.signal(FLUSH_SOON, lambda _number, _frame: self.flush_soon())

    def _close(self) -> None:
        self._stdin.close()
        self._stdout.close()

    def flush_soon(self) -> None:
        """Have everything so far brought into the store, without waiting for it; does nothing in a worker."""
        self._send(b"now\n")

    def _send(self, line: bytes) -> None:
        with suppress(BrokenPipeError, ValueError):  # it has ended, or is this process's no more
            self._stdin.write(line)

    def flush(self) -> str:
        """Bring everything so far into the store; returns what went wrong, empty for nothing."""
        return self._ask(b"flush")

    def finish(self) -> str:
        """Flush for the last time and end the follower; returns what went wrong, empty for nothing."""
        problem = self._ask(b"end")
        self._close()
        if problem:
            self._process.kill()
        self._process.wait()
        return problem

    def _ask(self, word: bytes) -> str:
        """Ask, and wait; what is asked again with nothing new in the journal, as at a run's end, is one wait."""
        size = self._journal.stat().st_size if self._journal.exists() else 0
        before = self._failed if self._failed.size == size else NOTHING_FAILED
        deadline = before.deadline or time.monotonic() + self._timeout
        try:
            self._stdin.write(b"%s:%.3f\n" % (word, max(0.0, deadline - time.monotonic()) * PATIENT))
        except (BrokenPipeError, ValueError):
            return "the process that writes to the store has ended, see follower.log in the run's folder"
        self._asked += 1
        answer = self._last_answer(deadline)
        if answer == "ok":
            self._failed = NOTHING_FAILED
            return ""
        if answer is None:
            problem = before.problem or f"the store did not answer within {self._timeout:g} s"
        else:
            problem = answer or "the process that writes to the store gave no answer"
        self._failed = FailedFlush(size, deadline, problem)
        return problem

    def _last_answer(self, deadline: float) -> str | None:
        """The answer to the last question, None where none came in time; a late one to an earlier question is none."""
        while self._heard.count(b"\n") < self._asked:
            if not select.select([self._stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            data = os.read(self._stdout.fileno(), 65536)
            if not data:
                return ""
            self._heard += data
        return self._heard.decode("utf-8", "replace").split("\n")[self._asked - 1]
