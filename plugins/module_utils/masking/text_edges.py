# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of texts that are masked: half a secret at an edge is not found, so what is near one is left out."""

from __future__ import annotations

import re

from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import BLANK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask

BLANKS = re.compile(f"{BLANK}+")
NOTE = re.compile(r"(\n\[\.\.\. \d+ bytes left out \.\.\.\]\n)")  # of a capture


def masked_beginning(text: str, mask: Mask) -> str:
    """A text without secrets, of which the end was cut off, and so without what may be the first half of one."""
    far = len(text) - _reach(text, mask.longest, -1)
    start = far - _reach(text[:far], mask.longest, -1)
    ends = (start + end for begin, end in mask.places(text[start:]) if start + begin < far < start + end)
    return mask.mask(text[: next(ends, far)])


def masked_ending(text: str, mask: Mask) -> str:
    """A text without secrets, of which the beginning was cut off, and so without what may be the second half of one."""
    return mask.mask(text[whole_from(text, mask) :])


def masked_ends(text: str, mask: Mask) -> str:
    """The text without secrets, also where it was cut before these were known: around a note that tells so."""
    head, *cut = NOTE.split(text, 1)
    if not cut:
        return mask.mask(text)
    note, tail = cut
    return f"{masked_beginning(head, mask)}{note}{masked_ending(tail, mask)}"


def whole_from(text: str, mask: Mask) -> int:
    """Where in a text whose beginning was cut off no secret is open that may have begun before it."""
    near = _reach(text, mask.longest, 1)
    end = near + _reach(text[near:], mask.longest, 1)
    return next((begin for begin, after in mask.places(text[:end]) if begin < near < after), near)


def _reach(text: str, solid: int, step: int) -> int:
    """How many characters from its start, or with step -1 from its end, hold at least so many that are not blank."""
    size = solid
    while size < len(text):
        part = text[:size] if step > 0 else text[-size:]
        missing = solid - len(BLANKS.sub("", part))
        if missing <= 0:
            return size
        size += max(missing, size // 2)
    return len(text)
