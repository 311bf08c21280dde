# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope, loop_instances
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import cases


@pytest.fixture
def scope():
    own = {"links.up_v1": [1, ["eth0", "eth1"]]}
    params = {"mtus": [1500, 9000], "port": {"name": "swp1"}, "vlan": 12}
    return Scope(ContextView("s", "r1", "host", own, {}, {}, [].append), params, {})


@cases(__file__, "loops", "loop", "matrix", "names")
def test_instances_have_names(scope, loop, matrix, names):
    assert [name for name, _words in loop_instances("s", loop, matrix, scope)] == names


@cases(__file__, "loops_refused", "loop", "matrix", "error")
def test_what_is_no_loop(scope, loop, matrix, error):
    with pytest.raises(ValueError) as caught:
        loop_instances("s", loop, matrix, scope)
    assert str(caught.value) == error


def test_the_words_of_a_loop(scope):
    assert [words for _name, words in loop_instances("s", ["a", {"name": "${params.vlan}"}], None, scope)] == [
        {"item": "a", "index": 0},
        {"item": {"name": 12}, "index": 1},
    ]


def test_the_words_of_a_matrix(scope):
    found = loop_instances("s", None, {"x": [1, "a b"], "y": "${links.up_v1}"}, scope)
    assert [words for _name, words in found] == [
        {"matrix": {"x": 1, "y": "eth0"}, "index": 0},
        {"matrix": {"x": 1, "y": "eth1"}, "index": 1},
        {"matrix": {"x": "a b", "y": "eth0"}, "index": 2},
        {"matrix": {"x": "a b", "y": "eth1"}, "index": 3},
    ]


def test_ten_thousand_instances_are_the_most(scope):
    assert len({name for name, _words in loop_instances("s", ["a"] * 10_000, None, scope)}) == 10_000
    assert len(loop_instances("s", None, {"x": [1] * 100, "y": [2] * 100}, scope)) == 10_000
    with pytest.raises(ValueError, match=r"^10001 instances, a step can have 10000$"):
        loop_instances("s", ["a"] * 10_001, None, scope)
    with pytest.raises(ValueError, match=r"^1000000000000 instances, a step can have 10000$"):
        loop_instances("s", None, {name: [1] * 1000 for name in "abcd"}, scope)
