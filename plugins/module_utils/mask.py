# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets in texts and JSON values are replaced by `********`.

It finds them in any form that they may have there, also where a text was cut.

A trace of variables also shows what a program has cut itself. Parts of secrets are masked in its lines.
"""

from __future__ import annotations

import json
import re
from binascii import b2a_base64, hexlify
from bisect import bisect_right

from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any


SHORTEST = 3  # characters: a shorter secret is not looked for inside texts
MARGIN = " \t\r"
LINE_END = re.compile(r"\n")
ESCAPED_END = re.compile(r"\n|(?:\\{1,8}r)?\\{1,8}n")
WHITE = " \t\r\n\f\v"
QUOTES = re.compile(rf"""[\\'"]+(?:[{WHITE}]+[\\'"]+)*""")
PIECE = re.compile(f"{QUOTES.pattern}|[{WHITE}]+|.", re.DOTALL)
MARGIN_OF_ERROR = 16  # characters: a part of a text may begin or end in the white space inside a secret
UNQUOTED = re.compile(r"[A-Za-z0-9]")
ENTITY = "&(?:amp;){0,3}"  # how a character begins in XML and HTML that is quoted up to four times
ENTITY_NAMES = {"&": "amp|", "<": "lt|", ">": "gt|", "'": "apos|", '"': "quot|"}
# White space inside a secret: as it is or as a line break, escaped, or quoted for a URL or for XML. A repetition of
# something that a secret can also begin with has an upper bound. So the time is linear in the length of the text.
CODED_BLANK = rf"%20|%0[9A-Da-d]|{ENTITY}(?:nbsp|#0{{0,5}}(?:9|1[0-3]|32)|#[xX]0{{0,5}}(?:9|[aAdD]|20));"
BLANK = rf"(?:\s|\+|{CODED_BLANK}|\\{{1,8}}(?:[\snrtfv]|(?:u00|x)(?:20|0[9A-Da-d])|0(?:40|1[1-5])))"
GAP = f"{BLANK}*"
# A run of quotes and backslashes inside a secret is one expression: two that can match the same would take long. Quoted
# for a shell `'` is `'"'"'` or `'\\''`, for YAML and SQL `''`. What is quoted twice has 17 signs for one, thrice 53.
QUOTE_ENTITY = rf"{ENTITY}(?:quot|apos|#0{{0,5}}(?:34|39|92)|#[xX]0{{0,5}}(?:2[27]|5[Cc]));"
QUOTE = rf"""[\\'"]|u002[27]|x2[27]|%2[27]|%5[Cc]|{QUOTE_ENTITY}"""
# How a sign of such a run is written, and one of a run that has white space in it.
QUOTED = (f"(?:{QUOTE})", rf"(?:{QUOTE}|[\s+nrtfv]|{CODED_BLANK})")
BACKSLASH = (r"(?:\\|%5[Cc])", rf"(?:\\|%5[Cc]|[\s+nrtfv]|{CODED_BLANK})")
MOST_SHELL_QUOTES, MOST_QUOTES = 56, 8  # for each one of the secret
WIDEST_ENTITY = 24  # characters
# The two characters in which the alphabets of base64 differ. For each: its patterns where a match begins, and its
# pattern further on. They match the characters of both alphabets, as they are and quoted.
BASE64 = {"+": ([r"\+", "-", "%2[Bb]"], r"(?:[+-]|%2[Bb])"), "/": (["/", "_", "%2[Ff]"], r"(?:\\{0,8}/|_|%2[Ff])")}
BLANKS = re.compile(f"{BLANK}+")
TRACED = re.compile(r"^\[.*", re.MULTILINE)  # a line of `debug_tracing`
PART = 6  # characters: shorter parts of a secret are parts of other texts, too
NOTE = re.compile(r"(\n\[\.\.\. \d+ bytes left out \.\.\.\]\n)")  # where a capture was cut


