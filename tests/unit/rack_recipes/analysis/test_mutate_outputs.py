# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.analysis import mutate_outputs as module
from rack_recipes.analysis.mutate_outputs import StepCriteria, StepMutants, changes_of, mutate, mutations_of
from rack_recipes.analysis.run_data import RunData, arrange_run

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (4, {"x 2": 8, "/ 2": 2.0, "sign": -4, "+ 1": 5, "- 1": 3, "0": 0, "null": None}),
        (0, {"+ 1": 1, "- 1": -1, "null": None}),
        (1, {"x 2": 2, "/ 2": 0.5, "sign": -1, "+ 1": 2, "- 1": 0, "0": 0, "null": None}),
        ("up", {"other text": "up~", "empty": "", "null": None}),
        ("", {"other text": "~", "null": None}),
        (True, {"not": False, "null": None}),
        (None, {}),
        ([], {"null": None}),
        ([1], {"empty": [], "null": None}),
    ],
)
def test_the_mutations_of_a_value(value: Any, told: dict[str, Any]):
    assert dict(mutations_of(value)) == told


def test_every_place_inside_of_a_value_is_changed():
    found = {(one.path, one.what): one.value for one in changes_of({"a": [1, {"b": "x"}]})}
    assert found[".a[1].b", "empty"] == {"a": [1, {"b": ""}]}
    assert found[".a[1].b", "removed"] == {"a": [1, {}]}
    assert found[".a[0]", "+ 1"] == {"a": [2, {"b": "x"}]}
    assert found[".a", "removed"] == {}
    assert found["", "null"] is None
    assert (".a[0]", "removed") not in found


def test_a_number_that_would_be_too_large_is_left_out():
    assert "x 2" not in dict(mutations_of(1.7e308))
    assert "/ 2" not in dict(mutations_of(10**400))


def test_of_a_huge_value_some_places_are_changed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_DEEP", 2)
    assert {one.path for one in changes_of([1, 2, 3])} == {"", "[0]"}


@given(JSON)
def test_no_mutation_leaves_a_value_as_it_is_or_changes_the_original(value: Any):
    before = json.dumps(value)
    for one in changes_of(value):
        assert json.dumps(one.value) != before
    assert json.dumps(value) == before


MAX = {"values": [{"name": "temp", "value": "${fan.state_v1.temp}", "max": 80}]}
EXACT = {"values": [{"value": "${fan.state_v1.temp}", "eq": 40}]}


def result(step: str = "fan", host: str = "r1", verdict: str = "passed", **fields: Any) -> dict[str, Any]:
    return {"step": step, "host": host, "verdict": verdict, "stage": 1, "idx": 1, **fields}


def delta(key: str, after: Any, step: str = "fan", host: str = "r1", seq: int = 1, **fields: Any) -> dict[str, Any]:
    place = {"seq": seq, "host": host, "step": step, "key": key, "version": 1, "after": after, "origin": None}
    return {**place, **fields}


def measured(name: str, value: Any, step: str = "fan", **judged: Any) -> dict[str, Any]:
    nothing = {"limits": None, "distance": None, "verdict": None}
    return {"host": "r1", "step": step, "n": 1, "name": name, "value": value, "unit": "C", **nothing, **judged}


def mutants(
    *steps: StepCriteria, changes: Any = (), results: Any = (), measurements: Any = (), params: Any = None
) -> list[StepMutants]:
    run = {"run_id": "R1", "params": params or {}}
    data = RunData(run=run, steps=results or [result()], measurements=measurements)
    return mutate(arrange_run(data), changes or [delta("fan.state_v1", {"temp": 40, "name": "a"})], steps)


def missed(found: StepMutants) -> set[tuple[str, str]]:
    return {(one.name, one.what) for one in found.mutants if not one.is_noticed}


