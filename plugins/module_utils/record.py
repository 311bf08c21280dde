# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One record of a journal: a line of JSON that carries its own length and checksum.

`\n{"_":"LLLLLLLLCCCCCCCC",...}\n`: eight hexadecimal digits for the length in bytes of what follows the comma up to
the closing brace, eight for its CRC-32. A newline stands on both sides, since a killed writer can leave a stump in
the middle of a file and would otherwise spoil the record behind it.
"""

from __future__ import annotations

import json
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

START = b'{"_":"'
REST = len(START) + 18
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode(record: dict[str, Any]) -> bytes:
    """The bytes to append for `record`, which must not be empty."""
    rest = _encode(record)[1:].encode("utf-8", "surrogatepass")
    return b'\n{"_":"%08x%08x",%s\n' % (len(rest), crc32(rest), rest)


def decode(line: bytes) -> dict[str, Any] | None:
    """The record in a line without its newline; None where the line is torn, altered or foreign."""
    rest = line[REST:]
    if not line.startswith(START) or line[len(START) : REST] != b'%08x%08x",' % (len(rest), crc32(rest)):
        return None
    return json.loads(b"{" + rest)  # type: ignore[no-any-return]
