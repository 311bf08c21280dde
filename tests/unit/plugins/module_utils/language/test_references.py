# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.language.references import (
    FOREIGN,
    Scope,
    keys_in,
    keys_of_others,
    loop_instances,
    names_in,
    resolve,
    without_braces,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import cases, table

STATS = {"mean": 2.5, "by": [1, {"x": "é"}], "none": None, "Ethernet1/1": "up"}
OWN = {
    "numbers.stats_v1": [3, STATS],
    "nothing_v1": [1, None],
    "yes_v1": [1, True],
    "a_v1": [1, 1],
    "a_v1_v2": [1, {"b_v1": "second"}],
    "trap_v1": [1, "${a_v1}"],
    "rpm_v1": [1, 4000],
    "bios_v1": [1, {"version": "1.2"}],
    "mode_v1": [1, [1, {"a": 1}]],
    "temp_v1": [1, 30.5],
}
RUN = {"run.name_v2": [1, "rack 7"], "yes_v1": [1, False]}
OTHERS = {
    "r1": {"rpm_v1": [1, 1], "mode_v1": [1, "older than this host's own"]},
    "r2": {
        "rpm_v1": [1, 4100],
        "bios_v1": [1, {"version": "1.2"}],
        "mode_v1": [1, [1.0, {"a": 1}]],
        "temp_v1": [1, 29],
        "half_v1": [1, True],
    },
    "r3": {
        "rpm_v1": [1, 4200],
        "bios_v1": [1, {"version": "1.3"}],
        "mode_v1": [1, [1, {"a": True}]],
        "temp_v1": [1, 31],
        "half_v1": [1, 1],
    },
    "fe80::1.x": {"rpm_v1": [1, 9000], "bios_v1": [1, {}]},
}
PARAMS = {"vlan": 12, "port": {"speeds": [10, 25]}, "golden": "r2"}
WORDS = {
    "item": {"name": "eth0", "lanes": [1, 2]},
    "index": 3,
    "matrix": {"speed": 10},
    "step": {"name": "measure[eth0]", "attempt": 2},
}


@pytest.fixture
def scope():
    return Scope(ContextView("s", "r1", "host", OWN, RUN, OTHERS, [].append), PARAMS, WORDS)


@cases(__file__, "references", "value", "expected")
def test_references_are_filled_in(scope, value, expected):
    assert resolve(value, scope) == expected
    assert repr(resolve(value, scope)) == repr(expected)


@cases(__file__, "references_refused", "value", "error")
def test_references_that_lead_nowhere_are_named(scope, value, error):
    with pytest.raises(ValueError) as caught:
        resolve(value, scope)
    assert str(caught.value) == error


@table("value", "expected")
def test_outside_of_a_loop(value, expected):
    scope = Scope(ContextView("s", "r1", "host", {}, {}, {}, [].append), {}, {})
    if expected is None:
        assert resolve(value, scope) == value
    else:
        with pytest.raises(ValueError, match=re.escape(expected)):
            resolve(value, scope)


def test_without_parameters_and_keys_there_is_none():
    scope = Scope(ContextView("s", "r1", "host", {}, {}, {}, [].append), {}, {})
    with pytest.raises(ValueError, match="params has no 'x'; there is none"):
        resolve("${params.x}", scope)
    with pytest.raises(ValueError, match="the context has no key a_v1; there is none"):
        resolve("${a_v1}", scope)


@pytest.mark.parametrize(
    ("value", "change", "after"),
    [
        ("${numbers.stats_v1}", lambda found: found["by"].append(2), STATS),
        ("${params.port}", lambda found: found["speeds"].clear(), {"speeds": [10, 25]}),
        ("${item}", lambda found: found.clear(), {"name": "eth0", "lanes": [1, 2]}),
        ("${mode_v1@r2}", lambda found: found.clear(), [1.0, {"a": 1}]),
        ("${mode_v1@majority}", lambda found: found.clear(), [1, {"a": 1}]),
    ],
)
def test_what_is_filled_in_is_a_copy(scope, value, change, after):
    change(resolve(value, scope))
    assert resolve(value, scope) == after


def test_a_step_of_the_run_reads_every_host():
    run = {"rpm_v1": [1, 5]}
    scope = Scope(ContextView("s", "", "run", run, run, OTHERS, [].append), {}, {})
    assert resolve(["${rpm_v1}", "${rpm_v1@r2}", "${rpm_v1@median}"], scope) == [5, 4100, 4150]
    with pytest.raises(ValueError, match="r9 has no key half_v1, but r2, r3"):
        resolve("${half_v1@r9}", scope)
    with pytest.raises(ValueError, match="there is no host here"):
        resolve("on ${host}", scope)


