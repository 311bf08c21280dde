# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far the clock of a host is ahead of this one's, by an answer that it gives anyway."""

from __future__ import annotations

from typing import Any

Clock = tuple[float, float]  # the host's time as it answered, and for how long it had kept the question, in seconds


def read_clock(said: Any) -> Clock | None:
    """What an answer says of the host's clock; None where it says nothing of the kind."""
    if not isinstance(said, list) or len(said) != 2 or not all(isinstance(part, int | float) for part in said):
        return None
    return float(said[0]), float(said[1])


def ahead(clock: Clock, sent: float, received: float) -> float:
    """By how many seconds the host's clock is ahead, negative where it is behind.

    The question was sent and its answer received at these times of ours. What is left of the time between when the
    host had it was spent on the way, half of it on each: the result is wrong by at most this half.
    """
    told, kept = clock
    return round(told - kept / 2 - (sent + received) / 2, 3)


def clock_record(stage: int, host: str, offset: float, time: str) -> dict[str, Any]:
    """What the journal says of the clock of a host in a stage."""
    return {"kind": "clock", "stage": stage, "host": host, "offset": offset, "time": time}
