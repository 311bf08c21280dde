# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import encode
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import MARK
from rack_recipes.journal import record_fields
from rack_recipes.run.host.find_python import BEGUN, NONE_FOUND, TRIES
from rack_recipes.run.host.host_answer import (
    ADVICE,
    REFUSED_USERS,
    SILENT,
    SILENT_BEFORE,
    HostAnswer,
    ahead,
    clock_record,
    has_begun,
    is_cut,
    is_lost,
    is_never_connected,
    loss_reason,
    no_answer,
    read_answer,
    read_clock,
    refusal,
)

STAGE = "R1-1-abc"
RECORDS = ({"kind": "delta", "n": 1, "after": "grüße\n😀"}, {"kind": "step", "n": 2, "boot_id": "not the status"})
JOURNAL = b"".join(map(encode, RECORDS)).decode()
STATUS = {"state": "ended", "offset": 123, "boot_id": "b00t"}
HEAD = f"\n{MARK}{STAGE}\n"
WHOLE = f"{HEAD}{JOURNAL}\n{json.dumps(STATUS)}\n"


def read(stdout: str, code: int = 0, stderr: str = "") -> HostAnswer:
    return read_answer(STAGE, code, stdout, stderr)


@pytest.mark.parametrize(
    "stdout",
    [
        WHOLE,
        WHOLE.strip("\n"),
        f"Welcome to r1!\nLast login: yesterday{WHOLE}",
        f"{WHOLE}Connection to r1 closed.\n\nlogout\n",
        f'{WHOLE}{{"state": "of somebody else"}}\n[]\n7\n',
        f"\n{MARK}R1-1-other\n{WHOLE}",
        f"{MARK}not a stage{WHOLE}",
    ],
)
def test_an_answer_among_banners_and_noise(stdout: str):
    assert read(stdout) == HostAnswer("ended", 123, RECORDS, "", "b00t")


def test_a_stage_that_goes_on_has_no_records_yet():
    status = {**STATUS, "state": "running", "offset": 0}
    assert read(f"{HEAD}\n{json.dumps(status)}\n") == HostAnswer("running", 0, (), "", "b00t")


def test_the_host_s_clock_is_read_where_it_is_told():
    assert read(f"{HEAD}\n{json.dumps({**STATUS, 'clock': [1000.5, 2]})}\n").clock == (1000.5, 2.0)
    assert read(WHOLE).clock is None


def test_a_refusal_has_its_reason():
    status = {**STATUS, "state": "refused", "reason": "no folder to work in"}
    assert read(f"{HEAD}\n{json.dumps(status)}\n").reason == "no folder to work in"


def test_damaged_records_are_left_out():
    damaged = JOURNAL.replace("grüße", "grüsse")
    assert read(f"{HEAD}{damaged}\nnoise\n{json.dumps(STATUS)}\n").records == RECORDS[1:]


@pytest.mark.parametrize("end", range(len(HEAD), len(WHOLE) - 1))
def test_an_answer_that_is_cut_off_anywhere(end: int):
    assert read(WHOLE[:end]) == HostAnswer("cut", 0, reason="the answer was cut off")


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "state", "reason"),
    [
        (127, "", "sh: python3: not found\n", "silent", "Python is missing: python3"),
        (137, "", "Killed", "cut", "Python was killed on the host (SIGKILL)"),
        (1, "only stdout", "", "silent", "the executor did not answer (exit code 1): only stdout"),
        (0, "", "", "silent", "the executor did not answer (exit code 0)"),
        (255, "", "Connection reset", "cut", "the executor did not answer (exit code 255): Connection reset"),
        (-9, "", "", "cut", "the executor did not answer (exit code -9)"),
        (0, WHOLE.replace(STAGE, "R1-2-abc"), "", "silent", None),
        (1, "", "x" * 9000, "silent", "the executor did not answer (exit code 1): " + "x" * 500),
    ],
)
def test_no_answer_at_all(code: int, stdout: str, stderr: str, state: str, reason: str | None):
    found = read(stdout, code, stderr)
    assert (found.state, found.offset, found.records) == (state, 0, ())
    assert reason is None or found.reason == reason


@pytest.mark.parametrize(
    ("clock", "sent", "received", "offset"),
    [
        ((1000.0, 0.0), 1000.0, 1000.0, 0.0),
        ((4600.2, 0.1), 1000.0, 1000.3, 3600.0),
        ((998.5, 5.0), 1000.0, 1005.0, -6.5),
        ((1005.2, 5.0), 1000.0, 1005.4, 0.0),
    ],
    ids=["same", "ahead", "behind", "kept waiting"],
)
def test_the_time_on_the_way_is_half_each(
    clock: tuple[float, float], sent: float, received: float, offset: float
) -> None:
    assert ahead(clock, sent, received) == pytest.approx(offset, abs=0.0011)


