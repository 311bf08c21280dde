# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import (
    complete_arguments,
    convert,
    find_wrong_names,
)
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import as_reason
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import cases


@cases(__file__, "arguments", "options", "given", "expected")
def test_arguments_become_what_is_declared(options, given, expected):
    completed = complete_arguments(options, given)
    assert completed == expected
    assert repr(completed) == repr(expected)  # 1, 1.0 and True are equal


@cases(__file__, "arguments_refused", "options", "given", "error")
def test_what_does_not_fit_is_named(options, given, error):
    with pytest.raises(ValueError) as caught:
        complete_arguments(options, given)
    assert str(caught.value) == error


def test_a_path_is_the_user_s_on_this_host(monkeypatch):
    monkeypatch.setenv("HOME", "/home/tester")
    monkeypatch.setenv("RACK", "r7")
    assert convert("src", "~/$RACK/x", "path") == "/home/tester/r7/x"


def test_a_deep_text_is_refused_like_any_other():
    with pytest.raises(ValueError) as caught:
        convert("a", '{"a":' * 100_000, "dict")
    assert str(caught.value).startswith("argument 'a': expected a mapping, got ")


def test_a_long_value_is_shortened_in_the_error():
    with pytest.raises(ValueError) as caught:
        convert("a", "x" * 1000, "int")
    assert len(as_reason(caught.value)) < 300


def test_what_is_given_is_not_changed():
    given = {"a": ["1", {"b": "2"}]}
    complete_arguments({"a": {"type": "list", "elements": "raw"}}, given)
    assert given == {"a": ["1", {"b": "2"}]}


def test_all_wrong_names_are_told_at_once():
    options = {"src": {"required": True}, "dest": {"required": True}, "mode": {}}
    assert find_wrong_names(options, {"src": "a", "mod": 1, "x": 2}) == [
        ("mod", "is not an argument, did you mean 'mode'?"),
        ("x", "is not an argument; it takes dest, mode, src"),
        ("dest", "is required"),
    ]
