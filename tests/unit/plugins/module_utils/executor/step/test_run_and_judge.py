# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LONGEST_MESSAGE, LONGEST_REASON
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import SHOWN as SHOWN_IN_MESSAGES
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import TAIL, Attempt, OutputCapture
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import (
    SHOWN,
    describe_missing_envelope,
    judge,
    read_envelope,
)
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope
from ansible_collections.rack.recipes.plugins.module_utils.stage_secrets import StageSecrets
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import cases

CASES = json.loads(Path(__file__).with_name("cases").joinpath("judge.json").read_text("utf-8"))
# What a case leaves out.
USUAL = {
    "stdout": "",
    "stderr": "",
    "exit_code": 0,
    "signal": 0,
    "stopped": "",
    "ending": None,
    "success": {"none": True},
    "context": {"old_v1": 1},
    "measurements": [],
}


def ended(stdout="", stderr="", ending=None, exit_code=0, signal=0, stopped=""):
    """An attempt after its end, and its view of a context of one key."""
    attempt = Attempt(None, lambda _change: None)
    attempt.stdout.add(stdout.encode())
    attempt.stderr.add(stderr.encode())
    attempt.ending, attempt.exit_code, attempt.signal, attempt.stopped = ending, exit_code, signal, stopped
    ctx = ContextView("s", "r1", "host", {"old_v1": [1, 1]}, {}, {}, attempt.receive)
    return attempt, Scope(ctx, {}, {"step": {"name": "s"}})


@pytest.mark.parametrize("case", list(CASES))
def test_verdict_and_reason(case):
    assert set(CASES[case]) - {"verdict", "reason"} <= set(USUAL)
    given = {**USUAL, **CASES[case]}
    attempt, scope = ended(**{name: given[name] for name in list(USUAL)[:6] if name != "success"})
    assert judge(attempt, scope.ctx, scope, given["success"], StageSecrets({})) == (given["verdict"], given["reason"])
    assert scope.ctx.to_dict() == given["context"]
    assert attempt.measurements == given["measurements"]


BROKEN = {"name": "gpus", "value": 7, "unit": None, "limits": {"min": 8}, "distance": -1, "verdict": "failed"}
HELD = {**BROKEN, "value": 8, "distance": 0, "verdict": "passed"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"ending": {"verdict": "error", "reason": "KeyError: 'rx'"}},
            ("error", "KeyError: 'rx'; gpus: 7 is below min 8"),
        ),
        ({"ending": {"verdict": "error", "reason": "gpus: 7 is below min 8"}}, ("error", "gpus: 7 is below min 8")),
        ({"ending": {"verdict": "failed", "reason": "hot"}}, ("failed", "hot")),
        ({"ending": {"verdict": "skipped", "reason": "no GPU"}}, ("skipped", "no GPU")),
        ({"stopped": "timed out after 5 s"}, ("error", "timed out after 5 s; gpus: 7 is below min 8")),
        (
            {"stdout": "{"},
            ("error", "printed no envelope as its last line, but 1 bytes that end with: {; gpus: 7 is below min 8"),
        ),
    ],
)
def test_a_limit_that_was_broken_before_is_in_the_reason_of_what_came_after(given, told):
    attempt, scope = ended(**given)
    attempt.measurements += [HELD, BROKEN]
    assert judge(attempt, scope.ctx, scope, {}, StageSecrets({})) == told


def test_a_long_reason_is_shortened():
    attempt, scope = ended(json.dumps({"status": "failed", "reason": "x" * 100_000}))
    assert len(judge(attempt, scope.ctx, scope, {}, StageSecrets({}))[1]) == LONGEST_REASON


def test_secrets_are_taken_out_before_a_reason_is_shortened():
    attempt, scope = ended(
        json.dumps({"status": "failed", "reason": "x" * (LONGEST_REASON - 40) + "hunter2" + "y" * 100})
    )
    reason = judge(attempt, scope.ctx, scope, {}, StageSecrets({"secrets": ["hunter2"]}))[1]
    assert (len(reason), "hunt" in reason) == (LONGEST_REASON, False)


