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
    head, *cells = [[printable(str(cell)) for cell in row] for row in (titles, *rows)]
    widths = [min(WIDEST, max(map(len, column))) for column in zip(head, *cells, strict=True)]
    return "".join([_line(head, widths, None), *(_line(row, widths, colour) for row in cells)])


def _line(row: Sequence[str], widths: Sequence[int], colour: Colour | None) -> str:
    *firsts, last = row
    fitted = [
        (cell if len(cell) <= width else cell[: width - 1] + "…").ljust(width)
        for cell, width in zip(firsts, widths, strict=False)
    ]
    padded = [*fitted, last]
    shown = [colour(cell, word) for cell, word in zip(padded, row, strict=True)] if colour else padded
    return "  ".join(shown).rstrip() + "\n"


def printable(text: str) -> str:
    """Return the text with a space for each control character: text from a host must not control the terminal."""
    if text.isprintable():  # as nearly all are, and there may be a million
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)
