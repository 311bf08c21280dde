# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML as plain data with places: cases/yaml, and files beside recipes."""

from __future__ import annotations

import gc
import json
import os
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import DEEPEST
from rack_recipes.errors import Place, RecipeErrors, TrustError, UsageError
from rack_recipes.recipe.yaml import reader
from rack_recipes.recipe.yaml.decode import MAX_SIZE, decode, read_bytes
from rack_recipes.recipe.yaml.files_beside_recipes import entries, placed, read_file, refuse, unknown, words
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


def refusal_of_bytes(path: str) -> str:
    with pytest.raises(RecipeErrors) as caught:
        read_bytes(path)
    return str(caught.value)


def test_content_comes_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"a: \xff\r\n")
    assert read_bytes(str(tmp_path / "a.yml")) == b"a: \xff\r\n"


def test_a_pipe_can_be_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"a: 1\n")
    os.close(writer)
    assert read_bytes(f"/dev/fd/{reader}") == b"a: 1\n"
    os.close(reader)


def test_a_missing_file_and_the_one_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "example_numbers.yml").write_text("test_meta: {test_id: N}\nsteps: []\n")
    (tmp_path / "example_numbers.txt").touch()
    missing = tmp_path / "example_number.yml"
    found = tmp_path / "example_numbers.yml"
    assert refusal_of_bytes(str(missing)) == (
        f"{missing}:1:1: expected a file that can be read, got no such file (did you mean '{found}'?)"
    )


def test_a_missing_file_in_a_missing_folder(tmp_path: Path) -> None:
    assert refusal_of_bytes(str(tmp_path / "absent" / "a.yml")).endswith(
        "expected a file that can be read, got no such file"
    )


def test_a_folder(tmp_path: Path) -> None:
    assert refusal_of_bytes(str(tmp_path)) == f"{tmp_path}:1:1: expected a file that can be read, got a folder"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yml").touch(mode=0)
    assert refusal_of_bytes(str(tmp_path / "a.yml")).endswith("got one that you may not read")


@pytest.mark.parametrize("path", ["a\0b.yml", "x" * 5000, ""])
def test_names_that_no_file_has(path: str) -> None:
    assert "expected a file that can be read, got " in refusal_of_bytes(path)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "large.yml").open("wb") as file:
        file.truncate(MAX_SIZE + 1)
    assert refusal_of_bytes(str(tmp_path / "large.yml")).endswith("expected a file of at most 8 MiB, got a larger file")


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        (b"\xff", 1, 1),
        (b"a: 1\nb: \xe9t\xe9\n", 2, 4),
        ("a: ü\r\nb: ü".encode() + b"\xff", 2, 5),
        (b"\xef\xbb\xbfa: \0", 1, 4),
        (b"a: 1\rb: \x07", 2, 4),
        ("a: ü\u2028".encode(), 1, 5),
    ],
)
def test_the_place_of_what_is_no_text(content: bytes, line: int, column: int) -> None:
    with pytest.raises(RecipeErrors) as caught:
        decode(content, "a.yml")
    assert caught.value.errors[0].place == Place("a.yml", line, column)


def test_lines_are_those_of_an_editor() -> None:
    assert decode(b"a\r\nb\rc\n\nd", "a.yml").lines == ["a", "b", "c", "", "d"]


COLOURS = ("red", "green")


def colour(entry, path):
    if not isinstance(entry, dict):
        yield path, "a colour", "no mapping", ""
        return
    yield from unknown(entry, ("colours",), path, {"color": "colours"}.get)
    yield from words(entry.get("colours"), (*path, "colours"), COLOURS)


def said(tmp_path, text, kind=UsageError, **options):
    path = tmp_path / "c.yml"
    path.write_text(text)
    document, digest = read_file(str(path), "a mapping with things")
    assert digest.startswith("sha256:")
    with pytest.raises(kind) as refused:
        refuse(placed(document, entries(document, "things", "things", colour, **options)), kind)
    return str(refused.value).replace(str(path), "c.yml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thing: []\n", "c.yml:1:1: expected one of things, got 'thing' (did you mean 'things'?)"),
        ("things: 1\n", "c.yml:1:9: expected a list of things, got the number 1"),
        ("things:\n", "expected a list of things"),
        ("things: [1]\n", "c.yml:1:10: expected a colour, got no mapping"),
        ("things: [{colours: red}]\n", "expected a list of red, green, got 'red'"),
        ("things: [{colours: [red, gren]}]\n", "expected one of red, green, got 'gren' (did you mean 'green'?)"),
        ("things: [{colours: [1]}]\n", "expected one of red, green, got the number 1"),
        ("things: [{hue: 1, colours: [red]}]\n", "c.yml:1:11: expected one of colours, got 'hue'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_the_nearest_word(tmp_path, text, expected):
    assert expected in said(tmp_path, text)


def test_an_error_may_be_of_another_kind(tmp_path):
    assert "got no mapping" in said(tmp_path, "things: [1]\n", TrustError)


def test_nothing_wrong_is_no_error_and_a_list_may_be_empty(tmp_path):
    path = tmp_path / "c.yml"
    path.write_text("things:\n")
    document, _digest = read_file(str(path), "a mapping")
    refuse(placed(document, entries(document, "things", "things", colour, may_be_empty=True)))


def test_a_word_that_means_another_one_is_told(tmp_path):
    [(path, _expected, _got, near)] = unknown({"tint": 1}, ("colours",), (), {"tint": "colours"}.get)
    assert (path[0], near) == ("tint", "colours")


@pytest.mark.parametrize(("content", "expected"), [(None, "cannot be read: No such file"), (b"- 1\n", "a mapping")])
def test_files_that_are_no_mapping_or_not_there(tmp_path, content, expected):
    path = tmp_path / "c.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=expected):
        read_file(str(path), "a mapping with things")
