# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of threats is made of threats.yml: each threat names a test, and the tests that it names exist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.named_tests import is_there, linked

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/threats.md"
START = "<!-- threats: "
HEAD = "| where | what could happen | what is done | shown by |\n| --- | --- | --- | --- |"
FIELDS = {"where", "threat", "answer", "tests"}
THREATS: dict[str, list[dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("threats.yml").read_text())


ALL = [threat for part in THREATS.values() for threat in part]


def line(threat: dict[str, Any]) -> str:
    """The row of the page for one threat."""
    shown = ", ".join(map(linked, threat["tests"]))
    return f"| {threat['where']} | {threat['threat']} | {threat['answer']} | {shown} |"


def test_the_page_is_made_of_the_threats(golden: Callable[[Path, str], None]):
    head, start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    parts = ["\n".join((f"## {title}\n\n{HEAD}", *map(line, threats))) for title, threats in THREATS.items()]
    golden(PAGE, "\n\n".join([f"{head}{start}{rest.partition('\n')[0]}", *parts, ""]).rstrip("\n") + "\n")


@pytest.mark.parametrize("test", sorted({test for threat in ALL for test in threat["tests"]}))
def test_every_test_that_is_named_is_there(test: str):
    assert is_there(test)


def test_every_threat_names_a_test():
    assert len(ALL) > 20
    for threat in ALL:
        assert set(threat) == FIELDS, threat
        assert threat["tests"], f"no test stands behind: {threat['threat']}"
        assert "|" not in str(threat), threat


def test_the_readme_leads_there():
    assert "](docs/security.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(threats.md)" in (ROOT / "docs/security.md").read_text(encoding="utf-8")
