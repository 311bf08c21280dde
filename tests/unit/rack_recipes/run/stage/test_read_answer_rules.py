# SPDX-License-Identifier: GPL-3.0-or-later

"""A project's file with rules for the answers of modules: what it may say, and what is wrong with it and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.run.stage.module_answers import AnswerRule, answer_rules

GOOD = """\
errors:
  - {modules: [site.lab.pdu_info], at: outlets, fields: {ok: false, code: 3}, reason: message}
  - {modules: ["*.lab_*"], text: ^oops}
no_errors:
  - {modules: [cisco.ios.ios_command], at: stdout.0, text: not active}
unreachable: ['^PDU is away']
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer_rules.cache_clear()


def test_all_that_a_file_can_say_comes_before_our_own_rules():
    Path("e.yml").write_text(GOOD)
    rules, ours = answer_rules("e.yml"), answer_rules("")
    assert rules.errors == (
        AnswerRule(("site.lab.pdu_info",), ("outlets",), fields={"ok": False, "code": 3}, reason="message"),
        AnswerRule(("*.lab_*",), text="^oops"),
        *ours.errors,
    )
    assert rules.no_errors == (AnswerRule(("cisco.ios.ios_command",), ("stdout", "0"), text="not active"),)
    assert rules.is_unreachable("PDU is away")
    assert not ours.is_unreachable("PDU is away")


def test_a_list_may_be_left_empty():
    Path("e.yml").write_text("errors:\nunreachable:\n")
    assert answer_rules("e.yml") == answer_rules("")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "e.yml:1:1: expected a mapping with errors, no_errors, unreachable, got an empty file"),
        ("- a", "e.yml:1:1: expected a mapping with errors, no_errors, unreachable, got a list"),
        (
            "error: []",
            "e.yml:1:1: expected one of errors, no_errors, unreachable, got 'error' (did you mean 'errors'?)",
        ),
        ("errors: {}", "e.yml:1:9: expected a list of rules, got an empty mapping"),
        ("errors: []", "e.yml:1:9: expected a list of rules, got an empty list"),
        ("errors: [a]", "e.yml:1:10: expected a rule, such as {modules: [site.lab.pdu_info], fields: {ok: false},"),
        (
            "errors: [{module: [a], text: b}]",
            "e.yml:1:11: expected one of modules, at, text, fields, reason, says, got",
        ),
        ("errors: [{module: [a], text: b}]", "got 'module' (did you mean 'modules'?)"),
        ("errors: [{text: b}]", "e.yml:1:10: expected modules in a rule (['*'] is every module), got none"),
        ("errors: [{modules: a, text: b}]", ":1:20: expected a list of module names, each of which may have * in it"),
        ("errors: [{modules: [1], text: b}]", ":1:21: expected text, got the number 1"),
        ("errors: [{modules: [a]}]", ":1:10: expected either text or fields in a rule, got neither"),
        (
            "errors: [{modules: [a], text: b, fields: {c: d}}]",
            "expected either text or fields in a rule, got both",
        ),
        ("errors: [{modules: [a], text: '(b'}]", ":1:31: expected a regular expression, got '(b' (missing ), "),
        ("errors: [{modules: [a], fields: {}}]", ":1:33: expected a mapping of fields to their values, such as"),
        ("errors: [{modules: [a], text: b, at: [c]}]", ":1:38: expected text, got a list"),
        ("errors: [{modules: [a], fields: {b: c}, reason: 1}]", ":1:49: expected text, got the number 1"),
        ("unreachable: a", ":1:14: expected a list of regular expressions, got 'a'"),
        ("unreachable: ['a{99999999999}']", ":1:15: expected a regular expression, got 'a{99999999999}'"),
        ("unreachable: ['']", ":1:15: expected text, got empty text"),
        ("a: b: c", "e.yml:1:"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str):
    Path("e.yml").write_text(text)
    with pytest.raises(UsageError) as caught:
        answer_rules("e.yml")
    assert said in str(caught.value)


def test_a_file_that_is_not_there():
    with pytest.raises(UsageError, match=r"^none\.yml: cannot be read: No such file or directory$"):
        answer_rules("none.yml")
