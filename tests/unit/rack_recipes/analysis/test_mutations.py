# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.analysis import mutate_outputs as module
from rack_recipes.analysis.mutate_outputs import changes, of_number

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
    assert dict(of_number(value)) == told


def test_every_place_inside_of_a_value_is_changed():
    found = {(one.path, one.what): one.value for one in changes({"a": [1, {"b": "x"}]})}
    assert found[".a[1].b", "empty"] == {"a": [1, {"b": ""}]}
    assert found[".a[1].b", "removed"] == {"a": [1, {}]}
    assert found[".a[0]", "+ 1"] == {"a": [2, {"b": "x"}]}
    assert found[".a", "removed"] == {}
    assert found["", "null"] is None
    assert (".a[0]", "removed") not in found


def test_a_number_that_would_be_too_large_is_left_out():
    assert "x 2" not in dict(of_number(1.7e308))
    assert "/ 2" not in dict(of_number(10**400))


def test_of_a_huge_value_some_places_are_changed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_DEEP", 2)
    assert {one.path for one in changes([1, 2, 3])} == {"", "[0]"}


@given(JSON)
def test_no_mutation_leaves_a_value_as_it_is_or_changes_the_original(value: Any):
    before = json.dumps(value)
    for one in changes(value):
        assert json.dumps(one.value) != before
    assert json.dumps(value) == before
