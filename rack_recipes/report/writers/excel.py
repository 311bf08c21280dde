# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as an Excel workbook with a sheet for each table. Whatever does not fit is noted.

Rows are written one by one (`constant_memory`), so that a large run does not need much memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import batched, groupby
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, VERDICTS
from rack_recipes.errors import RackError, UsageError, require_installed
from rack_recipes.report.format_values import visible
from rack_recipes.report.table_model import Column, Kind, Row, Table, named

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet


def sheet_class() -> type[Worksheet]:
    """The class of such sheets, for XlsxWriter's `add_worksheet`."""
    from xlsxwriter.worksheet import Worksheet

    class Sheet(Worksheet):  # type: ignore[misc]
        """XlsxWriter puts each formula through 150 regular expressions, half of the work of a small workbook.

        A text between quotes without a bracket calls no function, so none of them can match. Should XlsxWriter rename
        the method, this one is not called, and the file stays the same.
        """

        def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:  # noqa: FBT002 (theirs)
            if formula.startswith('"') and "(" not in formula and "}" not in formula:
                return formula
            prepared: str = super()._prepare_formula(formula, expand_future_functions)
            return prepared

    return Sheet


MOST_ROWS, MOST_COLUMNS, MOST_TEXT = 1_048_576, 16_384, 32_767
MOST_DIGITS = 15
"""Digits that Excel keeps of a number; a longer whole number is written as text."""
PLAIN_TEXT = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
NUMBER_FORMATS: dict[Kind, str] = {"seconds": "0.000", "time": "yyyy-mm-dd hh:mm:ss.000"}
WIDTHS: dict[Kind, int] = {"seconds": 12, "number": 11, "time": 24, "verdict": 13}
GROUNDS = {"marginal": {"bg_color": "#fff3dc"}}
"""Verdicts that pass have no background, except these."""
MOST_LINKS = 65_000
"""Links of one sheet; Excel opens no sheet with more than 65,530."""
LONGEST_LINK = 255
"""Characters of the text of a link; a longer text is no link."""
LINKED = ("not_passed", "finding_results")
"""Tables whose steps lead to their rows in `LINKED_TO`: few rows, since a link takes twelve times as long as a text."""
LINKED_TO = "verdicts"
MOST_BARS = 30
"""Steps in the chart of times: the first ones."""
NARROW, WIDE, SAMPLE = 8, 60, 200
"""Least and greatest width of a text column in letters, and from how many rows it is estimated."""


class Styles:
    """The formats of one workbook."""

    def __init__(self, book: Workbook) -> None:
        self.head = book.add_format({"bold": True, "bottom": 1, "bg_color": "#eef0f3"})
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.kinds = {kind: book.add_format({"num_format": shape}) for kind, shape in NUMBER_FORMATS.items()}
        shapes = {**dict.fromkeys(get_args(Kind), "General"), **NUMBER_FORMATS}
        self.left = {kind: book.add_format({"num_format": shape, "align": "left"}) for kind, shape in shapes.items()}
        self.top = {kind: book.add_format({"num_format": shape, "valign": "top"}) for kind, shape in shapes.items()}
        self.verdicts = {name: book.add_format(_colours(name)) for name in VERDICTS}
        self.beyond = book.add_format({"font_color": VERDICTS["failed"].light, "bold": True})


def _colours(verdict: str) -> dict[str, str]:
    colour = VERDICTS[verdict].light
    if verdict in PASSING:
        return {"font_color": colour, **GROUNDS.get(verdict, {})}
    return {"font_color": "#ffffff", "bg_color": colour}


