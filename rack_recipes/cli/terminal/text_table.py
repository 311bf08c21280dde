# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables as aligned plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

WIDEST = 60  # columns

Colour = Callable[[str, str], str]


def to_text(titles: Sequence[str], rows: Iterable[Sequence[object]], colour: Colour | None = None) -> str:
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


def _coloured(fitted: Sequence[str], texts: Sequence[str], colour: Colour) -> list[str]:
    """The cells of a column in their colours, without that of the title."""
    return [fitted[0], *map(colour, fitted[1:], texts[1:])]


def printable(text: str) -> str:
    """Return the text with a space for each control character: text from a host must not control the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
