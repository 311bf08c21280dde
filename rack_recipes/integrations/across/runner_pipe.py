# SPDX-License-Identifier: GPL-3.0-or-later

"""One job on a controller: ansible-runner's transmit here, the controller's command with its worker, process here."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Thread
from typing import Any
from zipfile import BadZipFile

from rack_recipes.errors import UsageError
from rack_recipes.integrations.across.controllers_file import Controller
from rack_recipes.private_files import make_private

NEEDED = "--across needs a package: {}: `pip install 'rack-recipes[across]'` brings it"
NOT_FOUND = 127  # what a shell ends with where there is no such program
OF_SSH = 255  # what ssh ends with where there is no connection
PAUSE = 0.1  # seconds between two looks
LAST = 300  # characters of what a command says that a message has
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ERROR = re.compile(r"\[ERROR\]: (?:Task failed: )?(.*)")
UNREADABLE = re.compile(r"Line with invalid JSON data: b(.{1,200})", re.DOTALL)  # ansible-runner's words
SILENT = re.compile("Unexpected empty line|Failed to read from worker stream")  # the same
BY_HAND = "try the command by hand: it must start `ansible-runner worker` there, and nothing else may write to stdout"
Event = Mapping[str, Any]


def check_package() -> None:
    """Raise UsageError where ansible-runner is not installed here."""
    try:
        import ansible_runner  # noqa: F401
    except ImportError as error:
        raise UsageError(NEEDED.format(error)) from error


@dataclass(frozen=True, slots=True)
class Job:
    """What a controller is to run: a folder as ansible-runner takes it, the playbook in it, the job's name."""

    folder: Path
    playbook: str
    ident: str


class RunnerPipe(Thread):
    """A job that goes on. `on_event` gets each of Ansible's events; what comes back at the end is put into `back`.

    `problem` says, once it is over, why the job did not come to its end; it is empty where the worker has told one.
    """

    def __init__(self, controller: Controller, job: Job, back: Path, on_event: Callable[[Event], object]) -> None:
        super().__init__(daemon=True)
        make_private(back)
        self.controller = controller
        self.problem = ""
        self.status = ""
        self._job = job
        self.back = back
        self._on_event = on_event
        self._explained = ""
        self._error = self._last = ""
        self._child: subprocess.Popen[bytes] | None = None
        self.is_killed = False
        self._has_begun = False
        self._heard = time.monotonic()

    def run(self) -> None:
        """Send the job, and take what comes back until its end."""
        with TemporaryFile() as said:
            try:
                # a session of its own: Ctrl-C is for the command, which stops the part in order
                self._child = child = subprocess.Popen(
                    self.controller.command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    start_new_session=True,
                )
            except OSError as error:
                self.problem = f"this machine cannot start it ({error.strerror}): name a program that is in PATH here"
                return
            sender = Thread(target=self._transmit, args=(child,), daemon=True)
            sender.start()
            try:
                self._process(child)
            except (OSError, ValueError, KeyError, TypeError, AttributeError, BadZipFile) as error:
                self._explained, self.status = f"what it sent cannot be read: {error}", "error"
            self.kill()
            code = child.wait()
            sender.join()
            if child.stdout:
                child.stdout.close()
            said.seek(0)
            self.problem = self._why(code, said.read().decode(errors="replace").strip())

    def kill(self) -> None:
        """End the command here at once."""
        if self._child and self._child.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                if not self.is_killed and self.status:
                    self._child.wait(2)
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
        self.is_killed = True

    def _transmit(self, child: subprocess.Popen[bytes]) -> None:
        import ansible_runner

        with suppress(OSError):  # it ended; what it said tells why
            ansible_runner.run(
                streamer="transmit",
                _output=child.stdin,
                private_data_dir=str(self._job.folder),
                playbook=self._job.playbook,
                ident=self._job.ident,
            )
        with suppress(OSError):
            if child.stdin:
                child.stdin.close()

    def _process(self, child: subprocess.Popen[bytes]) -> None:
        import ansible_runner

        ansible_runner.run(
            streamer="process",
            _input=child.stdout,
            private_data_dir=str(self.back),
            artifact_dir=str(self.back),
            quiet=True,
            event_handler=self._event,
            status_handler=self._told,
        )

    def has_begun_within(self, seconds: float) -> bool:
        """Wait so long at most until Ansible runs there, or the job is over; returns whether either is so."""
        until = time.monotonic() + seconds
        while self.is_alive() and not self._has_begun and time.monotonic() < until:
            time.sleep(PAUSE)
        return self._has_begun or not self.is_alive()

    def silence(self) -> float:
        """The seconds since its worker has told anything."""
        return time.monotonic() - self._heard

    def last_words(self) -> str:
        """The first error that Ansible told, else what it or ansible-runner said last."""
        return self._error or self._last or self._explained or self.status

    def _event(self, event: Event) -> bool:
        self._heard = time.monotonic()
        self._on_event(event)
        text = COLOUR.sub("", str(event.get("stdout", ""))).strip()
        self._last = text.rpartition("\n")[2] or self._last
        if not self._error and (found := ERROR.search(text)):
            self._error = found[1]
        return False  # no file for it

    def _told(self, status: Mapping[str, Any], **_about: object) -> None:
        self._heard = time.monotonic()
        self.status = str(status.get("status", ""))
        self._has_begun |= self.status == "running"
        self._explained = str(status.get("job_explanation", ""))

    def _why(self, code: int, said: str) -> str:
        """Why the worker has told no end, in words; empty where it has."""
        if self.status in ("successful", "failed", "canceled", "timeout"):
            return ""
        last = said[-LAST:].rpartition("\n")[2]
        about = f" ({last})" if last else ""
        if self._has_begun:
            return f"its ansible-runner or the connection to it has ended{about}"
        if code == NOT_FOUND or "No such file" in last:
            return f"it has no ansible-runner in its PATH{about}: put `PATH=...` before it, or name it by its path"
        if code == OF_SSH:
            return f"it cannot be reached{about}: try the command by hand: it must log in without a question"
        if wrote := UNREADABLE.search(self._explained):
            what = f"no `ansible-runner worker` answers there, but {wrote[1].replace(r'\n', '')}"
        elif self._explained and not SILENT.match(self._explained):
            what = self._explained
        else:
            what = f"it ended with exit code {code} before an `ansible-runner worker` answered"
        return f"{what}{about}: {BY_HAND}"