def write(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write `report.xlsx` into the folder; raises RackError where a cell would be lost, or XlsxWriter is missing."""
    with require_installed("a report cannot be made", UsageError):
        from xlsxwriter import Workbook
        from xlsxwriter.exceptions import XlsxWriterException

    path = folder / "report.xlsx"
    by_name = named(tables)
    try:
        with Workbook(path, {"constant_memory": True, "tmpdir": str(folder), **PLAIN_TEXT}) as book:
            book.set_properties(_properties(by_name["summary"]))
            book.worksheet_class = sheet_class()
            styles = Styles(book)
            _front(book, styles, by_name)
            has_links = any(by_name[name].rows for name in LINKED if name in by_name)
            targets = _targets(by_name[LINKED_TO]) if has_links else {}
            for table in tables:
                if table.name not in ("summary", "counts"):
                    _sheets(book, styles, table, targets if table.name in LINKED else {})
    except XlsxWriterException as error:
        raise RackError(f"{path.name}: {error}") from error
    return [path]


def _properties(summary: Table) -> dict[str, Any]:
    """The document properties. They depend on the run only, so that the same run gives the same file."""
    run = summary.record()
    ended = to_excel_time(run["ended"] or run["started"])
    created = ended if isinstance(ended, datetime) else datetime(2000, 1, 1)  # noqa: DTZ001 (Excel knows no zones)
    return {"title": cell(run["test_id"], "text") or "", "subject": cell(run["run_id"], "text"), "created": created}


def _front(book: Workbook, styles: Styles, by_name: Mapping[str, Table]) -> None:
    summary, counts = by_name["summary"], by_name["counts"]
    sheet = book.add_worksheet(summary.title)
    for place, width in enumerate((22, 44, 11)):
        sheet.set_column(place, place, width)
    _put(sheet, 0, [cell(summary.record()["test_id"], "text") or summary.title], styles.title)
    for row, (column, value) in enumerate(zip(summary.columns, summary.rows[0], strict=True), 2):
        _put(sheet, row, [column.label], styles.head)
        _put(sheet, row, [cell(value, column.kind)], styles.left[column.kind], first=1)
    top = len(summary.columns) + 3
    _put(sheet, top, [column.label for column in counts.columns], styles.head)
    for number, values in enumerate(_cells(counts.rows, counts.columns), top + 1):
        _put(sheet, number, values)
    status = 2 + summary.place("status")
    _colour(sheet, styles, status, 1, status, 1)
    _colour(sheet, styles, top + 1, 0, top + max(len(counts.rows), 1), 0)
    _contents(sheet, styles, by_name, top + len(counts.rows) + 3)
    _for_paper(sheet)
    if counts.rows:
        _chart_of_counts(book, sheet, counts, top)
    if "steps" in by_name and by_name["steps"].rows:
        _chart_of_steps(book, sheet, by_name["steps"])
    if "past_runs" in by_name and by_name["past_runs"].rows:
        _chart_of_runs(book, sheet, by_name["past_runs"])


def _contents(sheet: Worksheet, styles: Styles, by_name: Mapping[str, Table], top: int) -> None:
    """A link to each sheet, with its number of rows and what it holds."""
    _put(sheet, top, ["Sheet", "What is in it", "Rows"], styles.head)
    others = (table for name, table in by_name.items() if name not in ("summary", "counts"))
    for row, table in enumerate(others, top + 1):
        _put(sheet, row, [table.title, table.about, len(table.rows)])
        _link(sheet, row, 0, _address(table.title, 0), table.title)


def _chart_of_counts(book: Workbook, sheet: Worksheet, counts: Table, top: int) -> None:
    first, last = top + 1, top + len(counts.rows)
    chart = book.add_chart({"type": "column"})
    points = [
        {"fill": {"color": VERDICTS[verdict].light}} if verdict in VERDICTS else None
        for verdict in counts.values("verdict")
    ]
    chart.add_series({
        "name": "Results", "categories": [sheet.name, first, 0, last, 0], "values": [sheet.name, first, 1, last, 1],
        "points": points, "data_labels": {"value": True}, "gap": 60,
    })  # fmt: skip
    chart.set_title({"name": "Results by verdict"})
    chart.set_legend({"none": True})
    chart.set_y_axis({"major_gridlines": {"visible": True, "line": {"color": "#e1e4e8"}}})
    _insert(sheet, 2, chart)


def _chart_of_steps(book: Workbook, sheet: Worksheet, steps: Table) -> None:
    """Median and longest time of the first steps, from the sheet of steps."""
    last = min(len(steps.rows), MOST_BARS)
    chart = book.add_chart({"type": "bar"})
    for name, colour in (("median", "#7c93dc"), ("max", "#26a485")):
        column = steps.columns[steps.place(name)]
        chart.add_series(_series(steps, name, column.title, last) | {"fill": {"color": colour}, "gap": 60})
    chart.set_title({"name": "Time of steps"})
    chart.set_x_axis({"name": "s"})
    chart.set_y_axis({"reverse": True})
    chart.set_legend({"position": "bottom"})
    _insert(sheet, 24, chart)


def _chart_of_runs(book: Workbook, sheet: Worksheet, runs: Table) -> None:
    """How the earlier runs ended, from the sheet of past runs, the newest at the right."""
    chart = book.add_chart({"type": "column", "subtype": "stacked"})
    looks = {"passing": "passed", "not_passing": "failed", "not_run": "skipped"}
    for name, verdict in looks.items():
        title = runs.columns[runs.place(name)].title
        chart.add_series(_series(runs, name, title, len(runs.rows)) | {"fill": {"color": VERDICTS[verdict].light}})
    chart.set_title({"name": "Results of past runs"})
    chart.set_x_axis({"reverse": True})
    chart.set_y_axis({"crossing": "max", "name": "Results"})
    chart.set_legend({"position": "bottom"})
    _insert(sheet, 46, chart)


def _series(table: Table, column: str, title: str, last: int) -> dict[str, Any]:
    """A series of a chart: the first `last` rows of a column, named by the first column of the sheet."""
    place = table.place(column)
    return {"name": title, "categories": [table.title, 1, 0, last, 0], "values": [table.title, 1, place, last, place]}


def _insert(sheet: Worksheet, row: int, chart: object) -> None:
    _check(sheet.insert_chart(row, 4, chart, {"x_scale": 1.3, "y_scale": 1.3}), sheet, "the chart")


def _check(code: int | None, sheet: Worksheet, what: str) -> None:
    """Raise RackError where XlsxWriter says by its answer that something is lost; it raises nothing itself."""
    if code:
        raise RackError(f"report.xlsx: {what} of the sheet {sheet.name!r} could not be written (code {code})")


def _targets(table: Table) -> dict[tuple[str, str], str]:
    """Where the row of each host and step stands in the sheets of a table."""
    host, step = table.place("host"), table.place("step")
    places = ((row, divmod(number, MOST_ROWS - 1)) for number, row in enumerate(table.rows))
    return {(row[host], row[step]): _address(_name(table, part + 1), rest + 1) for row, (part, rest) in places}


def _address(sheet: str, row: int) -> str:
    quoted = sheet.replace("'", "''")
    return f"internal:'{quoted}'!A{row + 1}"


def _link(sheet: Worksheet, row: int, column: int, address: str, text: str) -> None:
    _check(sheet.write_url(row, column, address, None, text), sheet, f"a link in row {row + 1}")


def _name(table: Table, number: int) -> str:
    """The name of the first or a further sheet of a table."""
    return table.title if number == 1 else f"{table.title} {number}"


def _sheets(book: Workbook, styles: Styles, table: Table, targets: Mapping[tuple[str, str], str]) -> None:
    """One sheet, or as many as the rows need; `targets` are where the steps of its rows lead."""
    columns, rows = _narrowed(table)
    parts: Iterable[Sequence[Row]] = batched(rows, MOST_ROWS - 1) if rows else [()]
    for number, part in enumerate(parts, 1):
        links = _links(table, part, targets) if targets else {}
        _sheet(book.add_worksheet(_name(table, number)), styles, columns, part, links)


def _links(table: Table, rows: Sequence[Row], targets: Mapping[tuple[str, str], str]) -> dict[int, str]:
    """For each row, counted from 1, the address that its step leads to; rows beyond `MOST_LINKS` have none."""
    host, step = table.place("host"), table.place("step")
    places = ((number, (row[host], row[step])) for number, row in enumerate(rows[:MOST_LINKS], 1))
    return {number: targets[place] for number, place in places if place in targets and len(place[1]) <= LONGEST_LINK}


def _sheet(
    sheet: Worksheet, styles: Styles, columns: Sequence[Column], rows: Sequence[Row], links: Mapping[int, str]
) -> None:
    has_tall_rows = any(column.kind == "log" for column in columns)
    looks = styles.top if has_tall_rows else styles.kinds
    for place, column in enumerate(columns):
        _check(sheet.set_column(place, place, _width(place, column, rows), looks.get(column.kind)), sheet, "a column")
    _put(sheet, 0, [cell(column.label, "text") for column in columns], styles.head)
    linked = next((place for place, column in enumerate(columns) if column.name == "step"), 0)
    for number, values in enumerate(_cells(rows, columns), 1):
        _put(sheet, number, values)
        if number in links:
            _link(sheet, number, linked, links[number], values[linked])
    sheet.repeat_rows(0)
    _for_paper(sheet)
    sheet.freeze_panes(1, 1 if columns[0].name == "host" else 0)
    _check(sheet.autofilter(0, 0, len(rows), len(columns) - 1), sheet, "the filter")
    _mark_beyond(sheet, styles, columns, len(rows))
    for first, last in _verdict_columns(columns):
        _colour(sheet, styles, 1, first, max(len(rows), 1), last)


def _mark_beyond(sheet: Worksheet, styles: Styles, columns: Sequence[Column], rows: int) -> None:
    """Values beyond their limit stand out: there the distance and the margin are negative."""
    for place, column in enumerate(columns):
        if column.name in ("distance", "margin"):
            rule = {"type": "cell", "criteria": "<", "value": 0, "format": styles.beyond}
            _check(sheet.conditional_format(1, place, max(rows, 1), place, rule), sheet, "a colour")


def _for_paper(sheet: Worksheet) -> None:
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _narrowed(table: Table) -> tuple[Sequence[Column], Sequence[Row]]:
    """The columns that Excel can hold. If there are more, the last one says how many are missing."""
    if len(table.columns) <= MOST_COLUMNS:
        return table.columns, table.rows
    kept = MOST_COLUMNS - 1
    note = Column("note", f"{len(table.columns) - kept:,} more columns: see {table.name}.csv")
    return (*table.columns[:kept], note), [(*row[:kept], None) for row in table.rows]


def _put(sheet: Worksheet, row: int, values: Iterable[object], look: Format | None = None, first: int = 0) -> None:
    _check(sheet.write_row(row, first, values, look), sheet, f"row {row + 1}")


def _cells(rows: Sequence[Row], columns: Sequence[Column]) -> Iterator[Row]:
    """Convert column by column: hosts, steps and verdicts repeat, and each value is converted once."""
    parts = zip(*rows, strict=True) if rows else ()
    return zip(*map(_column, parts, (column.kind for column in columns)), strict=True)


def _column(values: Sequence[object], kind: Kind) -> list[Any]:
    if kind in ("number", "seconds"):  # 1 and True would be one key
        return [cell(value, kind) for value in values]
    cells = {value: cell(value, kind) for value in set(values)}
    return [cells[value] for value in values]


def cell(value: Any, kind: Kind) -> Any:
    """A value as Excel can hold it: times in UTC, and as text whatever Excel would round or refuse."""
    if isinstance(value, str):
        return to_excel_time(value) if kind == "time" else cut_to_cell(visible(value))
    if isinstance(value, int):
        return value if abs(value) < 10**MOST_DIGITS else str(value)
    return value if value is None or isfinite(value) else str(value)


def to_excel_time(text: str) -> datetime | str:
    """An ISO time as UTC without a zone, which Excel does not know; a text that is not a time stays text.

    Milliseconds are cut, as in the other formats; Excel would round them.
    """
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
    except ValueError:
        return cut_to_cell(visible(text))
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000) if moment.year >= 1900 else text


def cut_to_cell(text: str) -> str:
    """The text, cut with a note if it has more UTF-16 units than a cell holds."""
    if len(text) <= MOST_TEXT // 2 or len(text.encode("utf-16-le")) // 2 <= MOST_TEXT:
        return text
    note = f"… [cut: {len(text):,} characters in all]"
    kept = text.encode("utf-16-le")[: 2 * (MOST_TEXT - len(note))].decode("utf-16-le", "ignore")
    return kept + note


def _width(place: int, column: Column, rows: Sequence[Row]) -> int:
    if column.kind in WIDTHS:
        return max(WIDTHS[column.kind], min(len(column.label) + 3, WIDE))
    longest = max((len(str(row[place] or "").partition("\n")[0]) for row in rows[:SAMPLE]), default=0)
    return max(NARROW, len(column.label) + 3, min(longest + 2, WIDE))


def _verdict_columns(columns: Sequence[Column]) -> Iterator[tuple[int, int]]:
    """First and last index of each group of adjacent columns with verdicts."""
    for kind, stretch in groupby(enumerate(columns), key=lambda pair: pair[1].kind):
        places = [pair[0] for pair in stretch]
        if kind == "verdict":
            yield places[0], places[-1]


def _colour(sheet: Worksheet, styles: Styles, top: int, left: int, bottom: int, right: int) -> None:
    mark = partial(sheet.conditional_format, top, left, bottom, right)
    for verdict, look in styles.verdicts.items():
        rule = {"type": "cell", "criteria": "==", "value": f'"{verdict}"', "format": look}
        _check(mark(rule), sheet, "a colour")
