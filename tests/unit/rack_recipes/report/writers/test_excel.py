# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pytest

from rack_recipes.errors import RackError, UsageError
from rack_recipes.report.format_values import shown, visible
from rack_recipes.report.table_model import Column, Table
from rack_recipes.report.writers import excel

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).replace(tzinfo=None)


def read(tables, folder: Path):
    (path,) = excel.write(tables, folder)
    return openpyxl.load_workbook(path)


@pytest.fixture(scope="module")
def folder(report, tmp_path_factory):
    """The folder with the workbook of the run."""
    folder = tmp_path_factory.mktemp("book")
    excel.write(report, folder)
    return folder


@pytest.fixture(scope="module")
def book(folder):
    return openpyxl.load_workbook(folder / "report.xlsx")


def unescaped(value: object) -> object:
    """What Excel shows for a cell: openpyxl leaves the escape of an underscore as it is."""
    return value.replace("_x005F_", "_") if isinstance(value, str) else value


def column_of(sheet, name: str) -> list[object]:
    place = next(cell.column for cell in sheet[1] if cell.value == name)
    return [row[place - 1].value for row in sheet.iter_rows(min_row=2)]


def test_a_sheet_for_each_table(report, book):
    assert book.sheetnames == [table.title for table in report if table.name != "counts"]
    for table in report[2:]:
        sheet = book[table.title]
        assert [cell.value for cell in sheet[1]] == [column.label for column in table.columns]
        assert sheet.max_row == len(table.rows) + 1
        assert sheet.freeze_panes is not None
        assert sheet.auto_filter.ref is not None


def test_the_first_sheet_tells_the_run_and_counts_its_verdicts(book):
    sheet = book["Summary"]
    pairs = {row[0].value: row[1].value for row in sheet.iter_rows(min_row=2)}
    assert pairs["Run"] == "20261125T120000-3f9a"
    assert pairs["Started (UTC)"] == NOON
    assert (pairs["failed"], pairs["passed"]) == (3, 23)


def test_numbers_times_and_long_numbers(book):
    assert column_of(book["Slowest"], "Time (s)")[0] == 388.9123
    assert column_of(book["Verdicts"], "Started (UTC)")[0].year == 2026
    values = column_of(book["Values"], "Value")
    assert "9007199254740993" in values
    assert 12 in values
    assert "true" in values


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-27T11:04:27.098592Z",
        "2026-11-27T11:04:27.098500Z",
        "2026-12-31T23:59:59.999999Z",
        "2026-11-27T11:04:27Z",
    ],
)
def test_times_are_to_the_same_millisecond_in_all_formats(report, tmp_path, text):
    times = Table("verdicts", "Verdicts", (Column("started", "Started", "time"),), ((text,),))
    (read_back,) = column_of(read([*report[:2], times], tmp_path)["Verdicts"], "Started")
    cut = shown(text, "time")
    assert read_back.isoformat(" ", "milliseconds") == (cut if "." in cut else f"{cut}.000")


def test_verdicts_are_coloured(book):
    for name, columns in (("Verdicts", "C2:C42"), ("Matrix", "B2:G10")):
        rules = {str(found.sqref): found.rules for found in book[name].conditional_formatting}
        assert {rule.formula[0] for rule in rules[columns]} == {f'"{verdict}"' for verdict in excel.VERDICTS}


def test_a_marginal_value_stands_out(outcomes, tmp_path):
    book = read(tuple(outcomes.values()), tmp_path)
    (rules,) = (found.rules for found in book["Criteria"].conditional_formatting if "D2" in found.sqref)
    grounds = {rule.formula[0]: rule.dxf.fill.bgColor.rgb if rule.dxf.fill else None for rule in rules}
    assert grounds['"marginal"'] == "FFFFF3DC"
    assert grounds['"passed"'] is None


def test_the_same_run_gives_the_same_bytes(report, folder, tmp_path):
    (again,) = excel.write(report, tmp_path)
    assert again.read_bytes() == (folder / "report.xlsx").read_bytes()


@pytest.mark.repeats(one_in=3)
def test_hostile_text_is_text(said, hostile, tmp_path):
    report = said(hostile)
    book = read(report, tmp_path)
    for table in report[2:]:
        for row, cells in zip(table.rows, book[table.title].iter_rows(min_row=2), strict=True):
            for value, cell in zip(row, cells, strict=True):
                expected = excel.cut_to_cell(visible(value)) if isinstance(value, str) else value
                assert (unescaped(cell.value) or None) == (expected or None)
                assert cell.data_type != "f"
                assert cell.hyperlink is None or re.fullmatch(r"'Verdicts'!A[0-9]+", cell.hyperlink.location)
                assert cell.hyperlink is None or cell.hyperlink.target is None


@pytest.mark.parametrize("text", ["x" * 32_767, "\U0001f600" * 16_383])
def test_text_that_fits_is_whole(text):
    assert excel.cut_to_cell(text) == text


