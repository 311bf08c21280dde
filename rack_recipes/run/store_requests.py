# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the recorder asks the store writer, one request a line on its stdin.

`flush` and `end` are answered by a line: `ok`, or what went wrong. `now` is not answered. A colon and a number behind
`flush` or `end` say for how many seconds a fault of the store that may pass is waited out.
"""

from __future__ import annotations

FLUSH, END, NOW = b"flush", b"end", b"now"
OK = "ok"
LOG = "follower.log"  # in the run's folder: what the store writer says
SHARE = 0.8  # of the time that the recorder waits: the store writer gives up before, so that its reason is heard


def to_request(word: bytes, seconds: float | None = None) -> bytes:
    """The line that asks for `word`; the recorder waits `seconds` for the answer."""
    return word + b"\n" if seconds is None else b"%s:%.3f\n" % (word, max(0.0, seconds) * SHARE)


def from_request(line: bytes) -> tuple[bytes, float | None]:
    """The word of a request without its line end, and its seconds, None where it names none."""
    word, _colon, seconds = line.partition(b":")
    return word, float(seconds) if seconds else None
