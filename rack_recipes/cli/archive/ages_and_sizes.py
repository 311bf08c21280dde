# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ages, sizes and numbers in the options of commands: texts to values, and bytes to a text."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta

AGE = re.compile(r"(\d{1,9})\s*([smhdw])")
SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
DECIMAL = {f"{letter}B": 1000**power for power, letter in enumerate(("", "K", "M", "G", "T"))}
BINARY = {f"{letter}iB": 1024**power for power, letter in enumerate(("K", "M", "G", "T"), 1)}
UNITS = {unit.lower(): factor for unit, factor in {"": 1, **DECIMAL, **BINARY}.items()}
LONGEST = timedelta(days=36525)


def age(text: str) -> timedelta:
    """The time span of a text such as 90d, 12h or 4w. Raises ArgumentTypeError."""
    found = AGE.fullmatch(text.strip())
    span = timedelta(seconds=int(found[1]) * SECONDS[found[2]]) if found else None
    if span is None or span > LONGEST:
        raise argparse.ArgumentTypeError(f"expected an age of at most 100 years such as 90d, 12h or 4w, got {text!r}")
    return span


def size(text: str) -> int:
    """The number of bytes of a text such as 10GiB, 500MB or 4096. Raises ArgumentTypeError."""
    found = SIZE.fullmatch(text.strip())
    if not found or found[2].lower() not in UNITS:
        raise argparse.ArgumentTypeError(f"expected a size such as 10GiB, 500MB or 4096, got {text!r}")
    return int(float(found[1]) * UNITS[found[2].lower()])


def count(text: str) -> int:
    """The whole number of a text, 0 or more. Raises ArgumentTypeError."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text!r}")
    return int(text)


def number(text: str) -> int:
    """The whole number of a text, 1 or more. Raises ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def size_text(amount: int) -> str:
    """A number of bytes as a short text, such as `1.5 GiB`."""
    for unit, factor in reversed(BINARY.items()):
        if abs(amount) >= factor:
            return f"{amount / factor:.1f} {unit}"
    return f"{amount} B"
