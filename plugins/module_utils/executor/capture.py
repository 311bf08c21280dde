# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a child prints, with a bound on memory: its beginning and its end."""

from __future__ import annotations

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
        if len(self._head) < head:
            room = head - len(self._head)
            self._head, data = self._head + data[:room], data[room:]
        self._tail += data
        if len(self._tail) > 2 * tail:
            del self._tail[:-tail]

    def ending(self) -> bytes:
        """The last bytes, as many as are kept in one piece."""
        tail = bytes(self._tail[-self._limits[1] :])
        return tail if self.size > len(self._head) + len(tail) else self._head + tail

    def text(self, limit: int) -> str:
        """Head and tail for people, at most about `limit` characters, with a note of what was left out."""
        whole = self.ending()
        half = limit // 2
        if self.size <= limit:
            return whole.decode("utf-8", "backslashreplace")
        tail = whole[-half:].lstrip(b"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f")
        head = self._head[:half]
        note = "\n[... %d bytes left out ...]\n" % (self.size - len(head) - len(tail))
        return head.decode("utf-8", "backslashreplace") + note + tail.decode("utf-8", "backslashreplace")
