# SPDX-License-Identifier: GPL-3.0-or-later

"""CSV as spreadsheets and NetBox write it, and faulty files of all formats: a plan or an error that says why."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rack_recipes.cabling.formats.csv_files import headings, rows
from rack_recipes.cabling.import_plan import FORMATS, Source, import_plan
from rack_recipes.errors import UsageError

SAMPLES = sorted(path for path in Path(__file__).with_name("samples").iterdir() if path.suffix != ".md")
TITLES = ["first", "second", "third"]
CELL = st.text(st.sampled_from('ab,;"|\t\n é'), max_size=6).map(str.strip)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3)), st.sampled_from(",;|\t"), st.sampled_from(["\n", "\r\n"]))
def test_every_table_reads_as_it_was_written(table: list[list[str]], delimiter: str, ending: str):
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator=ending).writerows([TITLES, *table])
    found = [*rows(written.getvalue(), "x.csv")]
    assert [[row[title] for title in TITLES] for row in found] == [row for row in table if any(row)]


def test_each_cell_has_its_place():
    text = '# a\r\n"b, c",d,e\r\n\r\n"f\ng",,h,i\r\n'
    assert headings("First;second \n") == ["first", "second"]
    found = [*rows(f"First,Second,Third\r\n{text}", "x.csv")]
    assert [(row["first"], row.place("first"), row.place("third")) for row in found] == [
        ("b, c", "x.csv:3:1", "x.csv:3:10"),
        ("f\ng", "x.csv:5:1", "x.csv:6:5"),
    ]
    assert (found[0]["none"], found[0].place("none")) == ("", "x.csv:3:1")


@settings(max_examples=60)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(path: Path, data: st.DataObject):
    text = path.read_text(encoding="utf-8")[:2000]
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 40))
    put = data.draw(st.text(st.sampled_from("[]{}:,\"'-\n \tx0#%;|=\\"), max_size=5))
    source = Source(path.name, text[:at] + put + text[at + cut :])
    for name in ("", data.draw(st.sampled_from([*FORMATS]))):
        with suppress(UsageError):
            import_plan([source], name)
