# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.errors import TrustError, UsageError
from rack_recipes.recipe.yaml.files_beside_recipes import entries, placed, read_file, refuse, unknown, words

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
