# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.server.live.key_operations import (
    INCREMENT,
    MERGE,
    PATCH,
    VALUE,
    WriteRequest,
    check_request,
    new_value,
)
from rack_recipes.server.problems import Problem

KEY = "numbers.stats_v1"
UNSET: Any = object()


def made(operation: str, operand: Any, value: Any = UNSET) -> Any:
    request = check_request(WriteRequest(KEY, "", operation, operand))
    return new_value(request, value is not UNSET, None if value is UNSET else value)


@pytest.mark.parametrize(
    ("operation", "operand", "before", "after"),
    [
        (VALUE, [1], {"a": 1}, [1]),
        (VALUE, None, UNSET, None),
        (PATCH, [{"op": "add", "path": "/a", "value": 1}], {}, {"a": 1}),
        (PATCH, [{"op": "remove", "path": "/a", "\0": "\0"}], {"a": 1}, {}),
        (MERGE, {"a": {"b": None, "c": 2}, "d": [3]}, {"a": {"b": 1}, "d": [1, 2]}, {"a": {"c": 2}, "d": [3]}),
        (MERGE, {"a": {"b": None, "c": 1}}, UNSET, {"a": {"c": 1}}),
        (MERGE, [1], {"a": 1}, [1]),
        (INCREMENT, {}, UNSET, 1),
        (INCREMENT, {"by": 2.5}, 1, 3.5),
        (INCREMENT, {"by": -3}, 1, -2),
        (INCREMENT, {"by": 2, "path": "/a"}, UNSET, {"a": 2}),
        (INCREMENT, {"by": 2, "path": "/a/b"}, {"a": {"b": 1, "c": 0}}, {"a": {"b": 3, "c": 0}}),
        (INCREMENT, {"path": "/1"}, [5, 5], [5, 6]),
    ],
)
def test_an_operation_makes_a_value(operation, operand, before, after):
    result = made(operation, operand, before)
    assert (result, type(result)) == (after, type(after))


@pytest.mark.parametrize(
    ("operation", "operand", "before", "kind", "detail"),
    [
        (VALUE, float("inf"), 1, "bad-request", "numbers.stats_v1: inf is not a JSON number"),
        (VALUE, {"a": [2**63]}, 1, "bad-request", "numbers.stats_v1.a[0]: an integer beyond 64 bits, "),
        (VALUE, "x" * (2**20 + 3), 1, "bad-request", "numbers.stats_v1: 1048581 bytes of JSON, a key can hold 1048576"),
        (PATCH, 1, 1, "bad-request", "expected a list of at most 1000 operations, got 1"),
        (PATCH, [{"op": "add", "path": "", "value": "\0"}], 1, "bad-request", "patch[0].value: character 0 is NUL"),
        (PATCH, [{"op": "remove", "path": "/a"}], {}, "not-applicable", "operation 0 (remove): there is no /a"),
        (PATCH, [], UNSET, "not-found", "numbers.stats_v1 is not set, so there is nothing to patch"),
        (PATCH, [{"op": "copy", "from": "", "path": "/a"}], ["x"], "not-applicable", "operation 0 (copy): /a: "),
        (INCREMENT, 1, 1, "bad-request", "expected an object with the number 'by'"),
        (INCREMENT, {"by": True}, 1, "bad-request", "expected an object with the number 'by'"),
        (INCREMENT, {"bi": 1}, 1, "bad-request", "expected an object with the number 'by'"),
        (INCREMENT, {"by": 1, "path": "a"}, 1, "bad-request", "expected a JSON pointer such as /ports/0"),
        (INCREMENT, {"by": 1e400}, 1, "bad-request", "by: inf is not a JSON number"),
        (INCREMENT, {}, "text", "not-applicable", "numbers.stats_v1 is no number"),
        (INCREMENT, {}, True, "not-applicable", "numbers.stats_v1 is no number"),
        (INCREMENT, {"path": "/a"}, {"a": None}, "not-applicable", "numbers.stats_v1/a is no number"),
        (INCREMENT, {"path": "/a/b"}, {}, "not-applicable", "numbers.stats_v1: there is no /a"),
        (INCREMENT, {"path": "/7"}, [1], "not-applicable", "numbers.stats_v1: there is no /7: the list has 1 item"),
        (INCREMENT, {"by": 1}, 2**63 - 1, "not-applicable", "numbers.stats_v1: an integer beyond 64 bits"),
        (INCREMENT, {"by": 1e308}, 1e308, "not-applicable", "numbers.stats_v1: inf is not a JSON number"),
    ],
)
def test_what_does_not_fit_is_told(operation, operand, before, kind, detail):
    with pytest.raises(Problem) as raised:
        made(operation, operand, before)
    assert (raised.value.kind, raised.value.detail[: len(detail)]) == (kind, detail)
    assert raised.value.advice


def test_a_key_needs_a_version():
    with pytest.raises(Problem, match="bad-request") as raised:
        check_request(WriteRequest("Numbers", "", VALUE, 1))
    assert raised.value.detail == "expected a context key such as numbers.stats_v1, got 'Numbers'"


def test_a_result_may_be_too_large():
    half = "x" * (2**19 + 1)
    with pytest.raises(Problem) as raised:
        made(MERGE, {"b": half}, {"a": half})
    assert raised.value.kind == "not-applicable"
    assert "a key can hold 1048576" in raised.value.detail
