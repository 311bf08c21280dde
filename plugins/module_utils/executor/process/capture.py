# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a child prints and sends, with bounds on memory."""

from __future__ import annotations

import codecs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    Mask = Callable[[str], str]

HEAD = 16 * 1024
TAIL = 4 * 1024 * 1024


class Capture:
    """Collects bytes; of more than `head + tail` of them only the first and the last are kept."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._head = b""
        self._tail = bytearray()
        self._limits = (head, tail)
        self.size = 0

    def add(self, data: bytes) -> None:
        """Take what was read next."""
        head, tail = self._limits
        self.size += len(data)
        room = head - len(self._head)
        if room:
            self._head, data = self._head + data[:room], data[room:]
        self._tail += data
        if len(self._tail) > 2 * tail:
            del self._tail[:-tail]

    def ending(self) -> bytes:
        """The last bytes, as many as are kept in one piece."""
        tail = bytes(self._tail[-self._limits[1] :])
        return tail if self.size > len(self._head) + len(tail) else self._head + tail

    def text(self, limit: int, mask: Mask | None = None) -> str:
        """For people: all of it, or of more than `limit` bytes head and tail, with a note of what was left out.

        `mask` takes secrets out before anything is cut off, since half a secret would not be found any more.
        """
        whole, half = self.ending(), limit // 2
        if self.size <= limit:
            text = whole.decode("utf-8", "backslashreplace")
            return _without_nul(mask(text) if mask else text)
        left_out = self.size - 2 * half
        if mask:
            head, tail = mask(_before_cut(self._head))[:half], mask(_after_cut(whole[-half - HEAD :]))[-half:]
        else:
            head, tail = _before_cut(self._head[:half]), _after_cut(whole[-half:])
        return _without_nul(f"{head}\n[... {left_out} bytes left out ...]\n{tail}")


def _before_cut(data: bytes) -> str:
    """Text without the half of a character at its end."""
    return codecs.getincrementaldecoder("utf-8")("backslashreplace").decode(data)


def _after_cut(data: bytes) -> str:
    """Text without the half of a character, at most three bytes, at its beginning."""
    start = next((place for place in range(min(4, len(data))) if data[place] & 0xC0 != 0x80), 0)
    return data[start:].decode("utf-8", "backslashreplace")


def _without_nul(text: str) -> str:
    return text.replace("\0", "\\x00")


class Lines:
    """Puts together the lines of what arrives in pieces, and hands them to `take`."""

    def __init__(self, take: Callable[[bytes], None], longest: int) -> None:
        self._take = take
        self._longest = longest
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        """Take what was read next; raises ValueError for a line that is too long to be kept."""
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
