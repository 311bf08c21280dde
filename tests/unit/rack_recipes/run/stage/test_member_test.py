# SPDX-License-Identifier: GPL-3.0-or-later

"""What a test between hosts comes to by what its members told, and what `${own...}` and `${peer...}` stand for."""

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.journal.step_results_and_end_status import was_cut_off
from rack_recipes.plan.members.match_members import MemberTest
from rack_recipes.run.stage.member_test import RunningTest, Side, own_record, words_of

PAIR, GROUP = ("a", "b"), ("a", "b", "c")


def ended(members: tuple[str, ...], told: dict[str, str], **measured: Any) -> dict[str, Any]:
    """The result of a test whose members have told these verdicts."""
    running = RunningTest.of(MemberTest(members, phase="screening"), "link[x]", 2, serves=True)
    for host, verdict in told.items():
        record = own_record(host, 1, "link[x]", verdict, f"{verdict} there" if verdict != "passed" else "")
        running.records[host] = {**record, "measurements": measured.get(host, [])}
        running.ended(host)
    return {**running.result({"host": ""}, "now", 1.0), "absent": running.absent}


def test_a_pair_has_its_members_its_round_and_a_plain_reason() -> None:
    found = ended(PAIR, {"a": "passed", "b": "failed"})
    assert (found["members"], found["phase"], found["reason"]) == (["a", "b"], "round 2, screening", "failed there")


def test_an_end_that_could_not_measure_is_named() -> None:
    assert ended(PAIR, {"a": "passed", "b": "error"})["reason"] == "b: error there"
    assert ended(PAIR, {"a": "passed", "b": "unreachable"})["reason"] == "b: unreachable there"


@pytest.mark.parametrize("members", [PAIR, GROUP])
def test_what_the_end_of_the_run_has_cut_off_says_so_at_its_beginning(members: tuple[str, ...]) -> None:
    running = RunningTest.of(MemberTest(members), "link[x]", 2, serves=True)
    for host in PAIR:
        running.records[host] = own_record(host, 1, "link[x]", "error", "stopped: the run was interrupted")
        running.ended(host)
    assert was_cut_off(running.result({"host": ""}, "now", 1.0))


def test_a_group_names_who_says_so_and_who_never_reported() -> None:
    found = ended(GROUP, {"a": "passed", "b": "error"}, b=[{"name": "rate", "value": 1}])
    assert found["reason"] == "b: error there; no result of c"
    assert found["measurements"] == [{"name": "rate.b", "value": 1}]
    assert found["absent"] == {"b"}


def test_a_group_of_which_nobody_reports_is_an_error() -> None:
    assert ended(GROUP, {})["verdict"] == "error"


def test_of_a_serving_side_that_fails_nobody_else_is_absent() -> None:
    assert ended(PAIR, {"a": "error", "b": "error"})["absent"] == {"a"}


def test_words_of_both_sides() -> None:
    running = RunningTest.of(MemberTest(GROUP), "g", 1, serves=True)
    running.port = 5201
    hostvars = {
        "a": {"fabric_address": "10.0.0.1", "ansible_host": "x", "rack": "r1"},
        "b": {"ansible_host": "b.lab"},
        "c": {},
    }
    step = {"args": {"there": "${peer.rack} ${own.rack} ${peer.nothing}", "list": ["${own.members}"]}}
    words = words_of(Side(running, "b", 0), step, {"hostvars": hostvars})
    assert words["peer"] == {"name": "a", "address": "10.0.0.1", "rack": "r1", "rank": 0, "port": 5201}
    assert words["own"]["address"] == "b.lab"
    assert words["own"]["addresses"] == ["10.0.0.1", "b.lab", "c"]
    assert words_of(Side(running, "a", 0), step, {"hostvars": hostvars})["peer"]["name"] == "b"
