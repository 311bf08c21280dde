# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what a child prints and sends, in a limited amount of memory."""

from __future__ import annotations

import codecs

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import shortened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask

HEAD = 16 * 1024
TAIL = 4 * 1024 * 1024
LOOKED_AT = 20_000  # bytes before the end that are searched for secrets


class OutputCapture:
    """Collects bytes. Of more than `head + tail` bytes only the first and the last are kept."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._head = b""
        self._tail = bytearray()
        self._limits = (head, tail)
        self.size = 0

    def add(self, data: bytes) -> None:
        """Take the next data."""
        head, tail = self._limits
        self.size += len(data)
        room = head - len(self._head)
        if room:
            self._head, data = self._head + data[:room], data[room:]
        self._tail += data
        if len(self._tail) > 2 * tail:
            del self._tail[:-tail]

    def ending(self) -> bytes:
        """The last bytes, as many as are kept without a gap."""
        tail = bytes(self._tail[-self._limits[1] :])
        return tail if self.size > len(self._head) + len(tail) else self._head + tail

    def text(self, limit: int, mask: Mask | None = None) -> str:
        """The output as text for people.

        Of more than `limit` bytes it has the beginning, a note of how much was left out, and the end. `mask` takes
        secrets out before anything is cut, since half a secret would not be found any more.
        """
        whole, half = self.ending(), limit // 2
        if self.size <= limit:
            text = whole.decode("utf-8", "backslashreplace")
            return _shown(mask.mask(text) if mask else text)
        if mask:
            head, tail = self._masked_ends(whole, limit, mask)
            if head is tail and len(head) <= limit:
                return _shown(head)
            head, tail = head[:half], tail[-half:]
        else:
            head, tail = _before_cut(self._head[:half]), _after_cut(whole[-half:])
        return _shown(f"{head}\n[... {self.size - 2 * half} bytes left out ...]\n{tail}")

    def _masked_ends(self, whole: bytes, limit: int, mask: Mask) -> tuple[str, str]:
        """The beginning and the end without secrets. If the whole text is short enough, both are the whole text.

        How much is masked depends on the limit and on the longest secret, not on what was printed.
        """
        from ansible_collections.rack.recipes.plugins.module_utils.masking.text_edges import (
            masked_beginning,
            masked_ending,
        )

        reach, is_all = limit + 2 * mask.longest, len(whole) == self.size
        if is_all and self.size <= 2 * reach:
            text = shortened(mask.mask(whole.decode("utf-8", "backslashreplace")))
            return text, text
        first = whole if is_all else self._head
        head = masked_beginning(_before_cut(first[:reach]), mask)
        return shortened(head), shortened(masked_ending(_after_cut(whole[-reach:]), mask))

    def end(self, limit: int, mask: Mask | None = None) -> str:
        """The last `limit` characters as text for people, without white space around them."""
        kept = self.ending().rstrip()
        if mask is None:
            return kept[-limit:].decode("utf-8", "backslashreplace").strip()
        from ansible_collections.rack.recipes.plugins.module_utils.masking.text_edges import masked_ending

        reach = LOOKED_AT + 2 * mask.longest
        if len(kept) <= reach and len(self.ending()) == self.size:
            text = mask.mask(kept.decode("utf-8", "backslashreplace"))
        else:
            text = masked_ending(_after_cut(kept[-reach:]), mask)
        return shortened(text)[-limit:].strip()


def _before_cut(data: bytes) -> str:
    """The bytes as text. Half a character at the end is left out."""
    return codecs.getincrementaldecoder("utf-8")("backslashreplace").decode(data)


def _after_cut(data: bytes) -> str:
    """The bytes as text. Half a character at the beginning, at most three bytes, is left out."""
    start = next((place for place in range(min(4, len(data))) if data[place] & 0xC0 != 0x80), 0)
    return data[start:].decode("utf-8", "backslashreplace")


def _shown(text: str) -> str:
    """Masked text as files accept it. Its marked values are cut: a scriptlet may have printed a message with some."""
    return shortened(text).replace("\0", "\\x00")


class Lines:
    """Puts lines together from pieces of data, and hands each line to `take`. `longest` is in bytes."""

    def __init__(self, take: Callable[[bytes], None], longest: int) -> None:
        self._take = take
        self._longest = longest
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        """Take the next data. Raises ValueError for a line that is too long to be kept."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            line = b"".join((*self._pieces, end))
            self._pieces, self._size = [], 0
            self._take(line)
        self._pieces.append(rest)
        self._size += len(rest)
        if self._size > self._longest:
            self._pieces, self._size = [], 0
            raise ValueError(f"a line of more than {self._longest} bytes")
