# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Masking of texts that were cut. Half a secret at the cut is not found, so the text near the cut is left out."""

from __future__ import annotations

import re

from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import BLANK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask

BLANKS = re.compile(f"{BLANK}+")
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
