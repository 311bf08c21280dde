# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of threats is made of threats.yml: each threat names a test, and the tests that it names exist."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/threats.md"
START = "<!-- threats: "
HEAD = "| where | what could happen | what is done | shown by |\n| --- | --- | --- | --- |"
FIELDS = {"where", "threat", "answer", "tests"}
THREATS: dict[str, list[dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("threats.yml").read_text())


class Named(NamedTuple):
    """A test that shows what is done about a threat."""

    file: str
    name: str


def named_by(threat: dict[str, Any]) -> Iterator[Named]:
    for test in threat["tests"]:
        file, _colons, name = test.partition("::")
        yield Named(file, name)


ALL = [threat for part in THREATS.values() for threat in part]


@cache
def functions_of(path: Path) -> frozenset[str]:
    """The functions of a file, those of its classes too."""
    tree = ast.parse(path.read_bytes())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def line(threat: dict[str, Any]) -> str:
    """The row of the page for one threat."""
    shown = ", ".join(f"[`{test.name.removeprefix('test_')}`](../tests/{test.file})" for test in named_by(threat))
    return f"| {threat['where']} | {threat['threat']} | {threat['answer']} | {shown} |"


def test_the_page_is_made_of_the_threats(golden: Callable[[Path, str], None]):
    head, start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    parts = ["\n".join((f"## {title}\n\n{HEAD}", *map(line, threats))) for title, threats in THREATS.items()]
    golden(PAGE, "\n\n".join([f"{head}{start}{rest.partition('\n')[0]}", *parts, ""]).rstrip("\n") + "\n")


@pytest.mark.parametrize("test", sorted({test for threat in ALL for test in named_by(threat)}), ids=":".join)
def test_every_test_that_is_named_is_there(test: Named):
    path = ROOT / "tests" / test.file
    assert path.is_file()
    assert test.name in functions_of(path)


def test_every_threat_names_a_test():
    assert len(ALL) > 20
    for threat in ALL:
        assert set(threat) == FIELDS, threat
        assert threat["tests"], f"no test stands behind: {threat['threat']}"
        assert "|" not in str(threat), threat


def test_the_readme_leads_there():
    assert "/docs/security.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(threats.md)" in (ROOT / "docs/security.md").read_text(encoding="utf-8")
