# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a verdict looks: symbol and colours, told apart without colour vision and readable on white and on black."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VerdictStyle:
    """A symbol, and colours for light and dark pages with a contrast of at least 4.5:1."""

    symbol: str
    light: str
    dark: str


LOOKS = {
    "failed": VerdictStyle("✗", "#8d1c06", "#f33e1d"),
    "error": VerdictStyle("!", "#670985", "#9861ea"),
    "unreachable": VerdictStyle("?", "#04080e", "#aeb0b2"),
    "blocked": VerdictStyle("⊘", "#3f3529", "#f5d3b2"),
    "skipped": VerdictStyle("–", "#6f7277", "#fdfeff"),
    "marginal": VerdictStyle("≈", "#a86601", "#e0a164"),
    "waived": VerdictStyle("w", "#3156d1", "#5e9bd1"),
    "cached": VerdictStyle("=", "#054252", "#73dfff"),
    "passed": VerdictStyle("✓", "#0d854a", "#628966"),
}
OTHER = "unreachable"
"""Whose look a word gets that is no verdict."""

STATUSES = {"interrupted": "error", "rehearsed": "skipped", "running": "skipped", "unchecked": "error"}


def style_of(verdict: str) -> str:
    """The key of `LOOKS` that shows a verdict or the status of a run."""
    known = STATUSES.get(verdict, verdict)
    return known if known in LOOKS else OTHER


def css() -> str:
    """The colours as custom properties of a style sheet, and a class for each verdict."""
    light = "".join(f"--{name}:{own.light};" for name, own in LOOKS.items())
    dark = "".join(f"--{name}:{own.dark};" for name, own in LOOKS.items())
    classes = "".join(f".v-{name}{{--v:var(--{name})}}" for name in LOOKS)
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{classes}"
