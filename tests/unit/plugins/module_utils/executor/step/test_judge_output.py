# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import TAIL, Attempt
from ansible_collections.rack.recipes.plugins.module_utils.executor.step import judge_output
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import judge
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope
from ansible_collections.rack.recipes.plugins.module_utils.stage_secrets import StageSecrets

CASES = json.loads(Path(__file__).with_name("cases").joinpath("judge_output.json").read_text("utf-8"))


def ended(stdout="", stderr="", patterns=None, **how):
    """An attempt after its end, and its view of an empty context."""
    attempt = Attempt(None, lambda _change: None)
    attempt.stdout.add(stdout.encode())
    attempt.stderr.add(stderr.encode())
    attempt.patterns = patterns or {}
    for name, value in how.items():
        setattr(attempt, name, value)
    return attempt, Scope(ContextView("s", "r1", "host", {}, {}, {}, attempt.receive), {}, {"step": {"name": "s"}})


@pytest.mark.parametrize("case", list(CASES))
def test_verdict_reason_and_keys(case, monkeypatch):
    monkeypatch.setattr(judge_output, "PATIENCE", 0.2)
    given = {"context": {}, "success": {}, **CASES[case]}
    said = {name: given.pop(name) for name in ("verdict", "reason", "context", "success")}
    attempt, scope = ended(**given)
    found = judge(attempt, scope.ctx, scope, said["success"], StageSecrets({}))
    assert found == (said["verdict"], said["reason"])
    assert {key: scope.ctx.get(key) for key in scope.ctx.keys()} == said["context"]  # noqa: SIM118 - it is no mapping


def test_secrets_are_taken_out_of_the_reason():
    attempt, scope = ended("the word is hunter2\n", exit_code=1)
    assert judge(attempt, scope.ctx, scope, {}, StageSecrets({"secrets": ["hunter2"]})) == (
        "failed",
        "the word is ********",
    )


def test_of_a_flood_the_end_is_looked_at():
    attempt, scope = ended("begun 1\n", patterns={"a.begun_v1": {"pattern": "begun (.)"}})
    for _piece in range(12):
        attempt.stdout.add(b"x" * 1024 * 1023 + b"\n")
    attempt.stdout.add(b"end 2\n")
    assert judge(attempt, scope.ctx, scope, {}, StageSecrets({})) == (
        "error",
        f"a.begun_v1: nothing that it printed matches begun (.) in its last {TAIL} bytes",
    )
    attempt.patterns = {"a.end_v1": {"pattern": "end (.)"}}
    assert judge(attempt, scope.ctx, scope, {}, StageSecrets({})) == ("passed", "")
    assert scope.ctx.get("a.end_v1") == 2


def test_a_value_that_is_too_large():
    attempt, scope = ended("x" * 2_000_000, patterns={"a.all_v1": {"pattern": "x+"}})
    verdict, reason = judge(attempt, scope.ctx, scope, {}, StageSecrets({}))
    assert (verdict, reason[:52]) == ("error", "a.all_v1: 2000002 bytes of JSON, a key can hold 1048")


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="this Python knows it")
def test_what_only_newer_pythons_know():
    attempt, scope = ended("aaa", patterns={"a.all_v1": {"pattern": "a++"}})
    assert judge(attempt, scope.ctx, scope, {}, StageSecrets({}))[1].startswith(
        "a.all_v1: a++ is no regular expression for this host's Python"
    )
