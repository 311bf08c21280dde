# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the page about commands that read a large run, from the figures of `tests/bench/results_speed.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parents[4] / "docs" / "results.json"


def section(figures: Mapping[str, Any]) -> str:
    """The figures as a part of a page, in Markdown."""
    head = (
        f"`tests/bench/results_speed.py` made these on {figures['made']}, with {figures['results']:,} results in a run "
        f"unless it says otherwise: CPU seconds with Python's start, medians of {figures['rounds']}."
    )
    lines = ["| command | seconds | goal |", "| --- | --- | --- |", *map(_line, figures["rows"])]
    return "\n".join(["## Reports and analysis", "", head, "", *lines, ""])


def _line(row: Sequence[Any]) -> str:
    name, seconds, goal = row
    reached = "" if goal is None else f"{goal:g}, {'reached' if seconds <= goal else '**not reached**'}"
    return f"| {name} | {seconds:.2f} | {reached} |"


def stored_section() -> str:
    """The part of a page with the figures that were written last; empty where there are none."""
    return section(json.loads(FIGURES.read_text())) if FIGURES.is_file() else ""
