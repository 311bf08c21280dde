# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import csv as reader
from pathlib import Path

import pytest

from rack_recipes.report.format_values import visible
from rack_recipes.report.writers import csv

GOLDEN = Path(__file__).parents[1] / "cases" / "run"


def test_every_table_as_a_file(report, tmp_path, golden):
    paths = csv.write(report, tmp_path)
    assert [path.name for path in paths] == [f"{table.name}.csv" for table in report]
    for path in paths:
        golden(GOLDEN / "csv" / path.name, path.read_bytes().decode())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("  =1+1", "'  =1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("-1+1", "'-1+1"),
        ("＝1+1", "'＝1+1"),
        ("\u200b=1", "⟨U+200B⟩=1"),
        ("-5", "-5"),
        ("+4.5e-3", "+4.5e-3"),
        ("007", "007"),
        (-5, -5),
        (0.1 + 0.2, 0.30000000000000004),
        (None, None),
    ],
)
def test_no_text_is_a_formula(value, expected):
    assert csv.harmless(value) == expected


def test_hostile_text_reads_back(said, hostile, tmp_path):
    reader.field_size_limit(10**6)
    report = said(hostile)
    for table, path in zip(report, csv.write(report, tmp_path), strict=True):
        with path.open(encoding="utf-8-sig", newline="") as file:
            head, *rows = reader.reader(file)
        assert len(rows) == len(table.rows)
        assert all(len(row) == len(head) for row in rows)
        for row, cells in zip(table.rows, rows, strict=True):
            for value, cell in zip(row, cells, strict=True):
                assert cell.removeprefix("'").replace("\r\n", "\n") in (
                    "",
                    str(value),
                    visible(str(value)).removeprefix("'"),
                )
                assert not csv.FORMULA.match(cell) or csv.NUMBER.fullmatch(cell)
