# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings as lines of text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import GREEN, RED, YELLOW
from rack_recipes.analysis.findings import NOTABLE, NOTE, PROBLEM, Finding
from rack_recipes.cli.terminal.colours import takes_colours
from rack_recipes.cli.terminal.text_table import printable

COLOURS = {PROBLEM: RED, NOTABLE: YELLOW, NOTE: GREEN}
WIDTH = max(map(len, COLOURS))


def finding_lines(findings: Sequence[Finding], *, in_full: bool = True) -> Iterator[str]:
    """Each finding with its grade; in full also with what to do next, and with the method."""
    for one in findings:
        suggestion = "suggestion: " if one.suggestion else ""
        yield f"{_painted(one.grade)}  {printable(suggestion + one.title)}\n"
        if in_full:
            indent = " " * (WIDTH + 2)
            yield from (f"{indent}{printable(text)}\n" for text in (one.advice, _method(one)) if text)


def _method(finding: Finding) -> str:
    return f"by: {finding.method}" if finding.method else ""


def _painted(grade: str) -> str:
    word = grade.ljust(WIDTH)
    return f"\x1b[{COLOURS[grade]}m{word}\x1b[0m" if takes_colours(sys.stdout) else word
