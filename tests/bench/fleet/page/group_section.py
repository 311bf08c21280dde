# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the page about runs in several parts, from the figures of `tests/bench/group_speed.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parents[4] / "docs" / "group.json"
PAIRS = (("one", "parts"), ("one_wide", "parts_wide"))  # one controller, and the parts that do the same work


def section(figures: Mapping[str, Any]) -> str:
    """The figures as a part of a page, in Markdown."""
    rows = {name: (title, *numbers) for name, title, *numbers in figures["rows"]}
    whole = figures["parts"] * figures["hosts"]
    head = (
        f"`tests/bench/group_speed.py` made these on {figures['made']}, on {figures['cores']} cores with a load of "
        f"{figures['load']} before it began: {whole} hosts x {figures['steps']} steps, by one controller, and by "
        f"{figures['parts']} that each have {figures['hosts']} hosts, start together and share a store in SQLite. All "
        "of them and the hosts share the cores of one machine, so this is what dividing a run costs, not its gain. "
        f"Seconds, medians of {figures['rounds']}. Where parts meet, the server's CPU is in that of the controllers."
    )
    lines = ["| run | time | CPU, controllers | CPU, hosts |", "| --- | --- | --- | --- |", *map(_line, rows.values())]
    return "\n".join(["## A run in several parts", "", head, "", *lines, "", *_ratios(rows, figures["parts"]), ""])


def _line(row: Sequence[Any]) -> str:
    title, wall, controllers, hosts = row
    return f"| {title} | {wall:.2f} | {controllers:.2f} | {hosts:.2f} |"


def _ratios(rows: Mapping[str, Sequence[Any]], parts: int) -> Iterable[str]:
    for one, several in PAIRS:
        wall, controllers = (rows[several][at] / rows[one][at] for at in (1, 2))
        title = rows[one][0].partition(", ")[2]
        about = f" ({title})" if title else ""
        costs = f"{wall:.2f} times the time, {controllers:.2f} times the CPU"
        yield f"- {parts} parts beside one controller{about}: {costs}"


def stored_section() -> str:
    """The part of a page with the figures that were written last; empty where there are none."""
    return section(json.loads(FIGURES.read_text())) if FIGURES.is_file() else ""
