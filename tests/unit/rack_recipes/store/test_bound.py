# SPDX-License-Identifier: GPL-3.0-or-later

"""No value becomes a part of a statement: all that a database is told is either fixed or bound."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[4] / "rack_recipes"
FOLDERS = ("store", "archive", "analysis", "cli", "run/store_writer")
CALLS = ("execute", "executemany", "exec_driver_sql", "text", "literal_column", "copy")
# What is put together of names that stand in this project's own tables, and of nothing else.
OURS = {
    "store/database/sqlite.py": {"pragma"},
    "store/schema/migrate_and_check.py": {"VERSION_TABLE"},
    "store/schema/views.py": {"name", "table", "said", "rights", "select.format(**words)"},
    "store/writing/write_rows.py": {"staged", "table.name", "target", "names"},
}
WORDS = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "DROP ", "ALTER ", "COPY ", "PRAGMA ", "WHERE ")
SOURCES = [path for folder in FOLDERS for path in sorted((LIBRARY / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(LIBRARY).as_posix()


def put_together(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the source of each value that is put into a text that is, or is given as, a statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and is_statement(node):
            yield from (
                (node.lineno, ast.unparse(part.value)) for part in node.values if isinstance(part, ast.FormattedValue)
            )
        elif isinstance(node, ast.Call) and called(node) in CALLS and node.args:
            yield from ((node.lineno, ast.unparse(part)) for part in parts_of(node.args[0]))


def is_statement(node: ast.JoinedStr) -> bool:
    """Whether an f-string reads like SQL."""
    first = next((part.value for part in node.values if isinstance(part, ast.Constant)), "")
    return isinstance(first, str) and first.startswith(WORDS)


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def parts_of(node: ast.expr) -> Iterator[ast.expr]:
    """What is added to a text, or formatted into it."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
        yield node.right
    elif isinstance(node, ast.JoinedStr):
        yield from (part.value for part in node.values if isinstance(part, ast.FormattedValue))
    elif isinstance(node, ast.Call) and called(node) == "format":
        yield from (*node.args, *(keyword.value for keyword in node.keywords))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_statements_are_fixed_or_bound(path: Path):
    allowed = OURS.get(name_of(path), set())
    found = [(line, text) for line, text in put_together(ast.parse(path.read_bytes())) if text not in allowed]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        'connection.execute(text(f"DELETE FROM runs WHERE run_id = {run_id}"))',
        'connection.exec_driver_sql("DELETE FROM runs WHERE run_id = %s" % run_id)',
        'cursor.execute("DELETE FROM runs WHERE run_id = " + run_id)',
        'cursor.execute("DELETE FROM runs WHERE run_id = {}".format(run_id))',
        'statement = f"SELECT * FROM {run_id}"',
    ],
)
def test_what_is_not_is_found(code: str):
    assert "run_id" in {text for _line, text in put_together(ast.parse(code))}
