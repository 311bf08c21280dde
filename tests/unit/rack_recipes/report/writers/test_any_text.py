# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of every plane of Unicode goes through each format, and real readers find it again."""

from __future__ import annotations

import csv as csv_reader
import html
import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rack_recipes.report import make_report
from rack_recipes.report.format_values import visible
from rack_recipes.report.report_formats_and_status import WRITERS
from rack_recipes.report.table_model import Table

PLANES = [st.characters(min_codepoint=plane << 16, max_codepoint=(plane << 16) + 0xFFFF) for plane in range(17)]
SHAPES = st.sampled_from(
    ["=1+1", "<b>", "|", "`", "\x1b[31m", "\u202e", "]]>", "&amp;", "@all", "\r\n", "\t", "'", '"']
)
TEXTS = st.lists(st.one_of(SHAPES, *PLANES), min_size=1, max_size=12).map("".join)


def from_csv(folder: Path) -> list[str]:
    with (folder / "csv" / "verdicts.csv").open(encoding="utf-8-sig", newline="") as file:
        return [row["reason"].removeprefix("'") for row in csv_reader.DictReader(file)]


def from_json(folder: Path) -> list[str]:
    return [row["reason"] for row in json.loads((folder / "report.json").read_bytes())["tables"]["verdicts"]["rows"]]


def from_junit(folder: Path) -> list[str]:
    return [part.text or "" for part in ET.parse(folder / "junit.xml").iter("failure")]


def from_ocp(folder: Path) -> list[str]:
    (path,) = (folder / "ocp").iterdir()
    steps = (json.loads(line).get("testStepArtifact", {}) for line in path.read_text("ascii").splitlines())
    return [step["diagnosis"]["message"] for step in steps if "diagnosis" in step]


def from_excel(folder: Path) -> list[str]:
    rows = openpyxl.load_workbook(folder / "report.xlsx")["Verdicts"].iter_rows(values_only=True)
    place = next(rows).index("Reason")
    return [(row[place] or "").replace("_x005F_", "_") for row in rows]


def from_markdown(folder: Path) -> list[str]:
    command = ["cmark-gfm", "-e", "table", "-e", "autolink", "-e", "strikethrough", "--unsafe"]
    page = subprocess.run([*command, folder / "report.md"], capture_output=True, check=True).stdout.decode()
    row = page.rpartition("<tbody>")[2]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row.replace("<!-- -->", ""), re.DOTALL)
    return [html.unescape(cells[3])]


READERS: dict[str, tuple[Callable[[Path], Sequence[str]], int]] = {
    "csv": (from_csv, 100),
    "json": (from_json, 100),
    "junit": (from_junit, 100),
    "ocp": (from_ocp, 100),
    "xlsx": (from_excel, 15),
    "md": (from_markdown, 60),
}
"""For each format what reads it, and with how many texts it is tried."""


def one_result(report: Sequence[Table], text: str) -> list[Table]:
    """The tables of a report with one result whose reason is the text."""
    return [
        _with_reason(table, text) if table.name in ("verdicts", "not_passed") else _short(table) for table in report
    ]


def _with_reason(table: Table, text: str) -> Table:
    place, verdict = table.place("reason"), table.place("verdict")
    row = next(row for row in table.rows if row[verdict] == "failed")
    return replace(table, rows=((*row[:place], text, *row[place + 1 :]),))


def _short(table: Table) -> Table:
    return table if table.layout == "record" else replace(table, rows=())


def test_every_format_for_programs_is_tried():
    assert set(WRITERS) - set(READERS) == {
        "html",
        "md-full",
        "pdf",
    }  # tests of their own; the same code as md; the page


@pytest.mark.parametrize("name", READERS)
def test_any_text_reads_back(report, tmp_path_factory, name):
    reader, examples = READERS[name]
    written_by, function = WRITERS[name]
    writer = getattr(import_module(f"{make_report.__package__}.writers.{written_by}"), function)

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(text=TEXTS)
    def check(text: str) -> None:
        folder = tmp_path_factory.mktemp(name)
        writer(one_result(report, text), folder)
        (found,) = reader(folder)
        assert _plain(found, name) == _plain(visible(text), name)

    check()


def _plain(text: str, name: str) -> str:
    """What formats may change: Markdown has one line and joins blanks; a cell that is text may begin with '."""
    if name != "md":
        return text.removeprefix("'").replace("_x005F_", "_") if name == "csv" else text.replace("_x005F_", "_")
    return " ".join(text.replace("⏎", "\n").replace("\t", " ").split())
