# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from rack_recipes.run.stage.find_python import BEGUN, NONE_FOUND, TRIES
from rack_recipes.run.stage.host_answer import (
    SILENT,
    SILENT_BEFORE,
    has_begun,
    is_cut,
    is_lost,
    is_never_connected,
    loss_reason,
    no_answer,
    refusal,
)

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
        (127, "sh: 1: sudo: not found", "the executor did not answer (exit code 127): sh: 1: sudo: not found"),
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
        (127, ["sh: 1: sudo: not found"], "the executor did not answer (exit code 127): sh: 1: sudo: not found"),
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
        ("Missing doas password", "doas asks for a become password, and none is set"),
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
