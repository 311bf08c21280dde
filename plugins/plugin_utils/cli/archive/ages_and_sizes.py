# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ages and sizes, as people write them."""

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
    """A time span such as 90d, 12h or 4w; raises argparse's error."""
    found = AGE.fullmatch(text.strip())
    span = timedelta(seconds=int(found[1]) * SECONDS[found[2]]) if found else None
    if span is None or span > LONGEST:
        raise argparse.ArgumentTypeError(f"expected an age of at most 100 years such as 90d, 12h or 4w, got {text!r}")
    return span


def size(text: str) -> int:
    """Bytes, such as 10GiB, 500MB or 4096; raises argparse's error."""
    found = SIZE.fullmatch(text.strip())
    if not found or found[2].lower() not in UNITS:
        raise argparse.ArgumentTypeError(f"expected a size such as 10GiB, 500MB or 4096, got {text!r}")
    return int(float(found[1]) * UNITS[found[2].lower()])


def count(text: str) -> int:
    """A whole number from 0; raises argparse's error."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text!r}")
    return int(text)


def number(text: str) -> int:
    """A whole number from 1; raises argparse's error."""
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def shown(amount: int) -> str:
    """A number of bytes, short."""
    for unit, factor in reversed(BINARY.items()):
        if abs(amount) >= factor:
            return f"{amount / factor:.1f} {unit}"
    return f"{amount} B"