@pytest.mark.parametrize(
    ("said", "found"),
    [([1, 0.5], (1.0, 0.5)), (None, None), ([1], None), ([1, 2, 3], None), (["1", 2], None), ("12", None)],
)
def test_what_a_host_says_of_its_clock(said: Any, found: tuple[float, float] | None) -> None:
    assert read_clock(said) == found


def test_a_record_for_the_journal() -> None:
    record = clock_record(2, "r1", -3599.5, "2026-11-25T12:00:00.000000Z")
    assert record_fields.encode(record)
    assert (record["kind"], record["stage"], record["host"], record["offset"]) == ("clock", 2, "r1", -3599.5)


PYTHON = "/opt/python/bin/python3"
NO_ROOM = f"{PYTHON}: error while loading shared libraries: libm.so.6: failed to map segment from shared object"


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (127, f"sh: 1: {PYTHON}: not found", f"Python is missing: {PYTHON}"),
        (127, f"bash: {PYTHON}: Datei oder Verzeichnis nicht gefunden", f"Python is missing: {PYTHON}"),
        (126, f"sh: 1: {PYTHON}: Permission denied", f"Python cannot be run: sh: 1: {PYTHON}: Permission denied"),
        (
            127,
            f"{PYTHON}: error while loading shared libraries: libpython3.so: no such file",
            f"Python cannot be run: {PYTHON}: error while loading shared libraries: libpython3.so: no such file",
        ),
        (
            1,
            "rack.recipes needs Python 3.9, not 2.7.18",
            f"Python is too old: {PYTHON} is 2.7.18, and 3.9 or newer is needed",
        ),
        (1, "Traceback:\nMemoryError", "out of memory on the host: Python could not start: MemoryError"),
        (
            1,
            "Traceback:\nSystemError: error return without exception set",
            "out of memory on the host: Python could not start: SystemError: error return without exception set",
        ),
        (
            127,
            NO_ROOM,
            f"out of memory on the host: Python could not start: {NO_ROOM}",
        ),
        (137, "", "Python was killed on the host (SIGKILL)"),
        (159, "", "Python was killed on the host (SIGSYS)"),
        (127, "sh: 1: sudo: not found", f"sh: 1: sudo: not found: {REFUSED_USERS['sudo: not found']}"),
        (3, "", "the executor did not answer (exit code 3)"),
    ],
)
def test_why_there_is_no_answer(code: int, said: str, reason: str):
    assert no_answer(code, "", said, PYTHON) == reason
    assert no_answer(code, said, "", PYTHON) == reason  # a terminal makes one of both streams


def test_noise_hides_no_version():
    said = no_answer(1, "Welcome\n", "Banner\nrack.recipes needs Python 3.9, not 3.8.18\nBye\n", PYTHON)
    assert said == f"Python is too old: {PYTHON} is 3.8.18, and 3.9 or newer is needed"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (
            96,
            [
                "hello",
                f"{TRIES}/a b/python3",
                "rack.recipes needs Python 3.9, not 3.8.18",
                f"{TRIES}/c",
                "sh: /c: none",
            ],
            "Python is too old: /a b/python3 is 3.8.18, and 3.9 or newer is needed",
        ),
        (
            1,
            [f"{TRIES}/a", "rack.recipes needs Python 3.9, not 3.8.18", f"{TRIES}/b", BEGUN, "MemoryError"],
            "out of memory on the host: Python could not start: MemoryError",
        ),
        (127, [f"{NONE_FOUND}python3, python"], "Python is missing: there is none of python3, python"),
        (126, [f"{TRIES}/a", "sh: 1: /a: denied"], "Python cannot be run: sh: 1: /a: denied"),
        (127, [f"{TRIES}/a", "sh: 1: /a: not found"], "Python is missing: /a"),
        (127, ["sh: 1: sudo: not found"], f"sh: 1: sudo: not found: {REFUSED_USERS['sudo: not found']}"),
        (137, [f"{TRIES}/a", BEGUN, "Killed"], "Python was killed on the host (SIGKILL)"),
    ],
)
def test_why_a_search_gives_no_answer(code: int, said: list[str], reason: str, end: str):
    assert no_answer(code, "", end.join([*said, ""]), "") == reason


def test_the_reason_of_a_loss_is_ssh_s_own():
    over = "Data could not be sent. Make sure this host can be reached over ssh: "
    begun = AnsibleConnectionFailure(f"{over}{TRIES}/usr/bin/python3\r\n{BEGUN}\r\nclient_loop:\n send")
    assert (loss_reason(begun), has_begun(begun, "ssh")) == (f"{over}client_loop: send", True)
    killed, refused = AnsibleConnectionFailure(f"{over}{BEGUN}\n"), AnsibleConnectionFailure(over)
    assert (loss_reason(killed), has_begun(killed, "ssh")) == (f"{over}{SILENT}", True)
    assert (loss_reason(refused), has_begun(refused, "ssh")) == (f"{over}{SILENT_BEFORE}", False)
    assert has_begun(refused, "local")


