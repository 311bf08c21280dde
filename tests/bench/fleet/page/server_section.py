# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the page about the context server and the live bus, from the figures of `tests/bench/server_speed.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parents[4] / "docs" / "server.json"
OURS = "ours"  # its name among the contestants
WRITES, SLOWEST, REACHED = 10_000, 10.0, 30.0  # the goals: writes a second, milliseconds of writes and of events
BESIDE = 50.0  # and milliseconds of a write beside a greedy reader
NUMBERS = "| writes/s | p50 ms | p99 ms | reads/s | p50 ms | p99 ms |"


def section(figures: Mapping[str, Any]) -> str:
    """The figures as a part of a page, in Markdown."""
    missing = f" Not installed, so not measured: {', '.join(figures['missing'])}." if figures["missing"] else ""
    head = (
        f"`tests/bench/server_speed.py` made these on {figures['made']}, on {figures['cores']} cores with a load of "
        f"{figures['load']} before it began: medians of {figures['rounds']}.{missing} {figures['connections']} clients "
        "write a key each, based on the version that they have written last, and read it. They, and all listeners, are "
        "one program on the same cores. `ours, fsync` answers once the disk has it."
    )
    requests, reached = figures["requests"], figures["reached"]
    parts = (
        _table(f"| server {NUMBERS}", requests, "{:,.0f}", "{:.2f}", "{:.2f}"),
        _table(f"| a change for {figures['listeners']:,} listeners | p50 ms | p99 ms | last ms |", reached, "{:.1f}"),
        *_readers(figures),
        _table("| call of the live bus | p50 ms | p99 ms |", figures["calls"], "{:.2f}"),
        "\n".join(_goals(figures)),
    )
    return "\n\n".join(["## Context server", head, *parts]) + "\n"


def _table(head: str, rows: Iterable[Sequence[Any]], *forms: str) -> str:
    """A table whose numbers have these forms, again and again."""
    lines = [head, "| --- " * (head.count("|") - 1) + "|"]
    for name, *numbers in rows:
        shown = (forms[at % len(forms)].format(number) for at, number in enumerate(numbers))
        lines.append(f"| {' | '.join([name, *shown])} |")
    return "\n".join(lines)


def _readers(figures: Mapping[str, Any]) -> Iterable[str]:
    """How long writes take beside readers, and the server's end; nothing where that was not measured yet."""
    if "readers" in figures:
        *rows, (_name, ended, *_more) = figures["readers"]
        head = f"| a write at {figures['keys']:,} keys, beside a reader of | p50 ms | p99 ms | max ms | MiB more |"
        yield _table(head, rows, "{:.1f}")
        yield f"With readers in the middle the server ends {ended / 1000:.1f} s after SIGTERM."


def _goals(figures: Mapping[str, Any]) -> Iterable[str]:
    requests, listeners = ({row[0]: row[1:] for row in figures[name]} for name in ("requests", "reached"))
    writes, _p50, slowest = requests[OURS][:3]
    reached = listeners[OURS][1]
    yield f"- at least {WRITES:,} writes a second: {writes:,.0f}, {_said(writes >= WRITES)}"
    yield f"- at p99 under {SLOWEST:g} ms: {slowest:.2f} ms, {_said(slowest < SLOWEST)}"
    yield f"- listeners reached within {REACHED:g} ms: {reached:.1f} ms for 99 in 100, {_said(reached <= REACHED)}"
    if "readers" in figures:
        worst = max(row[2] for row in figures["readers"][:-1])
        goal = f"- writes beside a greedy reader at {figures['keys']:,} keys, at p99 under {BESIDE:g} ms"
        yield f"{goal}: {worst:.1f} ms, {_said(worst < BESIDE)}"


def _said(is_reached: bool) -> str:
    return "reached" if is_reached else "**not reached**"


def stored_section() -> str:
    """The part of a page with the figures that were written last; empty where there are none."""
    return section(json.loads(FIGURES.read_text())) if FIGURES.is_file() else ""
