# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from a host is data: made harmless, cut with a note, and put into the words people read."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.report.table_model import Kind

# Control characters, and all that changes how the text around it shows without showing itself.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """The text with every invisible or controlling character as ⟨U+XXXX⟩; line ends become LF, tabs stay."""
    if text.isascii() and text.isprintable():  # most text, and much quicker to tell
        return text
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))


def cut(text: str, limit: int, *, at_end: bool = True) -> str:
    """At most `limit` characters of the text's start, or of its end, and how many it had."""
    if len(text) <= limit:
        return text
    note = f"[cut: {len(text):,} characters in all]"
    return f"{text[:limit]}… {note}" if at_end else f"{note} …{text[-limit:]}"


def shown(value: Any, kind: Kind) -> str:
    """A cell as people read it: six digits, milliseconds, times without letters."""
    if value is None:
        return ""
    if kind == "time":
        return visible(str(value)).replace("T", " ").removesuffix("Z")[:23]
    if isinstance(value, float):
        return f"{value:.3f}" if kind == "seconds" else f"{value:.6g}"
    return visible(str(value))
