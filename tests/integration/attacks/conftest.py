# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts the attacks of a whole run, and writes the counts into docs/threats.md."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "soak"))
from reliability_sweeps import CHECKOUT, is_whole, seed

PAGE = CHECKOUT / "docs" / "threats.md"
COLUMNS = "| attacked | cases | held | seed | when |\n| --- | --- | --- | --- | --- |\n"
TABLE = re.compile(rf"(?<={re.escape(COLUMNS)})(?:\|.*\n)*")

tried: Counter[Path] = Counter()
held: Counter[Path] = Counter()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = (yield).get_result()
    if report.when == "call" and item.path.parent == Path(__file__).parent:
        tried[item.path] += 1
        held[item.path] += report.passed


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Only whole files are counted, as in `make soak`."""
    chosen = session.config.option.keyword or any("::" in word for word in session.config.args)
    if is_whole() and tried and not chosen:
        PAGE.write_text(with_counts(PAGE.read_text()))


def with_counts(page: str) -> str:
    """The page with a row for each file of attacks that was run; the rows of others stay."""
    found = TABLE.search(page)
    assert found, f"{PAGE} has no table of attacks"
    rows = {row.split(" | ")[0]: row for row in found[0].splitlines()}
    for path in tried:
        what = ast.get_docstring(ast.parse(path.read_bytes()), clean=True) or path.stem
        name = f"| {path.stem.removeprefix('test_').replace('_', ' ')}: {what.splitlines()[0].rstrip('.')}"
        when = datetime.now(UTC).isoformat(timespec="seconds")
        rows[name] = f"{name} | {tried[path]} | {held[path]} | {seed()} | {when} |"
    return TABLE.sub(lambda _found: "".join(f"{rows[name]}\n" for name in sorted(rows)), page)
