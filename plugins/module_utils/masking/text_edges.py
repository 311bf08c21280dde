# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Masking of texts that were cut. Half a secret at the cut is not found, so the text near the cut is left out.

A trace of variables also shows what a program has cut itself. Parts of secrets are masked in its lines.
"""

from __future__ import annotations

import re

from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import BLANK, replaced
from ansible_collections.rack.recipes.plugins.module_utils.masking.secret_names import MASKED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask

BLANKS = re.compile(f"{BLANK}+")
TRACED = re.compile(r"^\[.*", re.MULTILINE)  # a line of `debug_tracing`
PART = 6  # characters: shorter parts of a secret are parts of other texts, too
NOTE = re.compile(r"(\n\[\.\.\. \d+ bytes left out \.\.\.\]\n)")  # where a capture was cut


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
        return replaced(line.group(), [*_places_of(parts, line.group())])

    return TRACED.sub(masked, text) if parts else text


def _parts(text: str) -> Iterator[str]:
    return (text[at : at + PART] for at in range(len(text) - PART + 1))


def _places_of(parts: set[str], line: str) -> Iterator[tuple[int, int]]:
    """Start and end of what consists of these parts, in order."""
    begin = end = 0
    for at, part in enumerate(_parts(line)):
        if part in parts:
            if at > end:
                if end:
                    yield begin, end
                begin = at
            end = at + PART
    if end:
        yield begin, end
