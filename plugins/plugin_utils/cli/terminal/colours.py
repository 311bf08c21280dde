# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Colours of verdicts, where people look and nobody has asked for none."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO

GREEN, YELLOW, RED = "32", "33", "31"
COLOURS = {
    **dict.fromkeys(("passed", "ok", "cached", "waived"), GREEN),
    **dict.fromkeys(
        ("marginal", "flake", "skipped", "blocked", "unreachable", "unchecked", "rehearsed", "interrupted"), YELLOW
    ),
    **dict.fromkeys(("failed", "error", "not stored"), RED),
}

Paint = Callable[[str, str], str]


def painter(stream: TextIO) -> Paint:
    """A function that gives a text the colour of a word, if the stream takes colours."""
    return _painted if takes_colours(stream) else _plain


def takes_colours(stream: TextIO) -> bool:
    """Whether it is a terminal, and the environment (NO_COLOR, TERM=dumb) does not forbid it."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _plain(text: str, word: str) -> str:
    return text


def _painted(text: str, word: str) -> str:
    return f"\x1b[{COLOURS[word]}m{text}\x1b[0m" if word in COLOURS else text
