# SPDX-License-Identifier: GPL-3.0-or-later

"""The page that holds our library beside other catalogues is made of `catalogues/*.yml`, and names what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rack_recipes.recipe.catalog.find_scriptlet import list_scriptlets

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/catalogues.md"
CATALOGUES = [
    yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(Path(__file__).parent.glob("catalogues/*.yml"))
]
START, END = "<!-- catalogues: ", "<!-- /catalogues -->"
KEYS = {"check", "of", "number", "looks_at", "ours", "lacks", "why_not"}
HEAD = "| their check | what it looks at | ours | what it lacks, or why there is none |\n| --- | --- | --- | --- |"
KINDS = {
    "whole": "ours does it", "theirs": "ours runs theirs", "part": "ours does a part", "none": "ours does nothing",
}  # fmt: skip
RUNNERS = {"dcgm.diag"}  # scriptlets that run the tests of others


def rows(catalogue: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The checks of a catalogue; `of` stands for one check a word, `as before` for the reason of the row before."""
    before = ""
    for row in catalogue["checks"]:
        told = str(row.get("lacks") or row.get("why_not") or "")
        before = before if told.startswith("as before") else told
        for word in row.get("of", [None]):
            yield {**row, "check": row["check"].format(word), "told": before}


def kind(row: dict[str, Any]) -> str:
    """How much of a check of theirs we have."""
    if "why_not" in row:
        return "none"
    if "lacks" in row:
        return "part"
    return "theirs" if set(row["ours"]) <= RUNNERS else "whole"


def line(row: dict[str, Any]) -> str:
    """The line of the page for one check."""
    ours = ", ".join(f"[`{name}`](../{path_of(name)})" for name in row.get("ours", ())) or "none"
    return f"| {row['check']} | {row['looks_at']} | {ours} | {row['told']} |"


def path_of(name: str) -> str:
    """The file of a scriptlet of ours, below the checkout."""
    found = [path for path in ROOT.glob(f"scriptlets/{name.replace('.', '/')}.*") if path.suffix != ".yml"]
    return str(found[0].relative_to(ROOT)) if found else f"scriptlets/{name.replace('.', '/')}"


def section(catalogue: dict[str, Any]) -> str:
    """The part of the page for one catalogue."""
    lines = [line(row) for row in rows(catalogue)]
    more = "\n".join(f"- {' '.join(sentence.split())}" for sentence in catalogue["more"])
    title = f"## {catalogue['name']}\n\nSource: {catalogue['source']}."
    return "\n\n".join((title, f"Where theirs does more:\n\n{more}", "\n".join((HEAD, *lines))))


def counts(catalogue: dict[str, Any]) -> dict[str, int]:
    """How many of their checks we have as a whole, in part, and not."""
    return {word: sum(row.get("number", 1) for row in rows(catalogue) if kind(row) == word) for word in KINDS}


def overview() -> str:
    """The table over all catalogues."""
    head = f"| catalogue | checks | {' | '.join(KINDS.values())} |"
    lines = []
    for catalogue in CATALOGUES:
        told = counts(catalogue)
        lines.append(f"| {catalogue['name']} | {sum(told.values())} | {' | '.join(map(str, told.values()))} |")
    return "\n".join((head, "| --- |" + " --- |" * (1 + len(KINDS)), *lines))


def test_the_page_is_made_of_the_tables(golden: Callable[[Path, str], None]):
    head, start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    comment, _newline, _old = rest.partition("\n")
    parts = "\n\n".join((overview(), *map(section, CATALOGUES)))
    golden(PAGE, f"{head}{start}{comment}\n\n{parts}\n\n{END}\n")


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda catalogue: catalogue["name"])
def test_each_row_has_a_scriptlet_or_a_reason(catalogue):
    for row in catalogue["checks"]:
        assert set(row) <= KEYS, row["check"]
        assert bool(row.get("ours")) != bool(row.get("why_not")), row["check"]
        assert "|" not in str(row), row["check"]
    names = [row["check"] for row in rows(catalogue)]
    assert len(names) == len(set(names))


def test_each_scriptlet_that_is_named_exists():
    files = {entry.path.resolve() for entry in list_scriptlets([ROOT / "scriptlets"])}
    for catalogue in CATALOGUES:
        for row in catalogue["checks"]:
            for name in row.get("ours", ()):
                assert (ROOT / path_of(name)).resolve() in files, f"{row['check']}: {name}"
