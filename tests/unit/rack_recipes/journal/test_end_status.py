# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.journal.step_results_and_end_status import EXIT_CODES, status_of

VERDICTS = ("passed", "marginal", "failed", "error", "skipped", "blocked", "cached", "unreachable", "waived")


@pytest.mark.parametrize(
    ("verdicts", "status", "code"),
    [
        ("passed", "passed", 0),
        ("passed marginal cached waived", "passed", 0),
        ("passed skipped", "passed", 0),
        ("", "failed", 1),
        ("skipped", "failed", 1),
        ("passed failed", "failed", 1),
        ("passed error", "failed", 1),
        ("passed blocked", "failed", 1),
        ("blocked skipped", "failed", 1),
        ("passed unreachable", "unreachable", 3),
        ("unreachable blocked skipped", "unreachable", 3),
        ("unreachable failed", "failed", 1),
        ("unreachable error", "failed", 1),
        ("passed unheard_of", "failed", 1),
    ],
)
def test_status_and_exit_code(verdicts: str, status: str, code: int):
    counts = dict.fromkeys(verdicts.split(), 2)
    assert status_of({**dict.fromkeys(VERDICTS, 0), **counts}, 1) == status_of(counts, 1) == status
    assert EXIT_CODES[status] == code


@pytest.mark.parametrize(
    ("verdicts", "status"), [("passed", "unchecked"), ("passed skipped", "unchecked"), ("passed failed", "failed")]
)
def test_where_nothing_was_checked_nothing_passed(verdicts: str, status: str):
    assert status_of(dict.fromkeys(verdicts.split(), 1), 0) == status
    assert EXIT_CODES[status] == 1


@pytest.mark.parametrize(
    ("verdicts", "status", "code"),
    [
        ("skipped", "rehearsed", 0),
        ("passed skipped", "rehearsed", 0),
        ("", "failed", 1),
        ("skipped error", "failed", 1),
        ("skipped blocked", "failed", 1),
        ("skipped unreachable", "unreachable", 3),
    ],
)
def test_in_check_mode_nothing_has_to_pass(verdicts: str, status: str, code: int):
    assert status_of(dict.fromkeys(verdicts.split(), 1), 0, is_check=True) == status
    assert EXIT_CODES[status] == code


def test_what_is_waived_was_judged():
    assert status_of({"passed": 1, "waived": 1}, 0) == "passed"
    assert status_of({"waived": 1, "failed": 1}, 0) == "failed"
