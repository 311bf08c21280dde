# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Masking: secrets in texts and JSON values are replaced by `********`, in any form that they may have there."""

from __future__ import annotations

import json
import re
from binascii import b2a_base64, hexlify
from bisect import bisect_right

from ansible_collections.rack.recipes.plugins.module_utils.masking.secret_names import MASKED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

SHORTEST = 3  # characters: a shorter secret is not looked for inside texts
MARGIN = " \t\r"
LINE_END = re.compile(r"\n")
ESCAPED_END = re.compile(r"\n|(?:\\{1,8}r)?\\{1,8}n")
SPACE = re.compile(r"[ \t\r\n\f\v]+")
PIECE = re.compile(r"\\+|.", re.DOTALL)
MARGIN_OF_ERROR = 16  # characters: a part of a text may begin or end in the white space inside a secret
UNQUOTED = re.compile(r"[A-Za-z0-9]")
# White space inside a secret: as it is or as a line break, escaped, or quoted for a URL. A repetition of something that
# a secret can also begin with has an upper bound. So the time is linear in the length of the text.
BLANK = r"(?:\s|\+|%20|%0[9A-Da-d]|\\{1,8}(?:[nrtfv]|(?:u00|x)(?:20|0[9A-Da-d])))"
GAP = f"{BLANK}*"
# The two characters in which the alphabets of base64 differ. For each: its patterns where a match begins, and its
# pattern further on. They match the characters of both alphabets, as they are and quoted.
BASE64 = {"+": ([r"\+", "-", "%2[Bb]"], r"(?:[+-]|%2[Bb])"), "/": (["/", "_", "%2[Ff]"], r"(?:\\{0,8}/|_|%2[Ff])")}


class Mask:
    """Replaces secrets as they are, quoted for JSON or for a URL, in base64 or hexadecimal, also broken over lines.

    A secret of fewer than 3 characters could be part of any word. It is replaced only where it is the whole text.
    A mask without secrets is false.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._whole = {secret for secret in secrets if secret}
        self._numbers: set[int | float] | None = None
        forms = {form for secret in self._whole for form in _forms(secret.strip(MARGIN + "\n"))}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(longest_first)) if forms else None
        self._longest = -1

    def __bool__(self) -> bool:
        return bool(self._whole)

    def mask(self, text: str) -> str:
        """The text with each secret replaced by `********`."""
        if text in self._whole:
            return MASKED
        places = self.places(text)
        return _replaced(text, places) if places else text

    def places(self, text: str) -> list[tuple[int, int]]:
        """Start and end (exclusive) of every secret in the text, in order."""
        return [] if self._pattern is None else _places(text, self._pattern)

    @property
    def longest(self) -> int:
        """An upper bound for the length of any form of any secret, not counting white space inside it.

        Only the masking of a part of a text needs this, so it is computed at its first use.
        """
        if self._longest < 0:
            self._longest = max(map(_longest, self._whole), default=0) if self._pattern else 0
        return self._longest

    def mask_value(self, value: Any) -> Any:
        """The JSON value with its secrets replaced, also in the names of mappings.

        A number is replaced only where it is equal to a secret.
        """
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, dict):
            return self._mask_mapping(value)
        if isinstance(value, (list, tuple)):
            return [self.mask_value(item) for item in value]
        return MASKED if self._is_secret_number(value) else value

    def _mask_mapping(self, value: dict[str, Any]) -> dict[str, Any]:
        """The mapping with its names and values masked. A masked name that is taken gets a number: no entry is lost."""
        masked: dict[str, Any] = {}
        numbers: dict[str, int] = {}
        for name, item in value.items():
            shown = unused = self.mask(name)
            while unused != name and (unused in value or unused in masked):
                numbers[shown] = numbers.get(shown, 1) + 1
                unused = f"{shown} {numbers[shown]}"
            masked[unused] = self.mask_value(item)
        return masked

    def _is_secret_number(self, value: Any) -> bool:
        """Whether a number is equal to a secret, apart from its sign: 1234.0 and -1234 both disclose 1234."""
        if value is None or isinstance(value, bool):
            return False
        if self._numbers is None:
            self._numbers = {number for secret in self._whole for number in _numbers(secret)}
        return abs(value) in self._numbers and len(json.dumps(value)) >= SHORTEST


def _numbers(secret: str) -> Iterator[int | float]:
    """The text as an integer and as a float, without its sign; nothing where it is short, zero or no number.

    The two differ for a large number, since a float has fewer digits.
    """
    for kind in (int, float) if len(secret) >= SHORTEST else ():
        try:
            number = abs(kind(secret))
        except ValueError:
            continue
        if 0 < number < float("inf"):
            yield number


def _places(text: str, pattern: re.Pattern[str]) -> list[tuple[int, int]]:
    """Start and end of every match in the text, also of one that is broken over lines.

    The line ends may be real ones, or escaped as in JSON.
    """
    places = list(_in_lines(pattern, text, LINE_END) if "\n" in text else _found(pattern, text))
    if "\\" in text and ESCAPED_END.search(text):
        places = _merged([*places, *_in_lines(pattern, text, ESCAPED_END)])
    return places


def _merged(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The places in order, with those that overlap or touch joined into one."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(places):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every secret; those that overlap or touch are one."""
    begin, end = 0, 0
    match = pattern.search(text)
    while match:
        if match.start() > end:
            if end:
                yield begin, end
            begin = match.start()
        end = max(end, match.end())
        match = pattern.search(text, match.start() + 1)
    if end:
        yield begin, end


