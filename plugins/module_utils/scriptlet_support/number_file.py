# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers of a text file, exactly as they are written there, and their percentiles.

The percentiles are those of type 7 in R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The
American Statistician 50 (1996), which NumPy, pandas, R and spreadsheets (PERCENTILE.INC) have by default.

Numbers are read as decimals, not as doubles. A double cannot hold `100000000.001` exactly. For numbers that lie far
from zero and close together, such rounding would make the variance wrong from the fifth digit on.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation, localcontext
from itertools import islice

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import mark_if_long

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def percentile(ranked: Sequence[Decimal], percent: Decimal) -> Decimal:
    """The percentile of numbers in ascending order; between two of them it is interpolated. To call in `exact_number`.

    `percent` is from 0 (the smallest number) to 100 (the largest).
    """
    place = (len(ranked) - 1) * percent.scaleb(-2)
    below = int(place)
    low, high = ranked[below], ranked[min(below + 1, len(ranked) - 1)]
    return low + (place - below) * (high - low)


LINES = 10000
LARGEST = Decimal(sys.float_info.max)
DIGITS = 5000  # enough for the square of every double; without a limit, memory would have none either
WIDEST = 2**63  # the context refuses wider integers, since databases cannot hold them
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
FOREIGN = re.compile(r"[^0-9+\-.eE,\s]")
HOLE = re.compile(r"(?:^|,)[^\S\n]*,", re.MULTILINE)
POINT = re.compile(r"[.eE]")


@contextmanager
def exact_number() -> Iterator[None]:
    """Make decimal arithmetic in the body exact. Raises ValueError where that would take more than `DIGITS` digits."""
    with localcontext(Context(prec=DIGITS, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Inexact, InvalidOperation])):
        try:
            yield
        except Inexact:
            raise ValueError(f"the numbers span more than {DIGITS} digits") from None


class NumberFile:
    """The numbers in a file: one or several on a line, between commas or white space. `#` starts a comment.

    `whole` is true as long as every number read was written as an integer.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.whole = True

    def blocks(self) -> Iterator[list[Decimal]]:
        """Yield the numbers, those of `LINES` lines at a time.

        Raises ValueError, with file and line, for anything that is no number, and if there is none.
        """
        first, empty = 1, True
        with open(self.path, encoding="utf-8-sig", errors="backslashreplace") as file:
            for lines in iter(lambda: list(islice(file, LINES)), []):
                found = self._read(first, lines)
                first += len(lines)
                if found:
                    empty = False
                    yield found
        if empty:
            raise ValueError(f"{self.path}: holds no number")

    def _read(self, first: int, lines: list[str]) -> list[Decimal]:
        try:
            return self._parse("".join(lines))
        except ValueError:
            for number, line in enumerate(lines, first):
                self._parse(line, f"{self.path}:{number}: ")
            raise

    def _parse(self, text: str, place: str = "") -> list[Decimal]:
        if "#" in text:
            text = re.sub("#.*", "", text)
        if "," in text and HOLE.search(text):
            raise ValueError(place + "an empty field between commas")
        words = text.replace(",", " ").split()
        try:
            numbers = list(map(Decimal, words))
        except InvalidOperation:
            numbers = []
        if FOREIGN.search(text) or len(numbers) < len(words):
            wrong = next((word for word in words if not NUMBER.fullmatch(word)), text.strip())
            raise ValueError(f"{place}expected a number, got {mark_if_long(repr(wrong))}")
        if not numbers:
            return []
        if max(numbers) > LARGEST or min(numbers) < -LARGEST:
            raise ValueError(f"{place}{max(numbers, key=abs):.6g} is larger than {LARGEST:.6g}")
        self.whole = self.whole and not POINT.search(text)
        return numbers

    def nearest(self, what: str, value: Decimal, divisor: int = 1) -> int | float:
        """`value / divisor`, rounded to the nearest double. If the file holds only integers, an integer stays one.

        Raises ValueError for a result that is larger than any double; the message calls it `what`.
        """
        if value.adjusted() < -DIGITS:  # zero is the nearest double, and the fraction would be too long to write out
            return 0.0
        over, under = value.as_integer_ratio()
        under *= divisor
        if self.whole and over % under == 0 and -WIDEST <= over // under < WIDEST:
            return over // under
        try:
            return over / under
        except OverflowError:
            raise ValueError(f"{self.path}: the {what} is larger than {LARGEST:.6g}") from None
