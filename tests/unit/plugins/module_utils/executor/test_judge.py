# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.attempt import Attempt
from ansible_collections.rack.recipes.plugins.module_utils.executor.judge import judge
from ansible_collections.rack.recipes.plugins.module_utils.values import LONGEST_REASON
from ansible_collections.rack.recipes.plugins.module_utils.view import View

CASES = json.loads(Path(__file__).with_name("cases").joinpath("judge.json").read_text("utf-8"))
# What a case leaves out.
USUAL = {
    "stdout": "",
    "stderr": "",
    "exit_code": 0,
    "signal": 0,
    "stopped": "",
    "ending": None,
    "success": {},
    "context": {"old_v1": 1},
    "measurements": [],
}


def ended(stdout="", stderr="", ending=None, exit_code=0, signal=0, stopped=""):
    """An attempt after its end, and its view of a context of one key."""
    attempt = Attempt(1, None, lambda _attempt, _event: None)
    attempt.stdout.add(stdout.encode())
    attempt.stderr.add(stderr.encode())
    attempt.ending, attempt.exit_code, attempt.signal, attempt.stopped = ending, exit_code, signal, stopped
    return attempt, View("s", "r1", "host", {"old_v1": [1, 1]}, {}, {}, attempt.take)


@pytest.mark.parametrize("case", list(CASES))
def test_verdict_and_reason(case):
    assert set(CASES[case]) - {"verdict", "reason"} <= set(USUAL)
    given = {**USUAL, **CASES[case]}
    attempt, ctx = ended(**{name: given[name] for name in list(USUAL)[:6] if name != "success"})
    assert judge(attempt, ctx, given["success"]) == (given["verdict"], given["reason"])
    assert ctx.to_dict() == given["context"]
    assert attempt.measurements == given["measurements"]


def test_a_long_reason_is_shortened():
    attempt, ctx = ended(json.dumps({"status": "failed", "reason": "x" * 100_000}))
    assert len(judge(attempt, ctx, {})[1]) == LONGEST_REASON
