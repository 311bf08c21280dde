# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML -> plain data and places."""

from __future__ import annotations

import gc
import json
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import DEEPEST
from rack_recipes.errors import Place, RecipeErrors
from rack_recipes.recipe.yaml import reader
from rack_recipes.recipe.yaml.reader import MAX_REPEATED, read
from rack_recipes.recipe.yaml.values_and_positions import KEY

GOOD = Path(__file__).parents[1] / "cases" / "good"
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S", "Zs")), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def refusal(text: str) -> str:
    with pytest.raises(RecipeErrors) as caught:
        read(text.encode(), "a.yml")
    return str(caught.value)


@given(st.dictionaries(TEXTS, JSON, max_size=4))
def test_json_reads_as_json(data: dict[str, Any]) -> None:
    text = json.dumps(data, ensure_ascii=False)
    found = read(text.encode(), "a.json").data
    assert json.dumps(found) == json.dumps(data)


@given(st.dictionaries(TEXTS, JSON, max_size=4))
def test_a_place_is_where_its_value_starts(data: dict[str, Any]) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=1)
    document, lines = read(text.encode(), "a.json"), text.split("\n")
    for path, place in document.places.items():
        found: Any = data
        for name in path[:-2] if path[-1:] == (KEY,) else path:
            found = found[name]
        written = json.dumps(path[-2] if path[-1:] == (KEY,) else found, ensure_ascii=False)
        assert lines[place.line - 1][place.column - 1 :].startswith(written[:1])


@pytest.mark.parametrize("case", sorted(GOOD.glob("*.yml")), ids=attrgetter("stem"))
def test_yaml_without_its_c_library_reads_the_same(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read(case.read_bytes(), "a.yml")
    monkeypatch.setattr(reader, "LOADER", yaml.SafeLoader)
    assert read(case.read_bytes(), "a.yml").data == expected.data


@pytest.mark.parametrize(
    "text", ['a: "\\UFFFFFFFF"\n', 'a: "\\ud800"\n', "a: [\n", "a: \t- b\n", "%YAML x\n", "a: !<x\n", "b\na: c\n"]
)
def test_yaml_without_its_c_library_refuses_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal(text)
    monkeypatch.setattr(reader, "LOADER", yaml.SafeLoader)
    assert refusal(text).startswith("a.yml:1:") or refusal(text).startswith("a.yml:2:")


def test_an_alias_stands_where_it_is_written_and_its_inside_where_the_anchor_is() -> None:
    places = read(b"a: &x {b: 1}\nc: *x\n", "a.yml").places
    assert places["a",] == Place("a.yml", 1, 4)
    assert places["c",] == Place("a.yml", 2, 4)
    assert places["c", "b"] == places["a", "b"] == Place("a.yml", 1, 11)
    assert places["c", "b", KEY] == Place("a.yml", 1, 8)


def test_merged_keys_yield_to_a_mapping_s_own_and_to_those_merged_first() -> None:
    text = b"a: &a {x: 1, y: 1}\nb: &b {x: 2, y: 2, z: 2}\nc: {x: 3, <<: [*a, *b]}\n"
    document = read(text, "a.yml")
    assert document.data["c"] == {"x": 3, "y": 1, "z": 2}
    assert document.places["c", "z"] == Place("a.yml", 2, 23)


def test_merged_keys_keep_their_order() -> None:
    names = [f"k{number}" for number in range(50)]
    text = f"a: &a {{{', '.join(f'{name}: 1' for name in names)}}}\nb: {{x: 3, <<: *a}}\n"
    assert [*read(text.encode(), "a.yml").data["b"]] == ["x", *names]


def test_merged_keys_stand_where_they_are_written_also_through_a_second_merge() -> None:
    document = read(b"a: &a {x: 1}\nb: &b\n  <<: *a\n  y: 2\nc: {<<: [*b, {}], z: 3}\nd: {<<: []}\n", "a.yml")
    assert document.data["c"] == {"x": 1, "y": 2, "z": 3}
    assert [document.places["c", key].line for key in ("x", "y", "z")] == [1, 4, 5]
    assert ("c", "<<") not in document.places
    assert [path for path in document.places if path[:1] == ("d",)] == [("d", KEY), ("d",)]


def test_a_key_that_stands_three_times_is_told_with_the_one_before() -> None:
    assert refusal("a: {b: 1}\nc: 2\na: 3\na: 4\n").split("\n") == [
        "a.yml:3:1: expected each key once, got 'a' again (first in line 1)",
        "a.yml:4:1: expected each key once, got 'a' again (first in line 3)",
    ]


def test_reading_leaves_nothing_for_the_garbage_collector() -> None:
    while gc.collect():  # what earlier tests left; some objects of theirs end in a second round
        pass
    read(b"a: &a [1, {b: c}]\nd: *a\n", "a.yml")
    assert gc.collect() == 0


def test_quoted_merge_sign_is_a_key() -> None:
    assert read(b'{"<<": 1}', "a.yml").data == {"<<": 1}


def test_a_place_that_is_none() -> None:
    places = read(b"a: [1]\n", "a.yml").places
    for path in [("b",), ("a", 1), ("a", -2), ("a", "0"), ("a", 0, 0), ("a", 0, KEY), (KEY,), ("a", KEY, KEY)]:
        assert path not in places


def test_as_deep_as_allowed_and_one_level_more() -> None:
    assert read(("a: " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)).encode(), "a.yml").data
    assert "a.yml:1:103: expected at most 100 levels" in refusal("a: " + "[" * DEEPEST + "]" * DEEPEST)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: ", "!!str [", "&a ["])
def test_no_depth_breaks_the_reader(opening: str) -> None:
    refusal(opening * 200_000)


def test_depth_counts_through_aliases() -> None:
    lines = ["a0: &a0 [[[[[[[[[[1]]]]]]]]]]", *(f"a{n}: &a{n} [[[[[[[[[[*a{n - 1}]]]]]]]]]]" for n in range(1, 12))]
    assert "expected at most 100 levels of lists and mappings inside each other, got more with *a" in refusal(
        "\n".join(lines)
    )


def test_as_many_repeated_values_as_allowed_and_more() -> None:
    anchor = f"a: &a [{'x, ' * 999}]\n"
    times = MAX_REPEATED // 1000
    assert read(f"{anchor}b: [{'*a, ' * times}]\n".encode(), "a.yml").data
    assert "got 101000 with *a" in refusal(f"{anchor}b: [{'*a, ' * (times + 1)}]\n")


def test_another_top_than_a_recipe_s() -> None:
    with pytest.raises(RecipeErrors, match="expected a mapping of options, got an empty file"):
        read(b"", "a.yml", "a mapping of options")
