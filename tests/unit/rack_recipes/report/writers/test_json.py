# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json as standard
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rack_recipes.report.format_values import visible
from rack_recipes.report.table_model import Column, Table
from rack_recipes.report.writers import json

ROOT = Path(__file__).resolve().parents[5]
SCHEMA = standard.loads((ROOT / "docs" / "report.schema.json").read_text())


def refused(constant):
    raise AssertionError(f"{constant} is no JSON")


def read(tables, folder):
    (path,) = json.write(tables, folder)
    return standard.loads(path.read_bytes(), parse_constant=refused)


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


def test_a_run(report, outcomes, tmp_path):
    for tables in (report, tuple(outcomes.values())):
        data = read(tables, tmp_path)
        Draft202012Validator(SCHEMA).validate(data)
        assert list(data["tables"]) == [table.name for table in tables]
        for table in tables:
            assert len(data["tables"][table.name]["rows"]) == len(table.rows)


def test_values_are_exact_and_context_values_are_no_text(report, tmp_path):
    tables = read(report, tmp_path)["tables"]
    assert any(row["value"] == 9007199254740993 for row in tables["values"]["rows"])
    assert any(isinstance(row["value"], dict) for row in tables["context"]["rows"])


def test_hostile_text_reads_back(said, hostile, tmp_path):
    data = read(said(hostile), tmp_path)
    Draft202012Validator(SCHEMA).validate(data)
    assert {row["reason"] for row in data["tables"]["verdicts"]["rows"]} == {visible(hostile)}
    written = (tmp_path / "report.json").read_bytes()
    assert {byte for byte in written if byte < 32 or byte > 126} <= {10}, "no terminal obeys the file"


@pytest.mark.parametrize(
    ("cell", "kind", "expected"),
    [
        (float("nan"), "number", "nan"),
        (float("-inf"), "number", "-inf"),
        (None, "json", None),
        ('{"a": [1, "\\u202e"]}', "json", {"a": [1, "⟨U+202E⟩"]}),
        (2**70, "number", 2**70),
    ],
)
def test_cells(cell, kind, expected):
    assert json.value_of(cell, kind) == expected


@settings(max_examples=50, deadline=None, derandomize=True)
@given(cells=st.lists(st.none() | st.integers() | st.floats() | st.text(), min_size=2, max_size=2))
def test_whatever_a_cell_holds_the_file_is_json(cells, tmp_path_factory):
    table = Table("t", "T", (Column("a", "A"), Column("b", "B", "number")), (tuple(cells),))
    (row,) = read([table], tmp_path_factory.mktemp("json"))["tables"]["t"]["rows"]
    assert list(row) == ["a", "b"]