@pytest.mark.parametrize("text", ["x" * 32_768, "\U0001f600" * 16_384, "a" + "\U0001f600" * 30_000])
def test_text_that_does_not_fit_is_cut_with_a_note(text):
    cut = excel.cut_to_cell(text)
    assert len(cut.encode("utf-16-le")) // 2 <= 32_767
    assert cut.endswith(f"… [cut: {len(text):,} characters in all]")


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, "number", None),
        (10**15 - 1, "number", 10**15 - 1),
        (10**15, "number", "1000000000000000"),
        (float("nan"), "number", "nan"),
        (float("inf"), "seconds", "inf"),
        ("007", "text", "007"),
        ("2026-11-25T14:00:00+02:00", "time", NOON),
        ("2026-11-25T12:00:00.000999Z", "time", NOON),
        ("1850-01-01T00:00:00Z", "time", "1850-01-01T00:00:00Z"),
        ("soon", "time", "soon"),
    ],
)
def test_cells(value, kind, expected):
    assert excel.cell(value, kind) == expected


def test_rows_beyond_a_sheet_go_on_the_next(report, tmp_path, monkeypatch):
    monkeypatch.setattr(excel, "MOST_ROWS", 21)
    book = read(report, tmp_path)
    parts = [name for name in book.sheetnames if name.startswith("Verdicts")]
    assert parts == ["Verdicts", "Verdicts 2", "Verdicts 3"]
    assert [book[name].max_row - 1 for name in parts] == [20, 20, 1]
    assert all(book[name]["A1"].value == "Host" for name in parts)


def test_columns_beyond_a_sheet_are_counted(report, tmp_path, monkeypatch):
    monkeypatch.setattr(excel, "MOST_COLUMNS", 5)
    steps = tuple(Column(f"s{number}", f"s{number}", "verdict") for number in range(7))
    matrix = Table("matrix", "Matrix", (Column("host", "Host"), *steps), (("r1", *["passed"] * 7),))
    sheet = read([*report[:2], matrix], tmp_path)["Matrix"]
    assert [cell.value for cell in sheet[1]] == ["Host", "s0", "s1", "s2", "4 more columns: see matrix.csv"]


def test_a_cell_that_would_be_lost_is_an_error(report, tmp_path, monkeypatch):
    monkeypatch.setattr(excel, "cut_to_cell", lambda text: text)
    values = Table("values", "Values", (Column("value", "Value"),), (("x" * 40_000,),))
    with pytest.raises(RackError, match="row 2 of the sheet 'Values' could not be written"):
        excel.write([*report[:2], values], tmp_path)


def test_where_xlsxwriter_is_missing_it_is_said_what_to_install(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(UsageError, match=r"a report cannot be made: .*xlsxwriter.*: `pip install rack-recipes` brings"):
        excel.write(report, tmp_path)


def test_what_did_not_pass_leads_to_its_row(book):
    sheet, verdicts = book["Not passed"], book["Verdicts"]
    place = next(cell.column for cell in sheet[1] if cell.value == "Step")
    host = next(cell.column for cell in sheet[1] if cell.value == "Host")
    for row in sheet.iter_rows(min_row=2):
        link = row[place - 1].hyperlink
        title, _mark, address = link.location.partition("!")
        assert title.strip("'") == "Verdicts"
        target = verdicts[int(address[1:])]
        assert target[0].value == row[host - 1].value
        assert row[place - 1].value in [cell.value for cell in target]


def test_the_first_sheet_leads_to_all_others(book):
    linked = [row[0].hyperlink.location for row in book["Summary"].iter_rows() if row[0].hyperlink]
    links = [place.partition("!")[0].strip("'") for place in linked]
    assert links == book.sheetnames[1:]


def test_links_end_before_excel_refuses_them(report):
    table = next(table for table in report if table.name == "not_passed")
    targets = {(row[1], row[2]): "internal:'Verdicts'!A2" for row in table.rows}
    links = excel._links(table, table.rows * 10_000, targets)
    assert len(links) == max(links) == excel.MOST_LINKS


def test_rows_on_a_further_sheet_are_found(report, monkeypatch):
    monkeypatch.setattr(excel, "MOST_ROWS", 11)
    table = next(table for table in report if table.name == "verdicts")
    places = list(excel._targets(table).values())
    assert places[:2] == ["internal:'Verdicts'!A2", "internal:'Verdicts'!A3"]
    assert places[10] == "internal:'Verdicts 2'!A2"


def test_native_charts_of_counts_times_and_past_runs(folder):
    with ZipFile(folder / "report.xlsx") as archive:
        charts = [archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/charts/chart")]
    assert len(charts) == 3
    assert "Steps!$A$2" in charts[1]
    assert "'Past runs'!$A$2" in charts[2]


def test_a_link_that_is_lost_is_an_error(report, tmp_path, monkeypatch):
    from xlsxwriter.worksheet import Worksheet

    monkeypatch.setattr(Worksheet, "write_url", lambda *_all: -4)
    with pytest.raises(
        RackError, match=r"a link in row [0-9]+ of the sheet 'Summary' could not be written \(code -4\)"
    ):
        excel.write(report, tmp_path)