@pytest.mark.parametrize(
    ("said", "never"),
    [
        ("ssh: connect to host r1 port 22: Connection refused", True),
        ("channel 0: open failed: connect failed: No route\r\nstdio forwarding failed\r\nConnection closed", True),
        ("Unable to negotiate with 192.0.2.1 port 22: no matching host key type found", True),
        ("unix_listener: path '/very/long' too long for Unix domain socket", True),
        ("command-line: line 0: Bad configuration option: colour", True),
        ("Connection closed by 192.0.2.1 port 22", False),
        ("kex_exchange_identification: read: Connection reset by peer", False),
    ],
)
def test_where_another_try_is_useless(said: str, never: bool):
    assert is_never_connected(said) is never


def test_secrets_in_what_a_terminal_shows_again_are_masked_before_it_is_cut():
    said = f'{{"key": "{"s3cret" * 100}"}} Traceback:\nMemoryError' + "x" * 400

    def hide(text: str) -> str:
        return text.replace("s3cret" * 100, "********")

    shown = no_answer(1, said, "", PYTHON, hide)
    assert shown == "out of memory on the host: Python could not start: MemoryError" + "x" * 400
    shown = no_answer(1, said.replace("Memory", ""), "", PYTHON, hide)
    assert shown.endswith('(exit code 1): {"key": "********"} Traceback:\nError' + "x" * 400)


@pytest.mark.parametrize(("code", "cut"), [(255, True), (-9, True), (137, True), (0, False), (1, False), (127, False)])
def test_what_is_cut(code: int, cut: bool):
    assert is_cut(code) is cut


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Incorrect sudo password", "the become password is wrong: sudo refused it"),
        ("Missing doas password", "doas asks for a become password, and none is set: -K asks for it"),
        (
            "Timeout (12s) waiting for privilege escalation prompt: ",
            "the become password is wrong, or its prompt is one that Ansible does not know: no answer within 12 s",
        ),
        (
            "Failed to create temporary directory. In some cases, you may have been able to authenticate ...",
            "Ansible's temporary folder cannot be made",
        ),
        (
            "mkdir: cannot create directory '/root/.ansible/tmp/x': No space left on device\n",
            "no space left on the host:  cannot create directory '/root/.ansible/tmp/x'",
        ),
        ("Connection reset by peer", ""),
    ],
)
def test_what_is_no_fault_of_the_connection(said: str, reason: str):
    assert refusal(AnsibleConnectionFailure(said)) == reason


def test_a_host_that_took_the_password_before_may_be_slow():
    slow = AnsibleConnectionFailure("Timeout (12s) waiting for privilege escalation prompt: ")
    assert refusal(slow, is_trusted=True) == ""
    assert refusal(AnsibleError("Incorrect sudo password"), is_trusted=True) != ""


def test_what_is_worth_asking_again():
    assert is_lost(AnsibleConnectionFailure("anything"))
    assert is_lost(AnsibleError("Data could not be sent because of ControlPersist broken pipe"))
    assert not is_lost(AnsibleError("Unable to execute ssh command line on a controller."))


PAGE = (Path(__file__).resolve().parents[5] / "docs/troubleshooting.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Host key verification failed.", "log in once by `ssh`"),
        (
            "no such identity: /keys/lab: No such file or directory\nroot@192.0.2.1: Permission denied (publickey).",
            "names a",
        ),
        ("tester@192.0.2.1: Permission denied (publickey,password).", "-k asks for a password"),
        ("ssh: Could not resolve hostname leaf1: Name or service not known", "set ansible_host in the inventory"),
        ("ssh: connect to host 192.0.2.1 port 22: Connection refused", "see ansible_host, ansible_port"),
    ],
)
def test_the_first_contact_says_what_to_do(said: str, advice: str):
    reason = loss_reason(AnsibleConnectionFailure(f"Failed to connect to the host via ssh: {said}"))
    assert advice in reason
    assert is_never_connected(reason)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("tester is not in the sudoers file.", "give it the right, or leave out become"),
        ("Sorry, user tester may not run sudo on leaf1.", "give it the right, or leave out become"),
        ("/bin/sh: 1: sudo: not found", "there is no sudo on the host"),
        ("bash: line 1: sudo: command not found", "there is no sudo on the host"),
        ("sudo: unknown user test\nsudo: error initializing audit plugin sudoers_audit", "see ansible_become_user"),
        ("This account is currently not available.", "the user has no login shell there: see ansible_user"),
    ],
)
def test_a_user_who_is_refused_is_told_what_to_do(said: str, advice: str):
    reason = no_answer(1, "", said, "python3")
    assert reason.startswith(said.splitlines()[0].rstrip("."))
    assert advice in reason


@pytest.mark.parametrize("sign", [*ADVICE, *REFUSED_USERS])
def test_each_is_a_row_of_the_page(sign: str):
    assert sign.rstrip(".") in PAGE