def _in_lines(pattern: re.Pattern[str], text: str, line_end: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Start and end in `text` of every secret that its lines hold when they are joined without their margins."""
    parts, joined_starts, shifts = [], [], []
    in_text = in_joined = 0
    for end, after in (*(found.span() for found in line_end.finditer(text)), (len(text), 0)):
        line = text[in_text:end].rstrip(MARGIN)
        part = line.lstrip(MARGIN)
        if part:
            parts.append(part)
            joined_starts.append(in_joined)
            shifts.append(in_text + len(line) - len(part) - in_joined)
            in_joined += len(part)
        in_text = after

    def place(index: int) -> int:
        return index + shifts[bisect_right(joined_starts, index) - 1]

    for begin, end in _found(pattern, "".join(parts)):
        yield place(begin), place(end - 1) + 1


def _replaced(text: str, places: Iterable[tuple[int, int]]) -> str:
    kept, last = [], 0
    for begin, end in places:
        kept.append(text[last:begin])
        last = end
    kept.append(text[last:])
    return MASKED.join(kept)


def _forms(secret: str) -> Iterator[str]:
    """Regular expressions for the forms of a secret; none for one of fewer than 3 characters.

    Each begins with a literal character, since `re` finds such expressions fast.
    """
    words = [PIECE.findall(word) for word in SPACE.split(secret) if word]
    if sum(map(len, SPACE.split(secret))) < SHORTEST:
        return
    rest = GAP.join(["".join(map(_later, words[0], words[0][1:])), *map(_word, words[1:])])
    yield from (first + rest for first in _first(words[0][0]))
    data = secret.encode("utf-8", "surrogatepass")
    for ahead in range(3):
        yield from _base64(data, ahead)
    digits = hexlify(data).decode()
    yield from (digits, digits.upper())


def _word(pieces: list[str]) -> str:
    return "".join(map(_later, ["", *pieces], pieces))


def _first(piece: str) -> list[str]:
    """The expressions for the first piece of a secret, which is a character or a run of backslashes."""
    if UNQUOTED.match(piece):
        return [re.escape(piece)]
    if piece[0] == "\\":
        more = rf"(?:\\|%5[Cc]){{{len(piece) - 1},{8 * len(piece)}}}"
        return [rf"\\{more}", f"%5[Cc]{more}"]
    return [_percent(piece), re.escape(piece), rf"\\{_escape(piece)}"]


def _later(before: str, piece: str) -> str:
    """The expression for a piece of a secret that follows the piece `before`, which is empty at the start of a word.

    The piece may have escaping backslashes in front of it, unless `before` is itself a run of backslashes.
    """
    if UNQUOTED.match(piece):
        return re.escape(piece)
    if piece[0] == "\\":
        return rf"(?:\\|%5[Cc]){{{len(piece)},{8 * len(piece)}}}"
    own = "" if before[:1] == "\\" else r"\\{0,8}"
    return f"(?:{_percent(piece)}|{own}(?:{re.escape(piece)}|{_escape(piece)}))"


def _percent(character: str) -> str:
    return "".join(f"%{_any_case(f'{byte:02x}')}" for byte in character.encode("utf-8", "surrogatepass"))


def _escape(character: str) -> str:
    """The expression for a character that JSON or Python escaped, whole or as bytes, without the first backslash."""
    if character == "\b":
        return "(?:b|u0008|x08)"
    units = character.encode("utf-16-be", "surrogatepass")
    found = [r"\\{1,8}".join(f"u{_any_case(units[at : at + 2].hex())}" for at in range(0, len(units), 2))]
    if not character.isascii():
        data = character.encode("utf-8", "surrogatepass")
        found.append(r"\\{1,8}".join(f"x{_any_case(f'{byte:02x}')}" for byte in data))
    if ord(character) < 256:
        found.append(f"x{_any_case(f'{ord(character):02x}')}")
    elif len(units) > 2:
        found.append(f"U{_any_case(f'{ord(character):08x}')}")
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _longest(secret: str) -> int:
    """An upper bound for the length of any form of a secret: with all backslashes, and escaped byte by byte."""
    data = secret.encode("utf-8", "surrogatepass")
    coded = (b2a_base64(bytes(ahead) + data).decode() for ahead in range(3))
    in_base64 = max(len(text) + 8 * (text.count("+") + text.count("/")) for text in coded)
    return MARGIN_OF_ERROR + max(sum(map(_width, PIECE.findall(secret))), in_base64, 2 * len(data))


def _width(piece: str) -> int:
    if UNQUOTED.match(piece):
        return 1
    if piece[0] == "\\":
        return 3 * 8 * len(piece)
    return 13 if piece.isascii() else 44


def in_base64(data: bytes, ahead: int) -> str:
    """The base64 of `data` after `ahead` other bytes (0 to 2).

    Characters that also depend on bytes before or after `data` are left out.
    """
    return b2a_base64(bytes(ahead) + data, newline=False).decode()[-(-8 * ahead // 6) : 8 * (ahead + len(data)) // 6]


def _base64(data: bytes, ahead: int) -> Iterator[str]:
    """The expressions for `in_base64` in all alphabets.

    Where the last character also depends on the bytes after `data`, any character fits there.
    """
    text = in_base64(data, ahead)
    rest = "".join(BASE64[character][1] if character in BASE64 else character for character in text[1:])
    shared = "[A-Za-z0-9+/_-]?={0,2}" if 8 * (ahead + len(data)) % 6 else ""
    firsts = BASE64[text[0]][0] if text[0] in BASE64 else [text[0]]
    yield from (first + rest + shared for first in firsts)
