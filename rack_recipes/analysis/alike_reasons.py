# SPDX-License-Identifier: GPL-3.0-or-later

"""Reasons that differ only in their numbers, ids, addresses and paths, as one reason that tells how they differ."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

WORD = re.compile(r"[\w.,:/%@+~-]+")
AT_END = ".,:-"  # signs that end a word and do not belong to it
DIGIT = re.compile(r"\d")
KIND_OF_FAULT = re.compile(r"(?:code|signal|errno|status|HTTP|exit)[ =:]*$", re.IGNORECASE)
"""What stands before a number that says what happened, and not how much of it."""
LONGEST_KIND = 12  # characters before such a number
NUMBER = re.compile(r"([+-]?[\d,]*\.?\d+(?:[eE][+-]?\d+)?)(\D*)")
FEW = 2  # different reasons that are told one by one
LONGEST = 2000  # characters of a reason that are looked at


class MaskedReason(NamedTuple):
    """A reason without the words that have a digit: the texts around them, and these words."""

    around: tuple[str, ...]
    words: tuple[str, ...]


def mask_numbers(reason: str, names: Container[str] = ()) -> MaskedReason:
    """Take the words with a digit out of a reason; `names`, such as those of steps, and kinds of faults stay."""
    around, words, at = list[str](), list[str](), 0
    for found in WORD.finditer(reason, 0, LONGEST) if DIGIT.search(reason) else ():
        word = found[0].rstrip(AT_END)
        start = found.start()
        if (
            word in names
            or not DIGIT.search(word)
            or KIND_OF_FAULT.search(reason[max(start - LONGEST_KIND, 0) : start])
        ):
            continue
        around.append(reason[at:start])
        words.append(word)
        at = start + len(word)
    return MaskedReason((*around, reason[at:]), tuple(words))


Words = tuple[str, ...]


def join_reasons(around: Sequence[str], words: Sequence[Words]) -> Iterator[tuple[str, Sequence[Words]]]:
    """Yield one reason for many with the same texts around their words, and which of the words it tells of.

    Numbers are told from the least to the greatest: `rx_errors 3 to 400 > 0`. Of other words the first one is told, and
    how many more there are; where there are few, each is a reason of its own.
    """
    columns = [[*dict.fromkeys(column)] for column in zip(*words, strict=True)]
    ranges = [_range(column) for column in columns]
    if None in ranges and len(words) <= FEW:
        yield from ((_joined(around, own), [own]) for own in words)
    else:
        told = (
            one or f"{column[0]} (and {len(column) - 1:,} more)" for one, column in zip(ranges, columns, strict=True)
        )
        yield _joined(around, (*told,)), words


def _joined(around: Sequence[str], words: Words) -> str:
    return "".join(text + word for text, word in zip(around, (*words, ""), strict=True))


def _range(words: Sequence[str]) -> str | None:
    """The least and the greatest of numbers with one unit, or the only word; None for other words."""
    if len(words) == 1:
        return words[0]
    numbers = [found for found in map(NUMBER.fullmatch, words) if found]
    if len(numbers) < len(words) or len({found[2] for found in numbers}) > 1:
        return None
    by_size = sorted((found[1] for found in numbers), key=lambda number: float(number.replace(",", "")))
    return f"{by_size[0]} to {by_size[-1]}{numbers[0][2]}"
