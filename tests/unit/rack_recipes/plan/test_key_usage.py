# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that a step reads, wherever it names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.errors import Place
from rack_recipes.plan.dependency_graph import PARTS, KeyUsage, key_usage_of
from rack_recipes.recipe.catalog.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.recipe_model import CacheKey, Repeat, ResultPart, Retry, Step, Success

BARE = ScriptletEntry("t.step", "shell", Path("step.sh"), "step.sh", "project")
HOLDS = ({"value": 1, "within": {"of": "${a_v1.x.0}", "by": "${b.c_v2@leaf1}"}, "warn": {"max": "${d_v1@median}"}},)
FIELDS = {
    "args": {"a": ["${a_v1.x.0}", {"b": "of ${b.c_v2@leaf1} and ${d_v1@median}"}]},
    "when": HOLDS,
    "loop": ("${a_v1}", ["${b.c_v2@leaf1}", "${d_v1@${item}}"]),
    "matrix": {"x": "${a_v1}", "y": ("${b.c_v2@leaf1}", "${d_v1@majority}")},
    "cache_key": CacheKey("${a_v1}${b.c_v2@leaf1}${d_v1@leaf1}"),
    "retry": Retry(max=2, until=HOLDS),
    "repeat": Repeat(until=HOLDS),
    "success": Success(values=HOLDS),
}


def step(**fields: object) -> Step:
    return Step(1, "a", "shell", "t.step", Place("r.yml"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_a_step_reads_keys(part: str):
    found = key_usage_of(step(**{part: FIELDS[part]}), BARE)
    assert found == KeyUsage(frozenset({"a_v1", "b.c_v2", "d_v1"}), frozenset(), frozenset({"b.c_v2", "d_v1"}))


def test_declared_keys_are_used_too():
    entry = ScriptletEntry("t.x", "shell", Path("x.sh"), "x.sh", "project", reads=("r_v1",), writes=("w_v1",))
    found = key_usage_of(step(reads=("s_v1",), writes=(ResultPart("x_v1"),)), entry)
    assert found == KeyUsage(frozenset({"r_v1", "s_v1"}), frozenset({"w_v1", "x_v1"}))
    assert key_usage_of(step(writes=(ResultPart("x_v1"),)), None) == KeyUsage(frozenset(), frozenset({"x_v1"}))


@pytest.mark.parametrize("part", ["retry", "repeat", "success"])
def test_a_step_s_own_key_is_there_when_it_is_judged(part: str):
    found = key_usage_of(step(**{part: FIELDS[part]}, writes=(ResultPart("a_v1"), ResultPart("d_v1"))), BARE)
    assert (found.reads, found.elsewhere) == ({"b.c_v2", "d_v1"}, {"b.c_v2", "d_v1"})


@pytest.mark.parametrize("part", ["args", "when", "loop", "matrix", "cache_key"])
def test_a_step_s_own_key_is_another_s_before(part: str):
    assert "a_v1" in key_usage_of(step(**{part: FIELDS[part]}, writes=(ResultPart("a_v1"),)), BARE).reads


def test_other_words_are_no_keys():
    args = {"x": "${params.x_v1} ${item} ${matrix.a} ${step.name} ${HOME} ${index}"}
    assert key_usage_of(step(args=args, when="{{ x }}"), BARE) == KeyUsage(frozenset(), frozenset())
