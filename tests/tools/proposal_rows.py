# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of docs/proposal.md that say what became of each thing that the proposal asks for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = "docs/proposal.md"
SHORT = {"U/": "tests/unit/rack_recipes/", "M/": "tests/unit/plugins/module_utils/", "I/": "tests/integration/"}
ROW = re.compile(r"\| (?P<item>[^|]+) \| (?P<here>[^|]+) \| `(?P<path>[^`:|]+)(?:::(?P<test>\w+))?` \|")


class Row(NamedTuple):
    """What is asked for, whether it is here, and the file (from the checkout) and the test that show it."""

    item: str
    here: str
    path: str
    test: str

    @property
    def is_page(self) -> bool:
        """Whether a page shows it, and not a test."""
        return not Path(self.path).name.startswith("test_")

    @property
    def shown_by(self) -> str:
        """The test as pytest names it, or the page."""
        return f"{self.path}::{self.test}" if self.test else self.path


def rows(root: Path = ROOT) -> list[Row]:
    """Read the rows in their order. Raises ValueError for a line that is none."""
    asked = (root / PAGE).read_text(encoding="utf-8").partition("\n## What it asks for\n")[2]
    lines = [line for line in asked.splitlines() if line.startswith("| ") and not line.startswith(("| item", "| ---"))]
    return [_row(line) for line in lines]


def _row(line: str) -> Row:
    match = ROW.fullmatch(line)
    if not match:
        raise ValueError(f"no row: {line}")
    path = re.sub(r"^[UMI]/", lambda short: SHORT[short[0]], match["path"])
    return Row(match["item"], match["here"], path, match["test"] or "")
