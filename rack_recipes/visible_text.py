# SPDX-License-Identifier: GPL-3.0-or-later

"""Make text from hosts harmless, and cut it with a note."""

from __future__ import annotations

import re

# Control characters, and invisible characters that change how the text around them is shown.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """The text with every invisible or controlling character as ⟨U+XXXX⟩; line ends become LF, tabs stay."""
    if text.isascii() and text.isprintable():  # true for most text, and much faster
        return text
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))


def cut(text: str, limit: int, *, at_end: bool = True) -> str:
    """At most `limit` characters of the text, with a note of its length; cut at its end, or else at its start."""
    if len(text) <= limit:
        return text
    note = f"[cut: {len(text):,} characters in all]"
    return f"{text[:limit]}… {note}" if at_end else f"{note} …{text[-limit:]}"
