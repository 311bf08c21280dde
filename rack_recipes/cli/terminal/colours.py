# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Colours of verdicts and statuses on a terminal, unless the environment forbids colours."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import GREEN, RED, VERDICTS, YELLOW

COLOURS = {
    **{name: verdict.colour for name, verdict in VERDICTS.items()},
    "ok": GREEN,
    **dict.fromkeys(("flake", "unchecked", "rehearsed", "interrupted"), YELLOW),
    "not stored": RED,
}

Paint = Callable[[str, str], str]


def painter(stream: TextIO) -> Paint:
    """A function that returns its first argument, a text, in the colour of its second one, a word.

    It returns the text unchanged where the stream takes no colours.
    """
    return _painted if takes_colours(stream) else _plain


def takes_colours(stream: TextIO) -> bool:
    """Whether the stream is a terminal and the environment (NO_COLOR, TERM=dumb) does not forbid colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _plain(text: str, word: str) -> str:
    return text


def _painted(text: str, word: str) -> str:
    return f"\x1b[{COLOURS[word]}m{text}\x1b[0m" if word in COLOURS else text
