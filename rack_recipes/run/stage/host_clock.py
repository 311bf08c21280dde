# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far the clock of a host is ahead of this machine's, measured with an answer that is sent anyway."""

from __future__ import annotations

from typing import Any

LATEST = 1e11  # seconds since 1970

Clock = tuple[float, float]  # the host's time when it answered, and how long it worked on the answer, in seconds


def read_clock(value: Any) -> Clock | None:
    """The host's clock as an answer has it; None where it has none, or one that is no time."""
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(part, int | float) for part in value):
        return None
    if not all(0 <= part <= LATEST for part in value):  # NaN is in no range
        return None
    return float(value[0]), float(value[1])


def ahead(clock: Clock, sent: float, received: float) -> float:
    """By how many seconds the host's clock is ahead; negative where it is behind.

    `sent` and `received` are this machine's times of the request and of its answer. The time between them that the host
    did not work is taken to be spent on the way, half of it in each direction. The error is at most this half.
    """
    answered, worked = clock
    return round(answered - worked / 2 - (sent + received) / 2, 3)


def clock_record(stage: int, host: str, offset: float, time: str) -> dict[str, Any]:
    """The journal's record of the clock of a host; `offset` is in seconds."""
    return {"kind": "clock", "stage": stage, "host": host, "offset": offset, "time": time}
