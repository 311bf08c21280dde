# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/hall.md, made of the figures of the comparison and of a text beside it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEXT = Path(__file__).with_name("hall_page.md")
NONE = frozenset(("healthy hall", "lldp_port_id_mac"))  # where there is nothing to find
JUDGES = {"ours": "recipes/hall.yml", "theirs": "turnup-check"}
LONGEST = 260  # characters of an example
HEAD = """\
| fault | tries | ours found | turnup-check found | ours, wrongly | turnup-check, wrongly |
| --- | --- | --- | --- | --- | --- |"""
TIMES = """\
| | halls | fastest, s | median, s | median of CPU time, s |
| --- | --- | --- | --- | --- |"""
SAID = """\
| fault | ours says, for example | turnup-check says |
| --- | --- | --- |"""


def page(known: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of documentation."""
    said = [_said(name, own) for name, own in known.items() if any(own["said"].values())]
    parts = (
        TEXT.read_text(encoding="utf-8").rstrip(),
        "\n".join([HEAD, *(_row(name, own) for name, own in known.items())]),
        _measured(known),
        "\n".join(["## How long it takes", "", TIMES, *(_times(who, known) for who in JUDGES)]),
        _load(known),
        "\n".join(["## In what words", "", SAID, *said]),
    )
    return "\n\n".join(parts) + "\n"


def _measured(known: Mapping[str, Mapping[str, Any]]) -> str:
    days = sorted({own["when"][:10] for own in known.values()})
    seeds = sorted({own["seed"] for own in known.values()})
    lost = sum(len(own["missed"]) for own in known.values())
    when = f"Measured on {', '.join(days)}, with the seeds {', '.join(map(str, seeds))}."
    return f"{when} Findings of turnup-check's that ours does not have: {lost}."


def _load(known: Mapping[str, Mapping[str, Any]]) -> str:
    loads = [own["load"] for own in known.values()]
    return f"Meanwhile the load of the machine, over 15 minutes, was between {min(loads):g} and {max(loads):g}."


def _row(name: str, own: Mapping[str, Any]) -> str:
    found = ("-", "-") if name in NONE else (own["found"]["ours"], own["found"]["theirs"])
    return _cells(_name(name), own["tries"], *found, own["wrong"]["ours"], own["wrong"]["theirs"])


def _times(who: str, known: Mapping[str, Mapping[str, Any]]) -> str:
    seconds, cpu = ([each for own in known.values() for each in own[what][who]] for what in ("seconds", "cpu"))
    figures = (min(seconds), statistics.median(seconds), statistics.median(cpu))
    return _cells(JUDGES[who], len(seconds), *(f"{each:.1f}" for each in figures))


def _said(name: str, own: Mapping[str, Any]) -> str:
    return _cells(_name(name), *(_short(own["said"].get(who, "")) for who in JUDGES))


def _name(name: str) -> str:
    return f"`{name}`" if "_" in name else name


def _short(text: str) -> str:
    words = text.replace("|", "/").replace("<", "(").replace(">", ")").replace("(through localhost)", "").strip()
    return f"{words[:LONGEST]}..." if len(words) > LONGEST else words or "nothing"


def _cells(*values: object) -> str:
    return f"| {' | '.join(map(str, values))} |"