MANY = {
    "x": ["${a_v1} ${b.c_v2.d.e} ${HOME}", ("${b_v1@leaf1}", {"y": "${c_v1.p@majority} ${d_v1@${item.host}}"})],
    "${e_v1@r9}": "${params.vlan} ${params.port.speed} ${matrix.mtu.0} ${params} ${index} ${f_v1@${params.golden}}",
    "z": 5,
}


def test_what_a_value_refers_to():
    assert keys_in(MANY) == {"a_v1", "b.c_v2", "b_v1", "c_v1", "d_v1", "f_v1"}
    assert keys_of_others(MANY) == {"b_v1", "c_v1", "d_v1", "f_v1"}
    assert names_in(MANY, "params") == {"vlan", "port", "golden"}
    assert names_in(MANY, "matrix") == {"mtu"}
    assert names_in(MANY, "item") == {"host"}
    assert names_in(MANY, "index") == set()


@pytest.mark.parametrize("value", ["", 5, None, True, [], {}, "${HOME}", "$a_v1"])
def test_values_without_references(value):
    found = (keys_in(value), keys_of_others(value), names_in(value, "params"))
    assert found == (set(), set(), set())


@table("text", "expected")
def test_a_reference_for_people(text, expected):
    assert without_braces(text) == expected


@pytest.mark.parametrize(
    "text",
    ["${" * 200_000, "${" + "a_v1." * 100_000, "${a" * 100_000 + "}", "${a_v1" + "@" * 300_000, "${" + "_v1" * 100_000],
)
def test_no_text_takes_long(scope, text):
    start = time.process_time()
    assert resolve(text, scope) == text
    assert not keys_in(text)
    assert time.process_time() - start < 2


def test_values_without_references_cost_next_to_nothing(scope):
    value = {"src": "data/numbers.csv", "count": 5, "flags": ["a", "b", {"c": None}]}
    start = time.process_time()
    for _round in range(1000):
        resolve(value, scope)
    assert (time.process_time() - start) / 1000 < 100e-6


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (FOREIGN + "a_v1}", "${a_v1}"),
        ("${a_v1} " + FOREIGN + "a_v1}", "1 ${a_v1}"),
        ({"x": [FOREIGN + "params.word}", "${trap_v1}"]}, {"x": ["${params.word}", "${a_v1}"]}),
    ],
)
def test_text_of_a_host_is_no_reference(scope, value, expected):
    """As the controller marks it."""
    assert resolve(value, scope) == expected
    assert keys_in(FOREIGN + "a_v1}") == set()


@pytest.fixture
def loop_scope():
    own = {"links.up_v1": [1, ["eth0", "eth1"]]}
    params = {"mtus": [1500, 9000], "port": {"name": "swp1"}, "vlan": 12}
    return Scope(ContextView("s", "r1", "host", own, {}, {}, [].append), params, {})


@cases(__file__, "loops", "loop", "matrix", "names")
def test_instances_have_names(loop_scope, loop, matrix, names):
    assert [name for name, _words in loop_instances("s", loop, matrix, loop_scope)] == names


@cases(__file__, "loops_refused", "loop", "matrix", "error")
def test_what_is_no_loop(loop_scope, loop, matrix, error):
    with pytest.raises(ValueError) as caught:
        loop_instances("s", loop, matrix, loop_scope)
    assert str(caught.value) == error


def test_the_words_of_a_loop(loop_scope):
    assert [words for _name, words in loop_instances("s", ["a", {"name": "${params.vlan}"}], None, loop_scope)] == [
        {"item": "a", "index": 0},
        {"item": {"name": 12}, "index": 1},
    ]


def test_the_words_of_a_matrix(loop_scope):
    found = loop_instances("s", None, {"x": [1, "a b"], "y": "${links.up_v1}"}, loop_scope)
    assert [words for _name, words in found] == [
        {"matrix": {"x": 1, "y": "eth0"}, "index": 0},
        {"matrix": {"x": 1, "y": "eth1"}, "index": 1},
        {"matrix": {"x": "a b", "y": "eth0"}, "index": 2},
        {"matrix": {"x": "a b", "y": "eth1"}, "index": 3},
    ]


def test_ten_thousand_instances_are_the_most(loop_scope):
    assert len({name for name, _words in loop_instances("s", ["a"] * 10_000, None, loop_scope)}) == 10_000
    assert len(loop_instances("s", None, {"x": [1] * 100, "y": [2] * 100}, loop_scope)) == 10_000
    with pytest.raises(ValueError, match=r"^10001 instances, a step can have 10000$"):
        loop_instances("s", ["a"] * 10_001, None, loop_scope)
    with pytest.raises(ValueError, match=r"^1000000000000 instances, a step can have 10000$"):
        loop_instances("s", None, {name: [1] * 1000 for name in "abcd"}, loop_scope)
