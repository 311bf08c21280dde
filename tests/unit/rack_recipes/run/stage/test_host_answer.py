# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import encode
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import MARK
from rack_recipes.run.stage.host_answer import HostAnswer, read_answer

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
