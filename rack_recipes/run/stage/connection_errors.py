# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a host gives no answer, found in the messages of its shell, of its sudo and of Ansible."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from rack_recipes.run.stage.find_python import BEGUN, NONE_FOUND, tried_pythons, without_notes

SHOWN = 500  # characters of a message
SSH_FAILED = 255
BY_SIGNAL = range(129, 160)  # a shell's exit codes for a program that a signal has ended
NOT_RUN, NOT_FOUND = 126, 127  # a shell's exit codes for a program that it could not start

OLDEST = "3.9"
TOO_OLD = f"rack.recipes needs Python {OLDEST}, not "
# The second is Python's, too: without memory to import a module it loses its own MemoryError.
NO_MEMORY = (
    "MemoryError|error return without exception set|(?i:cannot allocate memory|out of memory|failed to map segment)"
)

WRONG_PASSWORD = "the become password is wrong"  # noqa: S105 - a reason
# Messages of Ansible about a host that can be reached. To ask again would change nothing, or would lock an account.
REFUSALS = (
    (r"Incorrect (\S+) password", f"{WRONG_PASSWORD}: {{0}} refused it"),
    (r"Missing (\S+) password", "{0} asks for a become password, and none is set"),
    (r"Failed to create temporary directory", "Ansible's temporary folder cannot be made"),
    (r"([^\n:]*): No space left on device", "no space left on the host: {0}"),
)
# A host that can be logged in to may hang all the same: it is overloaded, a disk or a network file system is stuck, or
# a program that its shell starts waits for something.
NO_ANSWER_FROM = "no answer from "
NO_ANSWER = NO_ANSWER_FROM + "{0} {1}; see whether `ssh {0} true` ends, and what its login shell starts and writes"
ECHOES = "the host sends back what it is sent, and runs nothing: see what its login shell starts"
TOO_MUCH = "{} sends results without an end: more than {} MiB in one stage; see what its steps write"
SILENT = "it ended without a word, as where Python is killed for want of memory"
SILENT_BEFORE = "it ended without a word and before anything was run, as where the SSH server accepts no connections"
SLOW = r"Timeout \((\d+)s\) waiting for privilege escalation prompt"
WITHOUT_REASON = "can be reached over SSH"  # Ansible's message; one with a reason quotes ssh behind `ssh: `
# Messages of ssh about a host that is not there, or that lets nobody in. To try again would change nothing.
NEVER_CONNECTED = (
    "connect to host",
    "resolve",
    "Permission denied",
    "verification failed",
    "No route",
    "Exchange",
    "stdio forwarding failed",
    "Unable to negotiate",
    "Too many authentication failures",
    "onfiguration option",
    "too long for Unix domain socket",
)


def is_cut(code: int) -> bool:
    """Whether the command ended before its answer, because the connection was cut or something killed it."""
    return code < 0 or code == SSH_FAILED or code in BY_SIGNAL


def no_answer(code: int, stdout: str, stderr: str, python: str, hide: Callable[[str], str] = str) -> str:
    """Why the host's `python` gave no answer; it is empty where the host was to look for one.

    `hide` takes secrets out of its output before that is shortened. There may be some: a terminal echoes its input.
    """
    whole = f"{stdout.strip()}\n{stderr.strip()}".strip()  # a login shell writes to stdout why it refuses a login
    output = hide(without_notes(whole))[-SHOWN:]
    if BEGUN not in whole and (old := _old_pythons(whole, python)):
        return f"Python is too old: {', '.join(old)}, and {OLDEST} or newer is needed"
    if NONE_FOUND in whole:
        return f"Python is missing: there is none of {whole.partition(NONE_FOUND)[2].splitlines()[0]}"
    python = python or next((path for path, _said in reversed(tried_pythons(whole))), "")
    if re.search(NO_MEMORY, output):
        return f"out of memory on the host: Python could not start: {output.splitlines()[-1]}"
    if code in (NOT_RUN, NOT_FOUND) and python and python in output:
        missing = code == NOT_FOUND and "shared librar" not in output
        return f"Python is missing: {python}" if missing else f"Python cannot be run: {output}"
    if code in BY_SIGNAL:
        return f"Python was killed on the host ({_signal(code - 128)})"
    return f"the executor did not answer (exit code {code}){': ' + output if output else ''}"


def _old_pythons(output: str, python: str) -> list[str]:
    """The Pythons that are too old, each with its version; `python` is the one that was started without a search."""
    said = tried_pythons(output) or [(python, output)]
    found = ((path, re.search(re.escape(TOO_OLD) + r"([0-9.]+)", text)) for path, text in said)
    return [f"{path} is {version[1]}" for path, version in found if version]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def refusal(error: AnsibleError, *, is_trusted: bool = False) -> str:
    """Why a host that can be reached refuses; empty where the connection may be to blame.

    A host that `is_trusted` has accepted the become password before. So it may be sent again after a slow answer.
    """
    text = str(error)
    slow = None if is_trusted else re.search(SLOW, text)
    if slow:
        return f"{WRONG_PASSWORD}, or its prompt is one that Ansible does not know: no answer within {slow[1]} s"
    for pattern, reason in REFUSALS:
        found = re.search(pattern, text)
        if found:
            return reason.format(*found.groups())
    return ""


def is_lost(error: AnsibleError) -> bool:
    """Whether the connection is to blame, so that it is worth asking again."""
    return isinstance(error, AnsibleConnectionFailure) or "ControlPersist" in str(error)


def has_begun(error: AnsibleError, transport: str) -> bool:
    """Whether the executor may have begun before the connection ended. Through other connections than ssh it may."""
    return transport != "ssh" or BEGUN in str(error)


def loss_reason(error: AnsibleError, transport: str = "ssh") -> str:
    """Why a connection was lost. Where ssh itself names no reason, it was not the network."""
    reason = " ".join(without_notes(str(error)).split())
    silent = SILENT if has_begun(error, transport) else SILENT_BEFORE
    return f"{reason} {silent}" if reason.endswith(":") else reason


def is_never_connected(reason: str) -> bool:
    """Whether there was no connection at all, so that the request has not reached the host."""
    return any(text in reason for text in NEVER_CONNECTED)


def lacks_reason(reason: str) -> bool:
    """Whether Ansible only says that ssh accepts no input any more. The next try shows ssh's own reason."""
    return WITHOUT_REASON in reason