def test_half_a_secret_where_a_message_was_cut_is_not_shown():
    attempt, scope = ended(ending={"verdict": "failed", "reason": "hunter2" * 400_000})
    attempt.ending["reason"] = attempt.ending["reason"][:LONGEST_MESSAGE]
    assert judge(attempt, scope.ctx, scope, {}, StageSecrets({"secrets": ["hunter2"]})) == ("failed", "********...")


def test_a_long_value_in_a_message_is_cut_without_its_secrets():
    attempt, scope = ended(json.dumps({"status": "hunter2 " * 100}))
    known = judge(attempt, scope.ctx, scope, {}, StageSecrets({"secrets": ["hunter2"]}))[1]
    known_as = "the envelope's status must be ok, failed, error or skipped, got"
    assert known == f"{known_as} '{('******** ' * 100)[: SHOWN_IN_MESSAGES - 1]}..."
    attempt, scope = ended(json.dumps({"status": "x" * 1000}))
    unknown = judge(attempt, scope.ctx, scope, {}, StageSecrets({}))[1]
    assert unknown == f"{known_as} '{'x' * (SHOWN_IN_MESSAGES - 1)}..."


def captured(*data):
    capture = OutputCapture()
    for piece in data:
        capture.add(piece if isinstance(piece, bytes) else piece.encode())
    return capture


@cases(__file__, "envelope", "stdout", "envelope")
def test_the_envelope_is_the_last_line(stdout, envelope):
    assert read_envelope(captured(stdout)) == envelope


@cases(__file__, "envelope_refused", "stdout", "error")
def test_an_envelope_that_breaks_the_rules_is_told(stdout, error):
    with pytest.raises(ValueError) as caught:
        read_envelope(captured(stdout))
    assert str(caught.value) == error


def test_what_stands_under_misspelt_secrets_is_hidden_all_the_same():
    hidden = []
    with pytest.raises(ValueError, match="no field secret, did you mean secrets"):
        read_envelope(captured('{"status": "ok", "secret": ["tok3n"]}'), secret=hidden.append)
    assert hidden == [["tok3n"]]


@cases(__file__, "envelope_missing", "stdout", "reason")
def test_what_was_printed_instead_is_told(stdout, reason):
    assert describe_missing_envelope(captured(stdout)) == reason


def test_where_none_is_needed_an_object_without_status_is_none():
    assert read_envelope(captured('{"mean": 1}'), needed=False) is None
    assert read_envelope(captured('{"status": "ok"}'), needed=False) == {"status": "ok"}
    with pytest.raises(ValueError):
        read_envelope(captured('{"status": "up"}'), needed=False)


@pytest.mark.parametrize(
    "data", [b'{"status": "ok", "reason": "\xff"}', b"\xff\xfe\n", b'{"status": ' + b"[" * 100_000, b"\0" * 10]
)
def test_what_is_no_text_or_no_json_is_none(data):
    assert read_envelope(captured(data)) is None


def test_bytes_that_are_no_text_are_shown():
    assert (
        describe_missing_envelope(captured(b"a\xffb"))
        == "printed no envelope as its last line, but 3 bytes that end with: a\\xffb"
    )


def test_of_a_long_output_the_end_is_shown():
    reason = describe_missing_envelope(captured("x" * 10_000, "end"))
    assert reason.startswith("printed no envelope as its last line, but 10003 bytes that end with: xxx")
    assert reason.endswith("xend")
    assert len(reason) < SHOWN + 100


def test_an_envelope_behind_much_output_is_found():
    assert read_envelope(captured("x" * 3 * TAIL, '\n{"status": "ok"}\n')) == {"status": "ok"}


def test_a_line_longer_than_what_is_kept_is_told():
    capture = captured('{"status": "ok", "outputs": {"a_v1": "', "x" * 2 * TAIL, '"}}\n')
    assert read_envelope(capture) is None
    assert describe_missing_envelope(capture) == f"printed no envelope: its last line is longer than {TAIL} bytes"


def test_an_endless_number_does_not_hold_the_executor_up():
    started = time.process_time()
    assert read_envelope(captured('{"status": ', "9" * 3_000_000, "}")) is None
    assert time.process_time() - started < 2