class Mask:
    """Replaces secrets as they are, quoted (JSON, URL, shell, XML), in base64 or hexadecimal, also broken over lines.

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
        return blank_out(text, places) if places else text

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

    def mask_value(self, value: object) -> Any:
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

    def _mask_mapping(self, value: dict[str, object]) -> dict[str, Any]:
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
    places = list(_joined(_in_lines(pattern, text, LINE_END) if "\n" in text else _found(pattern, text)))
    if "\\" in text and ESCAPED_END.search(text):
        places = list(_joined(sorted([*places, *_joined(_in_lines(pattern, text, ESCAPED_END))])))
    return places


def _joined(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The places, which are in order, with those that overlap or touch joined into one."""
    begin = end = 0
    for start, after in places:
        if start > end:
            if end:
                yield begin, end
            begin = start
        end = max(end, after)
    if end:
        yield begin, end


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every secret, also of one that begins inside of another."""
    match = pattern.search(text)
    while match:
        yield match.span()
        match = pattern.search(text, match.start() + 1)


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


def blank_out(text: str, places: Iterable[tuple[int, int]]) -> str:
    """The text with `********` at these places, which are in order and do not overlap."""
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
    pieces = PIECE.findall(secret.strip(WHITE))
    if sum(len(piece) for piece in pieces if piece[0] not in WHITE) < SHORTEST:
        return
    rest = [*map(_later, pieces, pieces[1:])]
    if rest and _has_quotes(pieces[-1]):
        rest[-1] = _last_quotes(pieces[-1])
    yield from (first + "".join(rest) for first in _first(pieces[0]))
    data = secret.encode("utf-8", "surrogatepass")
    for ahead in range(3):
        yield from _base64(data, ahead)
    digits = hexlify(data).decode()
    yield from (digits, digits.upper())


def _first(piece: str) -> list[str]:
    """The expressions for the first piece of a secret, which is a character or a run of quotes and backslashes."""
    first = piece[0]
    if UNQUOTED.match(first):
        return [re.escape(first)]
    rest = _quotes(piece, begun=1) if len(piece) > 1 else ""
    if first == "\\":
        rest = rest if _has_quotes(piece) else _run(BACKSLASH, piece, MOST_QUOTES, begun=1)
        return [rf"\\{rest}", f"%5[Cc]{rest}"]
    forms = (_percent(first), re.escape(first), rf"\\{_escape(first)}", _entity(first))
    return [form + rest for form in forms]


def _later(before: str, piece: str) -> str:
    """The expression for a piece of a secret that follows the piece `before`.

    The piece may have escaping backslashes in front of it, unless `before` is itself a run that takes them.
    """
    if UNQUOTED.match(piece):
        return re.escape(piece)
    if piece[0] in WHITE:
        return GAP
    if QUOTES.match(piece):
        return _quotes(piece) if _has_quotes(piece) else _run(BACKSLASH, piece, MOST_QUOTES)
    return _one(piece, "" if QUOTES.match(before) else r"\\{0,8}")


def _one(character: str, escaped: str) -> str:
    """The expression for a character that may be quoted; `escaped` is what may stand before it."""
    return f"(?:{_percent(character)}|{escaped}(?:{re.escape(character)}|{_escape(character)})|{_entity(character)})"


def _has_quotes(piece: str) -> bool:
    """Whether a piece is a run with quotes, and not of backslashes alone."""
    return "'" in piece or '"' in piece


def _quotes(piece: str, begun: int = 0) -> str:
    """The expression for a run of quotes and backslashes, of which the first `begun` are there already."""
    return _run(QUOTED, piece, MOST_SHELL_QUOTES, begun)


def _run(units: tuple[str, str], piece: str, most: int, begun: int = 0) -> str:
    """The expression for a run: one of `units` for each of its signs, up to `most` times."""
    number = sum(sign not in WHITE for sign in piece)
    return f"{units[number < len(piece)]}{{{number - begun},{most * number}}}"


def _last_quotes(piece: str) -> str:
    """The expression for a run of quotes at the end of a secret. A quote behind them may be the text's: it is left."""
    return f"{_quotes(piece, begun=1)}{_one(piece[-1], '')}" if len(piece) > 1 else _one(piece, r"\\{0,8}")


