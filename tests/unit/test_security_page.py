# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about security: each line names a test, and the tests that it names exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/security.md"
NAMED = re.compile(r"`([\w/.-]+\.py)::(\w+)`")
ROW = re.compile(r"^\| (?!---)(?P<cells>.*) \|$", re.MULTILINE)
HEAD = "| where | what could happen | what is done | shown by |"


def text() -> str:
    return PAGE.read_text(encoding="utf-8")


@cache
def functions_of(path: Path) -> frozenset[str]:
    """The functions of a file, those of its classes too."""
    tree = ast.parse(path.read_bytes())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def rows() -> list[list[str]]:
    """The rows of all tables of threats."""
    tables = [part.partition("\n\n")[0] for part in text().split(f"{HEAD}\n")[1:]]
    return [found["cells"].split(" | ") for table in tables for found in ROW.finditer(table)]


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED.findall(PAGE.read_text(encoding="utf-8")))))
def test_every_test_that_is_named_is_there(file: str, name: str):
    path = ROOT / "tests" / file
    assert path.is_file()
    assert name in functions_of(path)


def test_every_line_names_a_test():
    assert len(rows()) > 20
    for row in rows():
        assert len(row) == 4, row
        assert NAMED.search(row[3]), f"no test stands behind: {row[1]}"


def test_the_readme_leads_there():
    assert "(docs/security.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
