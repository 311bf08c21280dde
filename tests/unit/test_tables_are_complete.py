# SPDX-License-Identifier: GPL-3.0-or-later

"""What is described once, in a table, stands nowhere else, and all that must follow a table does so."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from ansible_collections.rack.recipes.tests.unit.rack_recipes.store import conftest as store_tests
from rack_recipes.analysis import data_frames
from rack_recipes.context.context_model import Delta
from rack_recipes.journal import allowed_records
from rack_recipes.report.tables import columns
from rack_recipes.store.database.databases_and_errors import DATABASES, by_driver
from rack_recipes.store.result import Result
from rack_recipes.store.schema import tables
from rack_recipes.store.schema.tables import COLUMNS, DETAIL_COLUMNS, STEP_COLUMNS, Kind, Source
from rack_recipes.store.writing import fold_journal
from rack_recipes.store.writing import record_to_rows as rows
from rack_recipes.store.writing.write_rows import KEPT

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
DATABASE_FILES = ROOT / "rack_recipes" / "store" / "database"
TABLE = PLUGINS / "module_utils" / "verdicts.py"
SOURCES = sorted(path for part in (PLUGINS, ROOT / "rack_recipes") for path in part.rglob("*.py") if path != TABLE)
NOT_READ = {"in_blocks", "out_blocks", "voluntary_switches", "involuntary_switches"}  # by no program of ours
FEW = 3  # names that one expression may name


@cache
def literals(path: Path) -> list[tuple[int, set[str]]]:
    """The line of each tuple, list, set and mapping in a file, and the texts that it names."""
    displays = (ast.Tuple, ast.List, ast.Set, ast.Dict)
    found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, displays)]
    return [
        (node.lineno, {own.value for own in ast.iter_child_nodes(node) if isinstance(own, ast.Constant)})
        for node in found
    ]


def lists_of(table: Mapping[str, object], *homes: Path) -> list[str]:
    """Where files other than `homes` name more than a few of the table's names in one expression."""
    return [
        f"{path}:{line}: {sorted(names & table.keys())}"
        for path in SOURCES
        if path not in homes
        for line, names in literals(path)
        if len(names & table.keys()) > FEW
    ]


def test_no_other_file_has_a_list_of_verdicts():
    assert not lists_of(VERDICTS, TABLE), f"derive these from {TABLE}"


def test_no_other_file_has_a_list_of_criteria():
    home = PLUGINS / "module_utils" / "language" / "criteria.py"
    synonyms = ROOT / "rack_recipes" / "recipe" / "schema" / "schema_errors.py"  # of keys of every kind
    assert not lists_of(LIMITS, home, synonyms), f"derive these from {home}"


@pytest.mark.parametrize(
    ("written", "path"),
    [
        (r'"journal\.jsonl"', "plugins/module_utils/journal_record.py"),
        (r"\b0o[67]00\b", "plugins/module_utils/file_descriptors.py"),
        (r'"rack_recipes_recipe"', "rack_recipes/plan/compile/action_names.py"),
        (r'= "waived"', "plugins/module_utils/verdicts.py"),
        (r'"rack_recipes_params"', "rack_recipes/run/extra_vars.py"),
    ],
)
def test_names_of_files_and_variables_and_modes_are_written_once(written: str, path: str):
    sources = {source for source in (*SOURCES, TABLE) if re.search(written, source.read_text())}
    assert sources == {ROOT / path}


def test_the_page_on_verdicts_names_those_of_the_table():
    page = (ROOT / "docs" / "recipe.md").read_text()
    section = page.partition("\n## Success and verdicts\n")[2].partition("\n## ")[0]
    missing = {name for name in VERDICTS if f"`{name}`" not in section}
    assert not missing, "docs/recipe.md, section Success and verdicts"


def test_the_report_s_page_colours_no_verdict_that_the_table_lacks():
    style = (ROOT / "rack_recipes" / "report" / "writers" / "static" / "report.css").read_text()
    assert set(re.findall(r"\.v-([a-z]+)", style)) <= set(VERDICTS)


def test_every_kind_of_column_is_known_to_all_that_handle_columns():
    assert set(tables.TYPES) == set(Kind), "store/schema/tables.py"
    assert set(data_frames.KINDS) == set(Kind), "analysis/data_frames.py"
    used = {column.kind for table in COLUMNS.values() for column in table if column.source is not Source.STORE}
    assert used <= set(rows.CONVERTERS), "store/writing/record_to_rows.py"


def test_every_column_of_a_result_gets_its_value_from_somewhere():
    record = {"host": "r1", "step": "a", "n": 1}
    row = rows.step_row("R1", record, {})
    assert len(row) == len(STEP_COLUMNS) + 1
    planned = {column.name for column in STEP_COLUMNS if column.source is Source.STORE}
    source = Path(rows.__file__).read_text()
    assert not {name for name in planned if f'"{name}":' not in source}, "store/writing/record_to_rows.py, step_row"


def test_a_result_has_the_columns_of_the_table():
    columns = {column.name for column in STEP_COLUMNS} | {"run_id"}
    beside = {"cut_off", "measurements"}
    assert not columns - {*Result.__annotations__} - NOT_READ, "store/result.py"
    assert {*Result.__annotations__} - columns == beside, "store/schema/tables.py"


