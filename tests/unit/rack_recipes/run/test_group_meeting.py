# SPDX-License-Identifier: GPL-3.0-or-later

"""What a part takes from the others, and what becomes of a stage where that is not possible."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.memory_group_keys import (
    ABOUT,
    MemoryGroupKeys,
    news,
    plan,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, delta, planned, step
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.run.context_server_client import ALIVE, DEAD, MEMBER, RUNNER
from rack_recipes.run.current_run import Run, RunInputs
from rack_recipes.run.group_meeting import (
    ENDED,
    NEVER_CAME,
    GroupStage,
    Meeting,
    MeetingPlaces,
    Member,
    OtherPart,
    _pieces,
)
from rack_recipes.run.stage.startable_steps import halt_reason

PLACES = MeetingPlaces(
    {2: GroupStage(), 3: GroupStage(is_once=True), 4: GroupStage(is_once=True, is_closing=True)}, {"behind": 1}
)
GROUP = {"id": "g", "part": "", "info": {"whole": plan(a=["r1", "r2", "r5", "r9"])}}


@pytest.fixture
def group_keys() -> MemoryGroupKeys:
    return MemoryGroupKeys()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    steps = (planned("a"), planned("b", stage=2), planned("total", "", stage=3), planned("end", "", stage=4))
    return a_run(tmp_path, *steps, inputs=RunInputs(group=GROUP))


def a_member(parts: int = 2, signature: str = "s") -> Member:
    return Member("R1", "c1", parts, signature, 40.0, plan(a=["r1"]), {})


@pytest.fixture
def meeting(group_keys: MemoryGroupKeys) -> Iterator[Meeting]:
    group_keys.entries[MEMBER, 2] = (1, {**group_keys.entries[MEMBER, 2][1], "parts": 2})
    made = Meeting(group_keys, "g", a_member(), PLACES, 0.1)  # type: ignore[arg-type]
    yield made
    made._heartbeat.end()


def ended(name: str, host: str, verdict: str, stage: int = 1) -> list[Any]:
    return ["step", step(name, host, verdict, stage=stage, blocks=verdict == "failed")]


def test_a_stage_knows_hosts_results_and_keys_of_the_others(group_keys: MemoryGroupKeys, run: Run, meeting: Meeting):
    append(run.path, [step("a", "r1"), delta("a.seen_v1", 1)])
    run.catch_up()
    group_keys.told[2] = [
        news(["key", "r5", "a.seen_v1", 5], ["key", "", "all.mode_v1", "fast"], ended("a", "r5", "failed")),
        news(stage=2),
    ]
    meeting.begin_stage(run, 2)
    run.catch_up()
    assert group_keys.told[1] == [news(["key", "r1", "a.seen_v1", 1], ["step", step("a", "r1")], stage=2)]
    assert run.peers.hosts["a"] == ("r5", "r9")
    assert run.peers.places == {
        "r5": "in part 2 of 2 (job 2 on c2)",
        "r9": "(which is in no part of the group)",
    }
    assert run.peers.ended["a", "r5"].verdict == "failed"
    assert run.context.get("a.seen_v1", "r5") == 5
    assert run.context.get("all.mode_v1") == "fast"
    assert run.peers.held_back == {}
    meeting.leave(run)
    assert group_keys.told[1][1:] == [news(over=True)], "what came from others is not told again"


@pytest.mark.parametrize(("own", "expected"), [(1, "theirs"), (2, "mine")])
def test_of_parts_that_set_a_key_the_one_with_the_highest_number_counts(
    group_keys: MemoryGroupKeys, run: Run, own: int, expected: str
):
    other = 3 - own
    group_keys.entries = {(MEMBER, other): (1, {**ABOUT, "parts": 2, "plan": plan()})}
    meeting = Meeting(group_keys, "g", a_member(), PLACES, 0.1)  # type: ignore[arg-type]
    append(run.path, [delta("all.mode_v1", "mine", scope="run")])
    run.catch_up()
    group_keys.told[other] = [news(["key", "", "all.mode_v1", "theirs"], stage=2)]
    meeting.begin_stage(run, 2)
    meeting._heartbeat.end()
    run.catch_up()
    assert run.context.get("all.mode_v1") == expected


def test_a_stage_that_another_part_runs_is_taken_from_it(group_keys: MemoryGroupKeys, run: Run, meeting: Meeting):
    group_keys.entries[RUNNER, "stage 3"] = (1, 2)
    group_keys.told[2] = [
        news(stage=3),
        news(["key", "", "total_v1", 7], ended("total", "", "passed", 3)),
        news(stage=9),
    ]
    meeting.begin_stage(run, 3)
    run.catch_up()
    assert run.peers.ran == {3: "part 2 of 2 (job 2 on c2)"}
    assert run.results.ended["total", ""].verdict == "passed"
    assert run.context.get("total_v1") == 7
    assert meeting.stage_ended(run, 3) == ""
    assert meeting._others[0].stage == 3, "what it tells later belongs to the next meeting"


def test_a_runner_that_ends_without_a_result(group_keys: MemoryGroupKeys, run: Run, meeting: Meeting):
    group_keys.entries[RUNNER, "stage 3"] = (1, 2)
    group_keys.told[2] = [news(stage=3), news(over=True)]
    meeting.begin_stage(run, 3)
    run.catch_up()
    end = run.results.ended["total", ""]
    assert end.verdict == "error"
    assert end.reason == ("part 2 of 2 (job 2 on c2) began it and gave no result of it: no part runs it a second time")


def test_the_first_part_that_asks_runs_the_stage(group_keys: MemoryGroupKeys, run: Run, meeting: Meeting):
    group_keys.told[2] = [news(stage=3)]
    meeting.begin_stage(run, 3)
    assert (run.peers.ran, run.peers.held_back) == ({}, {})
    assert group_keys.entries[RUNNER, "stage 3"] == (1, 1)
    append(run.path, [step("total", "", stage=3)])
    assert meeting.stage_ended(run, 3) == ""
    assert group_keys.told[1][-1]["items"] == [["step", step("total", "", stage=3)]]


def test_a_part_that_does_not_come_holds_back_all_but_closing_stages(
    group_keys: MemoryGroupKeys, run: Run, meeting: Meeting
):
    del group_keys.entries[MEMBER, 2]
    for number in (2, 3, 4):
        meeting.begin_stage(run, number)
    assert run.peers.held_back == dict.fromkeys((2, 3), NEVER_CAME.format("part 2 of 2", "0.1"))


def test_a_part_that_was_taken_for_dead_knows_it(group_keys: MemoryGroupKeys, run: Run, meeting: Meeting):
    group_keys.told[2] = [news(stage=2)]
    group_keys.entries[DEAD, 1] = (1, {"by": 2, "reason": "not heard of for 40 s"})
    meeting.begin_stage(run, 2)
    assert run.peers.held_back == {2: "the other parts have taken this one for dead: not heard of for 40 s"}


def test_behind_a_canary_of_another_part(group_keys: MemoryGroupKeys, run: Run, meeting: Meeting):
    group_keys.entries[MEMBER, 2][1]["canary"] = ["r5"]
    group_keys.told[2] = [news(ended("a", "r5", "failed"), stage=1)]
    meeting.begin_behind_canary(run, "another task")
    assert halt_reason(run, "r1") == ""
    meeting.begin_behind_canary(run, "behind")
    assert halt_reason(run, "r1") == "canary r5 in part 2 of 2 (job 2 on c2) did not pass"


def test_behind_a_canary_of_which_nobody_knows(group_keys: MemoryGroupKeys, run: Run, meeting: Meeting):
    del group_keys.entries[MEMBER, 2]
    meeting.begin_behind_canary(run, "behind")
    assert halt_reason(run, "r1") == (
        f"nobody knows whether the canary passed: {NEVER_CAME.format('part 2 of 2', '0.1')}"
    )


def test_a_run_that_is_to_end_waits_for_nobody(group_keys: MemoryGroupKeys, run: Run, meeting: Meeting):
    meeting.begin_stage(run, 2, lambda: True)
    assert run.peers.held_back == {}
    assert group_keys.told[1] == []


def test_no_place_is_left(group_keys: MemoryGroupKeys):
    group_keys.entries[MEMBER, 1] = (1, {**group_keys.entries[MEMBER, 2][1], "name": "job 1"})
    group_keys.entries[MEMBER, 3] = (1, {**group_keys.entries[MEMBER, 2][1], "name": "job 3"})
    with pytest.raises(UsageError, match="the group g has its 3 parts already: job 1 on c2, job 2 on c2, job 3 on c2"):
        Meeting(group_keys, "g", a_member(3), PLACES, 0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("member", [a_member(4), a_member(3, "another")])
def test_a_part_that_runs_something_else_is_refused(group_keys: MemoryGroupKeys, member: Member):
    group_keys.entries[MEMBER, 1] = group_keys.entries[MEMBER, 2]
    with pytest.raises(UsageError, match=r"part 1 of the group g \(job 2 on c2\) differs: it runs another recipe"):
        Meeting(group_keys, "g", member, PLACES, 0.1)  # type: ignore[arg-type]


def test_news_comes_in_pieces_that_fit():
    assert _pieces([]) == [[]]
    large = "x" * 300_000
    assert _pieces([large, large, "a", large]) == [[large], [large, "a"], [large]]


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
