# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.report.format_values import visible
from rack_recipes.report.page import page_tables
from rack_recipes.report.page.page_tables import MOST_ROWS, Cell, block, cell, view
from rack_recipes.report.table_model import Column, Table


def test_a_table_up_to_the_limit_is_whole(by_name):
    rows = by_name["not_passed"].rows[:1] * (MOST_ROWS + 1)
    assert view(replace(by_name["not_passed"], rows=rows[:-1])).left_out == 0
    assert view(replace(by_name["not_passed"], rows=rows)).left_out == 1


def test_long_logs_leave_rows_out(by_name):
    row = ("failed", "r1", "step", "r" * 5000, 1.0, 1, "s" * 5000)
    found = view(replace(by_name["not_passed"], rows=(row,) * 1000))
    assert 100 < len(found.rows) < 300
    assert found.left_out == 1000 - len(found.rows)


@pytest.mark.parametrize(
    ("value", "column", "expected"),
    [
        (None, Column("reason", "Reason"), Cell("")),
        ("r1", Column("host", "Host"), Cell("r1", "c")),
        (1.5, Column("seconds", "Time", "seconds"), Cell("1.500", "n")),
        ("failed", Column("verdict", "Verdict", "verdict"), Cell("failed", look="failed")),
        (None, Column("verdict", "Verdict", "verdict"), Cell("")),
        ("odd", Column("verdict", "Verdict", "verdict"), Cell("odd", look="unreachable")),
        ("a\nb", Column("stderr", "Log", "log"), Cell("a\nb", "log", last="b")),
        ("y" * 40, Column("reason", "Reason"), Cell("y" * 40, "w")),
    ],
)
def test_cells(value, column, expected):
    assert cell(value, column) == expected


def table(column, *values):
    return Table("t", "T", (column,), tuple((value,) for value in values))


def read(made):
    return json.loads(gzip.decompress(b64decode(made.text)))


def cells(column):
    """The cells of a column as the page's script makes them."""
    if "times" in column:
        last, found = 0, []
        for change in column["times"]:
            last += change or 0
            found.append(None if change is None else last)
        return found
    return column["numbers"] if "numbers" in column else [column["words"][code] for code in column["codes"]]


@pytest.mark.parametrize(
    ("column", "values", "kind", "expected"),
    [
        (Column("a", "A"), ["x", None, "y", "x"], "codes", ["x", "", "y", "x"]),
        (Column("a", "A", "number"), [1, None, 0.1 + 0.2, 2.0], "numbers", [1, None, 0.3, 2]),
        (Column("a", "A", "seconds"), [0.80774, None], "numbers", [0.808, None]),
        (Column("a", "A", "number"), [2**53 + 1, 1], "codes", ["9007199254740993", "1"]),
        (Column("a", "A", "number"), [float("nan"), float("inf")], "codes", ["nan", "inf"]),
        (Column("a", "A", "number"), [1, True, "1"], "codes", ["1", "True", "1"]),
        (Column("a", "A", "time"), ["1970-01-01T00:00:01.500000Z", None, "1970-01-01T00:00:01Z"], "times",
         [1500, None, 1000]),
        (Column("a", "A", "time"), ["=1+1", None], "codes", ["=1+1", ""]),
        (Column("a", "A", "time"), ["2026-11-25", None], "codes", ["2026-11-25", ""]),
        (Column("a", "A", "verdict"), ["passed", "a\u202eb"], "codes", ["passed", "a⟨U+202E⟩b"]),
    ],
)  # fmt: skip
def test_a_column_is_numbers_or_times_or_codes_into_words(column, values, kind, expected):
    [made] = read(block(table(column, *values)))["columns"]
    assert kind in made
    assert cells(made) == expected


@given(st.lists(st.one_of(st.none(), st.text(max_size=50))))
def test_every_text_can_be_read_as_it_is_shown(texts):
    [made] = read(block(table(Column("a", "A"), *texts)))["columns"]
    assert cells(made) == ["" if text is None else visible(text) for text in texts]


@given(st.lists(st.one_of(st.none(), st.integers(), st.floats())))
def test_every_number_can_be_read(values):
    made = read(block(table(Column("a", "A", "number"), *values)))
    assert len(cells(made["columns"][0])) == len(values) == made["rows"]


def test_the_same_table_gives_the_same_block():
    one = table(Column("a", "A"), "x", "y")
    assert block(one) == block(one)


def test_rows_are_left_out_once_their_different_texts_are_too_long(monkeypatch):
    monkeypatch.setattr(page_tables, "MOST_IN_BLOCK", 100)
    made = block(table(Column("a", "A"), *("x" * 60,) * 5, "y" * 60, "z"))
    assert (made.rows, made.total) == (5, 7)
    assert len(cells(read(made)["columns"][0])) == 5


def test_a_long_text_is_cut_and_says_so():
    [made] = read(block(table(Column("a", "A", "log"), "x" * 5000)))["columns"]
    assert made["words"][1].startswith("[cut: 5,000 characters in all]")


def test_100000_results_take_less_than_2_mb():
    columns = (Column("host", "Host"), Column("step", "Step"), Column("verdict", "V", "verdict"))
    columns += (Column("seconds", "Time", "seconds"), Column("started", "Started", "time"))
    rows = tuple(
        (f"r{n // 100}", f"s{n % 100}", "failed" if n % 14 == 0 else "passed", (n * 7919 % 10007) / 1000,
         f"2026-11-25T12:{n % 60:02}:{n % 59:02}.{n % 1000:03}000Z")
        for n in range(100_000)
    )  # fmt: skip
    assert len(block(Table("t", "T", columns, rows)).text) < 2_000_000
