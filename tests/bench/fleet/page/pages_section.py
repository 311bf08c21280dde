# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the page about pages in a browser, from the figures of `tests/bench/pages_speed.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parents[4] / "docs" / "pages.json"
PAINT, SEARCH = 1.0, 0.1  # the goals, in seconds


def section(figures: Mapping[str, Any]) -> str:
    """The figures as a part of a page, in Markdown."""
    head = (
        f"`tests/bench/pages_speed.py` made these on {figures['made']}, on {figures['cores']} cores with a load of "
        f"{figures['load']} before it began: {figures['hosts']:,} hosts x {figures['steps']} steps in SQLite, opened "
        "in Chromium by somebody who has nothing of it. Seconds until the first paint: the first visit, and after the "
        f"stroke the median of {figures['rounds']} more. ARA shows 100 of the results, and searches by a new page."
    )
    name, ours, ara = figures["filter"]
    lines = [
        "| page | ours | ARA |",
        "| --- | --- | --- |",
        *map(_line, figures["pages"]),
        f"| {name}, filtered | {ours:.3f} | {ara:.3f} |",
    ]
    return "\n".join(["## Pages", "", head, "", *lines, "", *_goals(figures), ""])


def _line(row: Sequence[Any]) -> str:
    name, *servers = row
    return f"| {name} | {' | '.join(f'{one[0]:.2f} / {one[1]:.2f}' if one else '' for one in servers)} |"


def _goals(figures: Mapping[str, Any]) -> Iterable[str]:
    slowest = max(figures["pages"], key=lambda row: max(row[1]))
    seconds, search = max(slowest[1]), figures["filter"][1]
    yield f"- every page is painted within {PAINT:g} s: {seconds:.2f} s ({slowest[0]}), {_said(seconds <= PAINT)}"
    yield f"- results are filtered within {SEARCH:g} s: {search:.3f} s, {_said(search <= SEARCH)}"


def _said(is_reached: bool) -> str:
    return "reached" if is_reached else "**not reached**"


def stored_section() -> str:
    """The part of a page with the figures that were written last; empty where there are none."""
    return section(json.loads(FIGURES.read_text())) if FIGURES.is_file() else ""
