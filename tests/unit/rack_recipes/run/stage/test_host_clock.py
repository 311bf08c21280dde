# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.journal.record_fields import encode
from rack_recipes.run.stage.host_answer import ahead, clock_record, read_clock


@pytest.mark.parametrize(
    ("clock", "sent", "received", "offset"),
    [
        ((1000.0, 0.0), 1000.0, 1000.0, 0.0),
        ((4600.2, 0.1), 1000.0, 1000.3, 3600.0),
        ((998.5, 5.0), 1000.0, 1005.0, -6.5),
        ((1005.2, 5.0), 1000.0, 1005.4, 0.0),
    ],
    ids=["same", "ahead", "behind", "kept waiting"],
)
def test_the_time_on_the_way_is_half_each(
    clock: tuple[float, float], sent: float, received: float, offset: float
) -> None:
    assert ahead(clock, sent, received) == pytest.approx(offset, abs=0.0011)


@pytest.mark.parametrize(
    ("said", "found"),
    [([1, 0.5], (1.0, 0.5)), (None, None), ([1], None), ([1, 2, 3], None), (["1", 2], None), ("12", None)],
)
def test_what_a_host_says_of_its_clock(said: Any, found: tuple[float, float] | None) -> None:
    assert read_clock(said) == found


def test_a_record_for_the_journal() -> None:
    record = clock_record(2, "r1", -3599.5, "2026-11-25T12:00:00.000000Z")
    assert encode(record)
    assert (record["kind"], record["stage"], record["host"], record["offset"]) == ("clock", 2, "r1", -3599.5)
