# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/proposal.md: what it says of each item of the proposal is shown by a test or a file that is there."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.rack.recipes.tests.unit.named_tests import functions_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "proposal.md"
SHORT = {"U/": "tests/unit/rack_recipes/", "M/": "tests/unit/plugins/module_utils/", "I/": "tests/integration/"}
ROW = re.compile(r"\| (?P<item>[^|]+) \| (?P<here>[^|]+) \| `(?P<path>[^`:|]+)(?:::(?P<test>\w+))?` \|")
HERE = re.compile(r"works|(different|half): .+")


def rows() -> list[dict[str, str]]:
    asked = PAGE.read_text(encoding="utf-8").partition("\n## What it asks for\n")[2]
    lines = [line for line in asked.splitlines() if line.startswith("| ") and not line.startswith(("| item", "| ---"))]
    found = [ROW.fullmatch(line) for line in lines]
    assert [line for line, match in zip(lines, found, strict=True) if not match] == []
    return [match.groupdict() for match in found if match]


def test_nearly_all_is_there() -> None:
    states = [row["here"].partition(":")[0] for row in rows()]
    assert len(states) >= 249
    assert states.count("half") == 0
    assert [row for row in rows() if not HERE.fullmatch(row["here"])] == []


def test_what_is_named_is_there() -> None:
    named = [(re.sub(r"^[UMI]/", lambda short: SHORT[short[0]], row["path"]), row["test"]) for row in rows()]
    assert [path for path, _test in named if not (ROOT / path).is_file()] == []
    assert [(path, test) for path, test in named if test and test not in functions_of(ROOT / path)] == []
