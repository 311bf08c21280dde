# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/hall-comparison.md, made of the figures of the comparison and of a text beside it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TEXT = Path(__file__).with_name("hall_page.md")
TIME = "time"  # the name of the figures of the time that a healthy hall takes
NONE = frozenset(("healthy hall", "lldp_port_id_mac"))  # where there is nothing to find
JUDGES = {"ours": "recipes/hall.yml", "theirs": "turnup-check"}
LONGEST = 260  # characters of an example
HEAD = """\
| fault | tries | ours found | turnup-check found | ours, wrongly | turnup-check, wrongly |
| --- | --- | --- | --- | --- | --- |"""
TIMES = """\
| | runs | fastest, s | median, s | slowest, s | CPU time, median, s |
| --- | --- | --- | --- | --- | --- |"""
SAID = """\
| fault | ours says, for example | turnup-check says |
| --- | --- | --- |"""


def page(known: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of documentation."""
    faults = {name: own for name, own in known.items() if name != TIME}
    said = [_said(name, own) for name, own in faults.items() if any(own["said"].values())]
    parts = (
        TEXT.read_text(encoding="utf-8").rstrip(),
        "\n".join([HEAD, *(_row(name, own) for name, own in faults.items())]),
        _measured(faults),
        *([_time(known[TIME])] if TIME in known else []),
        "\n".join(["## In what words", "", SAID, *said]),
    )
    return "\n\n".join(parts) + "\n"


def _time(own: Mapping[str, Any]) -> str:
    rows = [_times(name, own["seconds"][who], own["cpu"][who]) for who, name in JUDGES.items()]
    load = f"its load over 15 minutes was {own['load']:g}"
    end = f"In turns on {own['when'][:10]}, with priority over what else the machine had to do ({load})."
    return "\n".join(["## How long a healthy hall takes", "", TIMES, *rows, "", end])


def _measured(known: Mapping[str, Mapping[str, Any]]) -> str:
    days = sorted({own["when"][:10] for own in known.values()})
    seeds = sorted({own["seed"] for own in known.values()})
    lost = sum(len(own["missed"]) for own in known.values())
    when = f"Measured on {', '.join(days)}, with the seeds {', '.join(map(str, seeds))}."
    return f"{when} Findings of turnup-check's that ours does not have: {lost}."


def _row(name: str, own: Mapping[str, Any]) -> str:
    found = ("-", "-") if name in NONE else (own["found"]["ours"], own["found"]["theirs"])
    return _cells(_name(name), own["tries"], *found, own["wrong"]["ours"], own["wrong"]["theirs"])


def _times(name: str, seconds: Sequence[float], cpu: Sequence[float]) -> str:
    figures = (min(seconds), statistics.median(seconds), max(seconds), statistics.median(cpu))
    return _cells(name, len(seconds), *(f"{each:.2f}" for each in figures))


def _said(name: str, own: Mapping[str, Any]) -> str:
    return _cells(_name(name), *(_short(own["said"].get(who, "")) for who in JUDGES))


def _name(name: str) -> str:
    return f"`{name}`" if "_" in name else name


def _short(text: str) -> str:
    words = text.replace("|", "/").replace("<", "(").replace(">", ")").replace("(through localhost)", "").strip()
    return f"{words[:LONGEST]}..." if len(words) > LONGEST else words or "nothing"


def _cells(*values: object) -> str:
    return f"| {' | '.join(map(str, values))} |"