def test_every_column_of_an_attempt_is_measured_and_may_be_sent():
    names = {column.name for column in STEP_COLUMNS if column.source is Source.ATTEMPT}
    measured, allowed = inspect.getsource(Attempt.record), Path(allowed_records.__file__).read_text()
    assert not [name for name in names if f'"{name}":' not in measured], (
        "module_utils/executor/process/attempt.py, record"
    )
    assert not [name for name in names if f'"{name}"' not in allowed], "journal/allowed_records.py, ATTEMPT"


def test_two_databases_of_one_driver_are_an_error_at_once():
    two = [replace(kind, driver="psycopg") for kind in (DATABASES["mysql"], DATABASES["postgresql"])]
    with pytest.raises(ValueError, match="mysql and postgresql are databases of one driver, psycopg"):
        by_driver(two)


def test_every_column_of_a_run_gets_its_value_from_somewhere():
    made = {column.name for column in COLUMNS["runs"] if column.source is Source.STORE}
    source = Path(fold_journal.__file__).read_text()
    missing = {name for name in made if f'"{name}"' not in source}
    assert missing == KEPT, "store/writing/fold_journal.py, or KEPT in store/writing/write_rows.py"


def detail_rows() -> dict[str, tuple[Any, ...]]:
    """A row of each table of details, of records in which everything is given."""
    place = {"run_id": "R1", "host": "r1", "step": "a", "n": 1}
    measured = {"name": "x", "value": 1, "unit": "C", "limits": {"max": 2}, "distance": 1, "verdict": "passed"}
    change = {"time": "T", "attempt": 1, "scope": "run", "key": "a.key_v1", "version": 2, "based_on": 0}
    met = {"before": "1", "after": "3", "who": "a", "conflict": True, "policy": "deep_merge", "outcome": "merged"}
    delta = Delta(**change, **met, run="R1", seq=1, host="", step="a", other="2", both=("x",))
    attached = {"attempt": 1, "name": "a.log", "sha256": "0", "size": 1, "media_type": "text/plain", "masked": False}
    moved = {"path": "artifacts/0", "note": "cut", "time": "T"}
    record = place | attached | moved
    artifact = place | rows.columns_from(rows.ARTIFACT, record) | rows.columns_from(rows.TRANSFER, record)
    return {
        "measurements": rows.measurement_rows("R1", {**place, "measurements": [measured]})[0],
        "conflicts": rows.conflict_row(rows.delta_row("R1", delta, "r1"), delta),
        "artifacts": rows.in_order(tables.tables().artifacts, artifact),
    }


@pytest.mark.parametrize("table", DETAIL_COLUMNS)
def test_every_column_of_a_detail_gets_its_value_from_somewhere(table: str):
    names = ["run_id", *(column.name for column in DETAIL_COLUMNS[table])]
    row = dict(zip(names, detail_rows()[table], strict=True))
    assert not [name for name, value in row.items() if value is None], "store/writing/record_to_rows.py"


SHOWN = {  # tables of the report, and the columns that the data has which they show
    **dict.fromkeys(("NOT_PASSED", "FLAKES", "SLOWEST", "VERDICTS"), data_frames.STEPS),
    "VALUES": data_frames.DETAILS["measurements"],
    "CONFLICTS": data_frames.DETAILS["conflicts"],
    "ARTIFACTS": data_frames.DETAILS["artifacts"],
}


@pytest.mark.parametrize("table", SHOWN)
def test_the_report_shows_columns_that_results_have(table: str):
    derived = {"first", "margin"}  # by analysis/run_statistics.py and analysis/measured_and_derived_values.py
    names = {column.name for column in getattr(columns, table)}
    assert names - derived <= set(SHOWN[table]), f"report/tables/columns.py, {table}"


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_is_known_to_all_that_differ_by_database(name: str):
    described = {path.stem for path in DATABASE_FILES.glob("*.py") if "\nKIND = " in path.read_text()}
    assert described == set(DATABASES), "store/database/databases_and_errors.py, DATABASES"
    assert f"`{name}://" in (ROOT / "docs" / "store.md").read_text(), "docs/store.md"
    servers = {"mysql": "mariadb"}
    assert servers.get(name, name) in {"sqlite", *store_tests.SERVERS}, "tests/unit/rack_recipes/store/conftest.py"


def test_shell_scriptlets_know_which_criteria_take_numbers_and_lists():
    """`rack_check` writes JSON of words, so it has to know which of them are numbers, and which may be given again."""
    text = (ROOT / "plugins" / "module_utils" / "script_library" / "json.awk").read_text()
    [numbers] = re.findall(r"last ~ /\^\(([\w|]+)\):\?\$/", text)
    lists = set(re.findall(r'last == "(\w+)" && text', text))
    assert {word for word, criterion in LIMITS.items() if criterion.takes == "number"} <= set(numbers.split("|"))
    assert {word for word, criterion in LIMITS.items() if criterion.takes == "list"} == lists
