# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows as aligned text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDEST = 60


def to_text(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A line a row, columns aligned; what is too wide is cut, except in the last column."""
    cells = [[printable(str(cell)) for cell in row] for row in (titles, *rows)]
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*cells, strict=True)]
    return "".join(_line(row, widths) for row in cells)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    *firsts, last = row
    fitted = [
        (cell if len(cell) <= width else cell[: width - 1] + "…").ljust(width)
        for cell, width in zip(firsts, widths, strict=False)
    ]
    return "  ".join([*fitted, last]).rstrip() + "\n"


def printable(text: str) -> str:
    """A host's text must not steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
