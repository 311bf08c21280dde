# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of docs/study.md that says what was silent or wrong before, and what is said now: of what_is_said.yml."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.named_tests import TESTS, is_there, linked

DOCS = TESTS.parent / "docs"
PAGE = DOCS / "study.md"
START, END = "<!-- made of tests/unit/what_is_said.yml: start -->", "<!-- made of tests/unit/what_is_said.yml: end -->"
HEAD = "| what was tried | before | now | shown by |\n| --- | --- | --- | --- |"
LINES = Path(__file__).with_name("what_is_said.yml")
SAID: Mapping[str, list[dict[str, str]]] = yaml.safe_load(LINES.read_text())
ALL = [line for lines in SAID.values() for line in lines]
STUDY = "[the study](#{})"


@cache
def figures() -> Mapping[str, tuple[str, str, str]]:
    """Of each line of the study that compares with before: both figures, and where they stand."""
    tables = {table["title"]: table["rows"] for table in json.loads((DOCS / "analysis.json").read_text())["tables"]}
    found = {
        what: (f"{before} of {tries}", f"{now} of {tries}", title.lower().replace(" ", "-"))
        for title in ("Over time", "Twins and single values")
        for what, tries, before, now, *_why in tables[title]
    }
    for noise, own in groupby(tables["Healthy runs"], itemgetter(0)):
        runs, before, now = map(sum, list(zip(*own, strict=True))[2:5])
        about = f"healthy runs with a problem, noise: {noise}"
        found[about] = (f"{before} of {runs:,}", f"{now} of {runs:,}", "healthy-runs")
    return found


def rows(lines: list[dict[str, str]]) -> Iterator[str]:
    known = figures()
    for line in lines:
        if "study" in line:
            before, now, anchor = known[line["study"]]
            yield f"| {line['study']} | {before} | {now} | {STUDY.format(anchor)} |"
        else:
            yield f"| {line['tried']} | {line['before']} | {line['now']} | {linked(line['test'])} |"


def test_the_table_is_made_of_the_lines(golden: Callable[[Path, str], None]):
    head, _start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    parts = ["\n".join((f"### {title}\n\n{HEAD}", *rows(lines))) for title, lines in SAID.items()]
    golden(PAGE, "\n\n".join((f"{head}{START}", *parts, f"{END}{rest.partition(END)[2]}")))


@pytest.mark.parametrize("test", sorted({line["test"] for line in ALL if "test" in line}))
def test_every_test_that_is_named_is_there(test: str):
    assert is_there(test)


def test_a_line_is_of_the_study_or_names_a_test():
    assert {frozenset(line) for line in ALL} == {frozenset({"study"}), frozenset({"tried", "before", "now", "test"})}
    assert not any("|" in str(line) for line in ALL)
