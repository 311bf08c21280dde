# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of a host.

The state of a stage, its journal from the requested offset on and its clock; or why the host gives none, by the
messages of its shell, its sudo and Ansible.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import decode, without_checksum
from ansible_collections.rack.recipes.plugins.module_utils.program_end import BY_SIGNAL, signal_name
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import MARK
from rack_recipes.run.host.find_python import BEGUN, NONE_FOUND, tried_pythons, without_notes

SHOWN = 500  # characters of a message
SSH_FAILED = 255
KILLED = range(BY_SIGNAL + 1, 160)  # a shell's exit codes for a program that a signal has ended
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
    (r"Missing (\S+) password", "{0} asks for a become password, and none is set: -K asks for it"),
    (r"Failed to create temporary directory", "Ansible's temporary folder cannot be made"),
    (r"([^\n:]*): No space left on device", "no space left on the host: {0}"),
)
# A host that can be logged in to may hang all the same: it is overloaded, a disk or a network file system is stuck, or
# a program that its shell starts waits for something.
NO_ANSWER_FROM = "no answer from "
NO_ANSWER = NO_ANSWER_FROM + "{0} {1}; see whether `ssh {0} true` ends, and what its login shell starts and writes"
ECHOES = "the host sends back what it is sent, and runs nothing: see what its login shell starts"
TOO_MUCH = "{} sends results without an end: more than {} MiB in one stage; see what its steps write"
UNKNOWN_STAGE = "the host does not know this stage any more: it rebooted, or its folder was removed"
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
# What ssh says beside its reason.
NOISE = re.compile(
    r"Warning: Permanently added \S+ \(\S+\) to the list of known hosts\.|"
    r"ControlSocket \S+ already exists, disabling multiplexing"
)
# ssh fills a screen with it. The groups are the file and line of the key that is known, and what it is known as.
CHANGED_KEY = re.compile(
    r"@{9,}.*?HOST IDENTIFICATION HAS CHANGED.*?Offending \S+ key in (\S+).*?Host key for (\S+) has changed.*?"
    r"verification failed",
    re.DOTALL,
)
KEY_HAS_CHANGED = (
    r"Host key verification failed: it is not the one of \1: if the host was installed anew, `ssh-keygen -R '\2'` "
    "forgets the old one; else another machine answers there"
)
# What to do about those that a first contact meets; the first that fits.
ADVICE = {
    "verification failed.": "its key is not known here: log in once by `ssh` and compare it",
    "no such identity": "ansible_ssh_private_key_file names a file that is not on this machine",
    "Permission denied": "see ansible_user, and ansible_ssh_private_key_file or ssh-agent; -k asks for a password",
    "Could not resolve": "set ansible_host in the inventory",
    "connect to host": "see ansible_host, ansible_port, and whether `ssh` reaches it from here",
}
# What a host itself says, where the user may not log in or become another one.
REFUSED_USERS = {
    **dict.fromkeys(
        ("not in the sudoers file", "may not run sudo"),
        "the user may not become another one there: give it the right, or leave out become",
    ),
    **dict.fromkeys(
        ("sudo: not found", "sudo: command not found"),
        "there is no sudo on the host: install it, or set ansible_become_method",
    ),
    "sudo: unknown user": "there is no such user on the host: see ansible_become_user",
    "account is currently not available": "the user has no login shell there: see ansible_user",
}


def without_noise(said: str) -> str:
    """What ssh and the host have said, without notes about the search for Python and what ssh says beside a reason."""
    return NOISE.sub("", without_notes(said))


def is_cut(code: int) -> bool:
    """Whether the command ended before its answer, because the connection was cut or something killed it."""
    return code < 0 or code == SSH_FAILED or code in KILLED


def no_answer(code: int, stdout: str, stderr: str, python: str, hide: Callable[[str], str] = str) -> str:
    """Why the host's `python` gave no answer; it is empty where the host was to look for one.

    `hide` takes secrets out of its output before that is shortened. There may be some: a terminal echoes its input.
    """
    whole = f"{stdout.strip()}\n{stderr.strip()}".strip()  # a login shell writes to stdout why it refuses a login
    output = hide(without_noise(whole).strip())[-SHOWN:]
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
    if code in KILLED:
        return f"Python was killed on the host ({signal_name(code - BY_SIGNAL)})"
    return _user_refusal(output) or f"the executor did not answer (exit code {code}){': ' + output if output else ''}"


def _user_refusal(output: str) -> str:
    """Why the user was refused before our program began, with what to do; empty where that is not to blame."""
    found = ((line, advice) for line in output.splitlines() for sign, advice in REFUSED_USERS.items() if sign in line)
    return next((f"{line.strip().rstrip('.')}: {advice}" for line, advice in found), "")


def _old_pythons(output: str, python: str) -> list[str]:
    """The Pythons that are too old, each with its version; `python` is the one that was started without a search."""
    said = tried_pythons(output) or [(python, output)]
    found = ((path, re.search(re.escape(TOO_OLD) + r"([0-9.]+)", text)) for path, text in said)
    return [f"{path} is {version[1]}" for path, version in found if version]


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
    reason = " ".join(CHANGED_KEY.sub(KEY_HAS_CHANGED, without_noise(str(error))).split())
    silent = SILENT if has_begun(error, transport) else SILENT_BEFORE
    if reason.endswith(":"):
        return f"{reason} {silent}"
    advice = next((advice for sign, advice in ADVICE.items() if sign in reason), "")
    return f"{reason.rstrip('.')}; {advice}" if advice else reason


