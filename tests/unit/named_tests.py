# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests that pages name as `FILE::FUNCTION`, below tests/."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


@cache
def functions_of(path: Path) -> frozenset[str]:
    """The functions of a file, those of its classes too."""
    tree = ast.parse(path.read_bytes())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def is_there(test: str) -> bool:
    """Whether there is this test."""
    file, _colons, name = test.partition("::")
    return (TESTS / file).is_file() and name in functions_of(TESTS / file)


def linked(test: str) -> str:
    """A link of a page in docs/ to a test, which reads like a sentence."""
    file, _colons, name = test.partition("::")
    return f"[`{name.removeprefix('test_')}`](../tests/{file})"
