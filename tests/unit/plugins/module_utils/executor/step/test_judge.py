# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    LONGEST_MESSAGE,
    LONGEST_REASON,
    SHOWN,
)
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_secrets import StageSecrets
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import judge
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope

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


def test_a_long_reason_is_shortened():
    attempt, scope = ended(json.dumps({"status": "failed", "reason": "x" * 100_000}))
    assert len(judge(attempt, scope.ctx, scope, {}, StageSecrets({}))[1]) == LONGEST_REASON


def test_secrets_are_taken_out_before_a_reason_is_shortened():
    attempt, scope = ended(json.dumps({"status": "failed", "reason": "x" * (LONGEST_REASON - 6) + "hunter2"}))
    reason = judge(attempt, scope.ctx, scope, {}, StageSecrets({"secrets": ["hunter2"]}))[1]
    assert reason == "x" * (LONGEST_REASON - 6) + "***..."


def test_half_a_secret_where_a_message_was_cut_is_not_shown():
    attempt, scope = ended(ending={"verdict": "failed", "reason": "hunter2" * 100_000})
    attempt.ending["reason"] = attempt.ending["reason"][:LONGEST_MESSAGE]
    assert judge(attempt, scope.ctx, scope, {}, StageSecrets({"secrets": ["hunter2"]})) == ("failed", "********...")


def test_a_long_value_in_a_message_is_cut_without_its_secrets():
    attempt, scope = ended(json.dumps({"status": "hunter2 " * 100}))
    known = judge(attempt, scope.ctx, scope, {}, StageSecrets({"secrets": ["hunter2"]}))[1]
    known_as = "the envelope's status must be ok, failed, error or skipped, got"
    assert known == f"{known_as} '{('******** ' * 100)[: SHOWN - 1]}..."
    attempt, scope = ended(json.dumps({"status": "x" * 1000}))
    unknown = judge(attempt, scope.ctx, scope, {}, StageSecrets({}))[1]
    assert unknown == f"{known_as} '{'x' * (SHOWN - 1)}..."