def is_never_connected(reason: str) -> bool:
    """Whether there was no connection at all, so that the request has not reached the host."""
    return any(text in reason for text in NEVER_CONNECTED)


def lacks_reason(reason: str) -> bool:
    """Whether Ansible only says that ssh accepts no input any more. The next try shows ssh's own reason."""
    return WITHOUT_REASON in reason


LATEST = 1e11  # seconds since 1970
Clock = tuple[float, float]  # the host's time when it answered, and how long it worked on the answer, in seconds


def read_clock(value: object) -> Clock | None:
    """The host's clock as an answer has it; None where it has none, or one that is no time."""
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(part, int | float) for part in value):
        return None
    if not all(0 <= part <= LATEST for part in value):  # NaN is in no range
        return None
    return float(value[0]), float(value[1])


def ahead(clock: Clock, sent: float, received: float) -> float:
    """By how many seconds the host's clock is ahead; negative where it is behind.

    `sent` and `received` are this machine's times of the request and of its answer. The time between them that the host
    did not work is taken to be spent on the way, half of it in each direction. The error is at most this half.
    """
    answered, worked = clock
    return round(answered - worked / 2 - (sent + received) / 2, 3)


def clock_record(stage: int, host: str, offset: float, time: str) -> dict[str, Any]:
    """The journal's record of the clock of a host; `offset` is in seconds."""
    return {"kind": "clock", "stage": stage, "host": host, "offset": offset, "time": time}


STATUS = {"state", "offset", "boot_id"}
STATES = frozenset(("running", "ended", "killed", "rebooted", "unknown", "refused"))
UNREADABLE: dict[str, Any] = {}  # stands for a whole record that is not JSON, and is none that anybody accepts
FORGED = "the host's answer has no valid {field}: expected {expected}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


# What the last line may have, in words and as a function. The host may have been taken over.
FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "state": (f"one of {', '.join(sorted(STATES))}", lambda value: _is_text(value) and value in STATES),
    "offset": ("a number of bytes", lambda value: type(value) is int and 0 <= value < 2**63),
    "boot_id": ("a text", _is_text),
    "reason": ("a text", _is_text),
    "concealed": ("a text", _is_text),
    "lost": ("a text for each host", lambda value: isinstance(value, dict) and all(map(_is_text, value.values()))),
}


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """One answer.

    `state` is one of the executor's. It is `cut` where the connection ended before the answer did, and `silent` where
    there is no answer; then `reason` says what came instead. `offset` is where the next records begin, in bytes.
    `sealed` is the encrypted text of the entries that no file may hold, `concealed` the same entries once decrypted.
    `lost` says, by host, why nothing could be run for it; only where the stage runs for many.
    `ahead` is by how many seconds the host's `clock` is ahead of this one's, None where that is unknown.
    """

    state: str
    offset: int
    records: tuple[dict[str, Any], ...] = ()
    reason: str = ""
    boot_id: str = ""
    sealed: str = ""
    concealed: tuple[Mapping[str, Any], ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    clock: Clock | None = None
    ahead: float | None = None


def read_answer(
    stage: str, code: int, stdout: str, stderr: str, python: str = "python3", hide: Callable[[str], str] = str
) -> HostAnswer:
    """Find the answer for `stage` in the output of the host's `python`. Banners and noise may stand before it.

    `hide` takes secrets out of the output where a reason quotes it.
    """
    _before, mark, answer = stdout.partition(f"{MARK}{stage}\n")
    if not mark:
        return HostAnswer("cut" if is_cut(code) else "silent", 0, reason=no_answer(code, stdout, stderr, python, hide))
    lines = answer.encode("utf-8", "surrogateescape").split(b"\n")
    status = next(filter(None, map(_status, reversed(lines))), None)
    if status is None:
        return HostAnswer("cut", 0, reason="the answer was cut off")
    for name, (expected, holds) in FIELDS.items():
        if name in status and not holds(status[name]):
            return HostAnswer("silent", 0, reason=FORGED.format(field=name, expected=expected))
    records = tuple(record for line in lines if line and (record := _record(line)) is not None)
    texts = {name: status.get(name, "") for name in ("reason", "boot_id")}
    return HostAnswer(
        status["state"],
        status["offset"],
        records,
        **texts,
        sealed=status.get("concealed", ""),
        lost=status.get("lost", {}),
        clock=read_clock(status.get("clock")),
    )


def _record(line: bytes) -> dict[str, Any] | None:
    """The record on a line; `UNREADABLE` for one that is whole and yet not JSON, None for a line that is none."""
    try:
        found = decode(line)
    except RecursionError:
        return UNREADABLE
    return UNREADABLE if found is None and without_checksum(line) is not None else found


def _status(line: bytes) -> dict[str, Any] | None:
    """What the answer's last line says, None where this is another line: a shell may write more behind it."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.keys() >= STATUS else None