def test_a_criterion_notices_what_breaks_it_and_nothing_else():
    (found,) = mutants(StepCriteria("fan", MAX))
    assert (found.step, found.host, found.problem) == ("fan", "r1", "")
    wrong = {("fan.state_v1.temp", what) for what in ("/ 2", "sign", "+ 1", "- 1", "0", "x 2")}
    names = {("fan.state_v1.name", what) for what in ("other text", "empty", "null", "removed")}
    assert missed(found) == wrong | names  # 80 is still at most 80
    assert found.noticed == len(found.mutants) - 10


def test_an_exact_criterion_notices_every_change_of_its_value():
    (found,) = mutants(StepCriteria("fan", EXACT))
    assert {name for name, _what in missed(found)} == {"fan.state_v1.name"}


def test_that_a_key_is_there_is_all_that_some_criteria_look_at():
    (found,) = mutants(StepCriteria("fan", {"ctx_has_keys": ["fan.state_v1"]}))
    assert {one.what for one in found.mutants if one.is_noticed} == {"not set"}


def test_criteria_of_another_step_that_name_the_key_notice_too():
    reader = StepCriteria("judge", EXACT)
    found = mutants(StepCriteria("fan", {"none": True}), reader, results=[result(), result("judge")])
    assert {name for name, _what in missed(found[0])} == {"fan.state_v1.name"}
    assert found[1].problem == "it has no outputs"


def test_a_step_without_criteria_notices_nothing():
    (found,) = mutants(StepCriteria("fan", {"none": True}))
    assert found.mutants
    assert found.noticed == 0


def test_what_a_scriptlet_has_checked_itself_is_judged_by_its_limits():
    checks = [
        measured("noise", 10, limits={"max": 15}, distance=5, verdict="passed"),
        measured("speed", 3),
        measured("temp", 40, limits={"max": 80}, distance=40, verdict="passed"),  # of the criterion
    ]
    (found,) = mutants(StepCriteria("fan", MAX), measurements=checks)
    own = [one for one in found.mutants if one.kind == "measured"]
    assert {one.name for one in own} == {"noise", "speed"}
    assert {one.what for one in own if one.name == "noise" and one.is_noticed} == {"x 2", "null"}
    assert not any(one.is_noticed for one in own if one.name == "speed")


def test_a_key_of_the_run_and_parameters_and_words_of_a_loop_are_known():
    success = {"values": [{"value": "${total_v1}", "max": "${params.most}"}, {"value": "${item}", "eq": "b"}]}
    (found,) = mutants(
        StepCriteria("sum", success, loop=["a", "b"]),
        changes=[delta("total_v1", 5, "sum[b]", host="", origin="r1")],
        results=[
            result("sum[a]", verdict="failed", parent="sum"),
            result("sum[b]", parent="sum"),
            result("sum", instances=2),
        ],
        params={"most": 6},
    )
    assert (found.step, found.problem) == ("sum[b]", "")
    assert {what for _name, what in missed(found)} == {"/ 2", "sign", "+ 1", "- 1", "0"}


def test_the_context_is_that_after_the_step_and_not_at_the_end():
    later = [delta("fan.state_v1", {"temp": 40}), delta("fan.state_v1", {"temp": 99}, "other", seq=2)]
    (found,) = mutants(StepCriteria("fan", MAX), changes=later)
    assert found.problem == ""


@pytest.mark.parametrize(
    ("success", "verdict", "problem"),
    [
        (MAX, "failed", "it has not passed on any host"),
        (MAX, "waived", "it has not passed on any host"),
        ({"values": [{"value": "{{ x }}", "eq": 1}]}, "passed", "its criteria have Jinja templates, which only a run"),
        ({"values": [{"value": "${gone_v1}", "eq": 1}]}, "passed", "its outputs cannot be judged again: "),
    ],
)
def test_why_there_are_no_mutants(success: dict[str, Any], verdict: str, problem: str):
    (found,) = mutants(StepCriteria("fan", success), results=[result(verdict=verdict)])
    assert found.problem.startswith(problem)
    assert found.mutants == ()
