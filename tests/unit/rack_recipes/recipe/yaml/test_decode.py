# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes of a file, and the text in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rack_recipes.errors import Place, RecipeErrors
from rack_recipes.recipe.yaml.decode import MAX_SIZE, decode, read_bytes


def refusal(path: str) -> str:
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
    (tmp_path / "example_numbers.yml").touch()
    (tmp_path / "example_numbers.txt").touch()
    missing = tmp_path / "example_number.yml"
    found = tmp_path / "example_numbers.yml"
    assert refusal(str(missing)) == (
        f"{missing}:1:1: expected a file that can be read, got no such file (did you mean '{found}'?)"
    )


def test_a_missing_file_in_a_missing_folder(tmp_path: Path) -> None:
    assert refusal(str(tmp_path / "absent" / "a.yml")).endswith("expected a file that can be read, got no such file")


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(str(tmp_path)) == f"{tmp_path}:1:1: expected a file that can be read, got a folder"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yml").touch(mode=0)
    assert refusal(str(tmp_path / "a.yml")).endswith("got one that you may not read")


@pytest.mark.parametrize("path", ["a\0b.yml", "x" * 5000, ""])
def test_names_that_no_file_has(path: str) -> None:
    assert "expected a file that can be read, got " in refusal(path)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "large.yml").open("wb") as file:
        file.truncate(MAX_SIZE + 1)
    assert refusal(str(tmp_path / "large.yml")).endswith("expected a file of at most 8 MiB, got a larger file")


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
