# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import shortened
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.language import criteria
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import (
    describe,
    evaluate,
    holds,
    judge,
    problem,
)
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import cases, table

OWN = {
    "numbers.stats_v1": [1, {"mean": 8.5, "count": 7}],
    "latency.samples_v1": [1, [40, 10, 30, 20]],
    "fan.rpm_v1": [1, 4000],
    "bios.version_v1": [1, "1.3"],
}
OTHERS = {
    "leaf2": {"fan.rpm_v1": [1, 4100], "bios.version_v1": [1, "1.2"]},
    "leaf3": {"fan.rpm_v1": [1, 9000], "bios.version_v1": [1, "1.2"]},
}
PARAMS = {"most": 9, "newest": "1.3", "reach": {"of": 4000, "by": 1}}


@pytest.fixture
def scope():
    return Scope(ContextView("s", "leaf1", "host", OWN, {}, OTHERS, [].append), PARAMS, {"item": "eth0", "index": 0})


@cases(__file__, "criteria", "condition", "value", "verdict", "problem", "distance")
def test_verdicts(condition, value, verdict, problem, distance):
    found = judge(condition, value)
    assert (found[0], shortened(found[1]), found[2]) == (verdict, problem, distance)
    assert repr(found[2]) == repr(distance)


def test_a_long_value_is_cut_where_a_condition_is_described():
    assert criteria.describe({"value": "${a_v1}", "eq": "x" * 1000}) == f'a_v1 eq "{"x" * 199}...'


@cases(__file__, "criteria_refused", "condition", "value", "error")
def test_what_cannot_be_judged(condition, value, error):
    with pytest.raises(ValueError) as caught:
        judge(condition, value)
    assert str(caught.value) == error


@cases(__file__, "evaluate", "condition", "record", "problem", "words")
def test_criteria(scope, condition, record, problem, words):
    found = evaluate(condition, scope)
    assert json.dumps(found) == json.dumps(record)
    assert problem_of(found) == problem
    assert describe(condition) == words


problem_of = problem  # a case has a field of this name


@cases(__file__, "evaluate", "condition", "record", "problem", "words")
def test_equal_input_gives_equal_bytes(scope, condition, record, problem, words):
    mixed = dict(reversed(condition.items())) if len(condition) > 1 else condition
    assert len({json.dumps(evaluate(given, scope)) for _time in range(20) for given in (condition, mixed)}) == 1


@table("condition", "error")
def test_criteria_that_cannot_be_judged(scope, condition, error):
    with pytest.raises(ValueError) as caught:
        evaluate(condition, scope)
    assert str(caught.value).startswith(error)


@table("conditions", "expected")
def test_all_conditions_hold_or_the_first_that_does_not_is_told(scope, conditions, expected):
    assert holds(conditions, scope) == expected


def test_a_condition_that_cannot_be_judged_does_not_hold(scope):
    with pytest.raises(ValueError, match="item: min needs a number"):
        holds([{"value": "${item}", "min": 1}], scope)


def test_a_regular_expression_that_takes_for_ever_is_ended(monkeypatch, scope):
    monkeypatch.setattr(criteria, "PATIENCE", 0.1)
    told = r"^x: matches: \(a\+\)\+b took more than 0\.1 s on a text of 60 characters: say it simpler$"
    with pytest.raises(ValueError, match=told):
        evaluate({"value": "a" * 60, "name": "x", "matches": "(a+)+b"}, scope)
