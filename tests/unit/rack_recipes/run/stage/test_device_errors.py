# SPDX-License-Identifier: GPL-3.0-or-later

"""What the results and messages of real modules say of their devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rack_recipes.run.stage.module_answers import AnswerRule, AnswerRules, answer_rules, readable

CASES = Path(__file__).parent / "cases"
RESULTS: list[dict[str, Any]] = yaml.safe_load((CASES / "results.yml").read_bytes())
MESSAGES: dict[str, list[str]] = yaml.safe_load((CASES / "messages.yml").read_bytes())


@pytest.mark.parametrize("case", RESULTS, ids=[case["case"] for case in RESULTS])
def test_errors_inside_of_results(case: dict[str, Any]):
    names = case.get("names", [case["module"]])
    assert answer_rules("").of(names).error_in(case["result"]) == case["error"]


@pytest.mark.parametrize(("kind", "message"), [(kind, text) for kind, texts in MESSAGES.items() for text in texts])
def test_whether_the_device_was_reached(kind: str, message: str):
    assert answer_rules("").is_unreachable(message) is (kind == "unreachable")


def test_what_a_project_says_is_no_error_is_none():
    none = AnswerRule(("cisco.*",), ("stdout", "1"), text="not active")
    rules = answer_rules("") + AnswerRules(no_errors=(none,))
    result = {"stdout": ["% BGP not active", "% BGP not active", "% Unknown"]}
    assert rules.of(["cisco.ios.ios_command"]).error_in(result) == "stdout.0: % BGP not active; stdout.2: % Unknown"
    assert rules.of(["arista.eos.eos_command"]).error_in({"stdout": ["", "% BGP not active"]})


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (r"b'show lldp nonsense\r\n% Invalid input\r\nnxos#'", "% Invalid input"),
        ('ConnectionError: b"show x\\r\\n ^\\r\\n% Invalid x\\r\\nsw#"', "^\n% Invalid x"),
        (r"b'leaf1#'", "b'leaf1#'"),
        (r"b'\xzz\n\n'", r"b'\xzz\n\n'"),
        ("b is no screen", "b is no screen"),
        ("", ""),
    ],
)
def test_the_screen_of_a_device_is_read_as_text(message: str, said: str):
    assert readable(message) == said
