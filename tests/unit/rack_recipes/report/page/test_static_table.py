# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from rack_recipes.report.page.page_tables import MOST_ROWS, Cell, cell, view
from rack_recipes.report.table_model import Column


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
