# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.recipe.output_patterns import pattern_problems, patterns_of, regex_problem


@pytest.mark.parametrize(
    ("writes", "paths"),
    [
        (None, []),
        ([], []),
        ({}, []),
        (["a.b_v1"], [()]),
        ({"a.b_v1": "text"}, [("a.b_v1",)]),
        ({"a.b_v1": {"pattern": "(x"}, "a.c_v1": {"pattern": "x"}}, [("a.b_v1", "pattern")]),
        ({"a.b_v1": {"pattern": "(a)(b)"}}, [("a.b_v1", "pattern")]),
        ({"a.b_v1": {"pattern": "(?P<a>a)(b)"}, "a.c_v1": {"pattern": "(?:a)(b)"}}, []),
    ],
)
def test_each_key_needs_a_pattern_that_finds_one_value(writes: Any, paths: list[Any]) -> None:
    assert [path for path, _words in pattern_problems(writes)] == paths


def test_what_is_no_regular_expression() -> None:
    assert [regex_problem(text) for text in ("up", "[[a]", "(")] == [
        "",
        "",
        "missing ), unterminated subpattern at position 0",
    ]


def test_the_executor_gets_no_text_for_readers() -> None:
    assert patterns_of({"a.b_v1": {"pattern": "x", "optional": True, "description": "jobs"}}) == {
        "a.b_v1": {"pattern": "x", "optional": True}
    }
