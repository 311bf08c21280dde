# SPDX-License-Identifier: GPL-3.0-or-later

"""What failing pairs share, on tables of pairs and on drawn matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.analysis.methods.failed_pairs import ALL, ENDS, NODE, Pair, explain_pairs

CASES = yaml.safe_load(Path(__file__).with_name("failed_pairs.yml").read_text())
NODES = [f"n{number}" for number in range(12)]
LEAVES = {"leaf": {node: f"l{number // 3}" for number, node in enumerate(NODES)}}


def nodes_of(word: str, groups: Mapping[str, Mapping[str, Sequence[str]]]) -> set[str]:
    everything = {node for values in groups.values() for nodes in values.values() for node in nodes}
    named = {value: {*nodes} for values in groups.values() for value, nodes in values.items()}
    return everything if word == "*" else named.get(word, {word})


def matched(patterns: Sequence[str], groups: Mapping[str, Mapping[str, Sequence[str]]]) -> set[Pair]:
    """The pairs of patterns; those behind a `!` are taken out again."""
    found: set[Pair] = set()
    for pattern in patterns:
        source, target = pattern.lstrip("!").split(" > ")
        pairs = {Pair(a, b) for a in nodes_of(source, groups) for b in nodes_of(target, groups) if a != b}
        found = found - pairs if pattern.startswith("!") else found | pairs
    return found


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_tables_of_pairs(case: dict[str, Any]) -> None:
    groups = {
        name: {node: value for value, nodes in values.items() for node in nodes}
        for name, values in case["groups"].items()
    }
    everything = {Pair(*pair) for pair in permutations(sorted(nodes_of("*", case["groups"])), 2)}
    failed = matched(case["failed"], case["groups"])
    found = explain_pairs(failed, everything - failed, groups)
    told = [[one.share.way, one.share.attribute, one.share.value, len(one.pairs)] for one in found]
    assert told == case["told"]


pairs = st.sampled_from([Pair(*pair) for pair in permutations(NODES, 2)])


@given(failed=st.sets(pairs), passed=st.sets(pairs))
def test_each_failing_pair_is_told_once_and_nothing_that_passed(failed: set[Pair], passed: set[Pair]) -> None:
    found = explain_pairs(failed, passed - failed, LEAVES)
    told = [pair for one in found for pair in one.pairs]
    assert len(told) == len({*told})
    assert {*told} <= failed
    assert all(0.9 * one.of <= one.failed <= one.of for one in found)


@given(sick=st.sets(st.sampled_from(NODES[::3]), min_size=1, max_size=3))
def test_sick_nodes_of_different_leaves_are_all_that_is_named(sick: set[str]) -> None:
    everything = {Pair(*pair) for pair in permutations(NODES, 2)}
    failed = {pair for pair in everything if {*pair} & sick}
    found = explain_pairs(failed, everything - failed, LEAVES)
    assert {one.share.value for one in found} == sick
    assert {(one.share.way, one.share.attribute) for one in found} == {(ENDS, NODE)}
    assert {pair for one in found for pair in one.pairs} == failed


def test_many_leaves_without_a_spine() -> None:
    """Nearly all pairs are between leaves then, and the few inside of one pass."""
    leaves = {"leaf": {f"n{number}": f"l{number // 2}" for number in range(40)}}
    everything = {Pair(*pair) for pair in permutations(leaves["leaf"], 2)}
    failed = {pair for pair in everything if leaves["leaf"][pair.source] != leaves["leaf"][pair.target]}
    [found] = explain_pairs(failed, everything - failed, leaves)
    assert (found.share.way, found.share.attribute, found.failed, found.of) == ("between", "leaf", 1520, 1520)


def test_names_do_not_matter() -> None:
    everything = {Pair(*pair) for pair in permutations(NODES, 2)}
    failed = {pair for pair in everything if "n4" in pair}
    other = {node: f"x{number}" for number, node in enumerate(reversed(NODES))}
    turned = {Pair(other[a], other[b]) for a, b in failed}
    passed = {Pair(other[a], other[b]) for a, b in everything - failed}
    [found] = explain_pairs(turned, passed, {"leaf": {other[node]: leaf for node, leaf in LEAVES["leaf"].items()}})
    assert found.share.value == other["n4"]
    assert explain_pairs(everything, set(), LEAVES)[0].share.way == ALL
