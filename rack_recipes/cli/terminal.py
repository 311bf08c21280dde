# SPDX-License-Identifier: GPL-3.0-or-later

"""What commands show on a terminal.

Tables as aligned plain text, and colours of verdicts unless the environment forbids them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import GREEN, RED, VERDICTS, YELLOW

WIDEST = 60  # columns
Paint = Callable[[str, str], str]
"""What returns a text in the colour of a word."""


def format_table(titles: Sequence[str], rows: Iterable[Sequence[object]], colour: Paint | None = None) -> str:
    """Return the titles and the rows as aligned lines. A cell wider than WIDEST is cut, except in the last column.

    `colour` is called with each padded cell and its text, and returns the cell as it is shown.
    """
    *firsts, last = (_texts(column) for column in zip(titles, *rows, strict=True))
    columns = [*map(_fitted, firsts), last]
    if colour:
        columns = [_coloured(fitted, texts, colour) for fitted, texts in zip(columns, (*firsts, last), strict=True)]
    return "".join([f"{'  '.join(row).rstrip()}\n" for row in zip(*columns, strict=True)])


def _texts(column: Sequence[object]) -> list[str]:
    """The cells of a column as printable texts: nearly all are, and there may be a million."""
    texts = [*map(str, column)]
    return texts if "".join(texts).isprintable() else [*map(printable, texts)]


def _fitted(texts: Sequence[str]) -> list[str]:
    """The cells of a column, all of one width."""
    width = min(WIDEST, max(map(len, texts)))
    return [(text if len(text) <= width else f"{text[: width - 1]}…").ljust(width) for text in texts]


def _coloured(fitted: Sequence[str], texts: Sequence[str], colour: Paint) -> list[str]:
    """The cells of a column in their colours, without that of the title."""
    return [fitted[0], *map(colour, fitted[1:], texts[1:])]


def printable(text: str) -> str:
    """Return the text with a space for each control character: text from a host must not control the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def value_text(value: object) -> str:
    """A value as people are shown it: a text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


COLOURS = {
    **{name: verdict.colour for name, verdict in VERDICTS.items()},
    "ok": GREEN,
    **dict.fromkeys(("flake", "unchecked", "incomplete", "rehearsed", "interrupted"), YELLOW),
    "not stored": RED,
}


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
