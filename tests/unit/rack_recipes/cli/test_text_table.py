# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.cli.terminal import WIDEST, format_table, printable


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
