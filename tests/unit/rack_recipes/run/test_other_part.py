# SPDX-License-Identifier: GPL-3.0-or-later

"""When another part counts as gone, and in which order its news is read."""

from __future__ import annotations

import time

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.memory_group_keys import MemoryGroupKeys
from rack_recipes.run.context_server_client import ALIVE, DEAD
from rack_recipes.run.group_meeting import ENDED, OtherPart


@pytest.fixture
def group_keys() -> MemoryGroupKeys:
    return MemoryGroupKeys()


@pytest.fixture
def part(group_keys: MemoryGroupKeys) -> OtherPart:
    made = OtherPart(group_keys, 2, 3)  # type: ignore[arg-type]
    assert made.words == "part 2 of 3"
    assert made.has_come()
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: at[0])
    return at


def looks(part: OtherPart, clock: list[float], *seconds: float) -> str:
    for each in seconds:
        clock[0] += each
        part.look_after(1)
    return part.gone


def test_a_part_that_is_not_heard_of_for_its_lease_is_gone_for_all(
    part: OtherPart, group_keys: MemoryGroupKeys, clock: list[float]
):
    group_keys.entries[ALIVE, 2] = (7, "")
    assert looks(part, clock, *[10] * 5) == ""
    assert looks(part, clock, 10) == ENDED
    assert group_keys.entries[DEAD, 2] == (1, {"by": 1, "reason": "not heard of for 40 s"})
    assert part.words == "part 2 of 3 (job 2 on c2)"


def test_a_part_that_is_heard_of_is_there(part: OtherPart, group_keys: MemoryGroupKeys, clock: list[float]):
    for heartbeat in range(20):
        group_keys.entries[ALIVE, 2] = (heartbeat, "")
        assert looks(part, clock, 15, 15) == ""


def test_where_nobody_could_look_the_time_begins_anew(part: OtherPart, clock: list[float]):
    """As after a server that was away: the part could not say that it lives."""
    assert looks(part, clock, 10, 10, 300, 10, 10, 10) == ""
    assert looks(part, clock, 15) == ENDED


def test_what_others_have_found_out_counts_at_once(part: OtherPart, group_keys: MemoryGroupKeys, clock: list[float]):
    group_keys.entries[DEAD, 2] = (1, {"by": 3})
    assert looks(part, clock, 10) == ENDED


def test_news_is_read_one_after_the_other(part: OtherPart, group_keys: MemoryGroupKeys):
    group_keys.told[2] = [{"items": [], "stage": 2, "over": False}, {"items": [], "stage": 0, "over": True}]
    assert part.read_next(0) == group_keys.told[2][0]
    assert (part.stage, part.is_over) == (2, False)
    assert part.read_next(0) == group_keys.told[2][1]
    assert (part.stage, part.is_over) == (2, True)
    assert part.read_next(0) is None
