# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io

import pytest

from rack_recipes.cli.terminal import COLOURS, WIDEST, format_table, painter, printable, takes_colours


def test_columns_are_aligned():
    rows = [("short", 7, "x"), ("a longer one", None, "")]
    assert format_table(("name", "number", "last"), rows) == (
        "name          number  last\nshort         7       x\na longer one  None\n"
    )


def test_no_rows():
    assert format_table(("a", "b"), []) == "a  b\n"


def test_what_is_too_wide_is_cut_except_at_the_end():
    lines = format_table(("a", "b"), [("x" * 100, "y" * 100)]).splitlines()
    assert lines[1] == "x" * (WIDEST - 1) + "…  " + "y" * 100


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("\x1b[31mred\x07", " [31mred "), ("two\nlines\ttab", "two lines tab"), ("ü 你", "ü 你")],
)
def test_text_of_a_host_does_not_steer_the_terminal(text: str, shown: str):
    assert printable(text) == shown
    assert format_table(("t",), [(text,)]) == f"t\n{shown}".rstrip() + "\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("word", "number"), [("passed", 32), ("ok", 32), ("marginal", 33), ("blocked", 33), ("failed", 31), ("error", 31)]
)
def test_verdicts_have_colours_on_a_terminal(word: str, number: int):
    assert painter(Terminal())("a text", word) == f"\x1b[{number}ma text\x1b[0m"


def test_other_words_have_none():
    assert "leaf1" not in COLOURS
    assert painter(Terminal())("leaf1", "leaf1") == "leaf1"


def test_no_colours_where_it_is_no_terminal():
    assert painter(io.StringIO())("x", "failed") == "x"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours_where_the_environment_says_so(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, value)
    assert not takes_colours(Terminal())


def test_an_empty_no_color_counts_as_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "")
    assert takes_colours(Terminal())


def test_a_table_in_colours_is_aligned_as_one_without():
    rows = [("failed", "x"), ("passed", "y")]
    plain = format_table(("verdict", "step"), rows)
    painted = format_table(("verdict", "step"), rows, painter(Terminal()))
    assert painted.replace("\x1b[31m", "").replace("\x1b[32m", "").replace("\x1b[0m", "") == plain
    assert "\x1b[31mfailed \x1b[0m  x" in painted
