# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of a host that is asked for artifacts: pieces of the files, each a record with its own checksum."""

from __future__ import annotations

import os
from binascii import b2a_base64

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ANSWER = 4 * 1024 * 1024  # bytes of artifacts in one answer


def pieces(folder: str, wanted: Iterable[tuple[str, int]]) -> bytes:
    """The records for `wanted`, pairs of an artifact's SHA-256 and the offset in bytes from which it is asked for.

    They hold about `ANSWER` bytes of artifacts at most; the first one is always answered. The record of a file that
    cannot be read has the reason in place of data.
    """
    room, records = ANSWER, []
    for digest, offset in wanted:
        if room <= 0:
            break
        record = {"kind": "piece", "sha256": digest, "offset": offset}
        try:
            data = _read(os.path.join(folder, digest), offset, room)
            room -= len(data)
            record["data"] = b2a_base64(data, newline=False).decode()
        except OSError as error:
            record["problem"] = str(error.strerror)
        records.append(encode(record))
    return b"".join(records)


def _read(path: str, offset: int, size: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(size)