def _percent(character: str) -> str:
    return "".join(f"%{_any_case(f'{byte:02x}')}" for byte in character.encode("utf-8", "surrogatepass"))


def _entity(character: str) -> str:
    """The expression for a character that XML or HTML quoted, by its name or its number."""
    code, name = ord(character), ENTITY_NAMES.get(character, "")
    return f"{ENTITY}(?:{name}#0{{0,5}}{code}|#[xX]0{{0,5}}{_any_case(f'{code:x}')});"


def _escape(character: str) -> str:
    """The expression for a character that JSON, Python or a shell escaped, whole or as bytes.

    It is without the first backslash.
    """
    if character == "\b":
        return "(?:b|u0008|x08|010)"
    units = character.encode("utf-16-be", "surrogatepass")
    found = [r"\\{1,8}".join(f"u{_any_case(units[at : at + 2].hex())}" for at in range(0, len(units), 2))]
    data = character.encode("utf-8", "surrogatepass")
    if not character.isascii():
        found.append(r"\\{1,8}".join(f"x{_any_case(f'{byte:02x}')}" for byte in data))
    if not (character.isascii() and character.isprintable()):
        found.append(r"\\{1,8}".join(f"{byte:03o}" for byte in data))
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
    if UNQUOTED.match(piece) or piece[0] in WHITE:
        return 1
    if QUOTES.match(piece):
        return (WIDEST_ENTITY if _has_quotes(piece) else len("%5C")) * MOST_QUOTES * len(piece)
    return WIDEST_ENTITY if piece.isascii() else 44


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


def masked_beginning(text: str, mask: Mask) -> str:
    """A text whose end was cut off, masked, and without an end that may be the first half of a secret."""
    far = len(text) - _reach(text, mask.longest, -1)
    start = far - _reach(text[:far], mask.longest, -1)
    ends = (start + end for begin, end in mask.places(text[start:]) if start + begin < far < start + end)
    return mask.mask(text[: next(ends, far)])


def masked_ending(text: str, mask: Mask) -> str:
    """A text whose beginning was cut off, masked, and without a beginning that may be the second half of a secret."""
    return mask.mask(text[whole_from(text, mask) :])


def masked_ends(text: str, mask: Mask) -> str:
    """The text, masked. It may have been cut before its secrets were known, with a note in place of what was cut.

    Text around this note that may be half a secret is left out.
    """
    head, *cut = NOTE.split(text, 1)
    if not cut:
        return mask.mask(text)
    note, tail = cut
    return f"{masked_beginning(head, mask)}{note}{masked_ending(tail, mask)}"


def whole_from(text: str, mask: Mask) -> int:
    """The index from which a text whose beginning was cut off is safe to mask: no secret cut in half reaches it."""
    near = _reach(text, mask.longest, 1)
    end = near + _reach(text[near:], mask.longest, 1)
    return next((begin for begin, after in mask.places(text[:end]) if begin < near < after), near)


def _reach(text: str, solid: int, step: int) -> int:
    """How many characters of the text hold at least `solid` that are not blank; all, where there are fewer.

    They are counted from its start, with `step` -1 from its end.
    """
    size = solid
    while size < len(text):
        part = text[:size] if step > 0 else text[-size:]
        missing = solid - len(BLANKS.sub("", part))
        if missing <= 0:
            return size
        size += max(missing, size // 2)
    return len(text)


def without_parts(text: str, secrets: Iterable[str]) -> str:
    """What a child has printed, without parts of secrets in the lines of a trace; the text is masked already."""
    written = {form for secret in secrets for form in (secret, repr(secret)[1:-1])}
    parts = {part for form in written for part in _parts(form) if len({*part}) > 1 and part not in MASKED}

    def masked(line: re.Match[str]) -> str:
        places = ((at, at + PART) for at, part in enumerate(_parts(line.group())) if part in parts)
        return blank_out(line.group(), _joined(places))

    return TRACED.sub(masked, text) if parts else text


def _parts(text: str) -> Iterator[str]:
    return (text[at : at + PART] for at in range(len(text) - PART + 1))
