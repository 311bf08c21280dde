# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier stages mean for one that starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, planned, step
from rack_recipes.journal.append import append
from rack_recipes.journal.step_results_and_end_status import StepEnd
from rack_recipes.run.current_run import Run, RunInputs
from rack_recipes.run.host.host_answer import WRONG_PASSWORD, clock_record
from rack_recipes.run.stage.startable_steps import (
    blocking_verdicts,
    halt_reason,
    startable,
    time_left,
    was_given_up,
    was_reached,
    wrong_password_reason,
)

HOSTS = ("r1", "r2", "r3", "r4")
GIVEN = RunInputs(
    patterns={"odd": frozenset({"r1", "r3"}), "even": frozenset({"r2"}), "nobody": frozenset()}, canary=("r1",)
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    steps = (planned("a", *HOSTS), planned("odd", "r1", "r3"), planned("total", ""), planned("none"))
    return a_run(tmp_path, *steps[:3], replace(steps[3], hosts=()), hosts=HOSTS, inputs=GIVEN)


def told(run: Run, text: str) -> Run:
    """Results such as `a@r1:failed`, which blocks, or `a@r1:failed-`, which does not."""
    for n, (place, _colon, verdict) in enumerate((word.partition(":") for word in text.split()), start=1):
        name, _at, host = place.partition("@")
        blocks = {"blocks": True} if verdict in ("failed", "blocked", "unreachable") else {}
        append(run.path, [step(name, host, verdict.strip("-"), n, **blocks)])
    run.catch_up()
    return run


def on(hosts: str, quorum: Any = None, step: str = "a") -> dict[str, Any]:
    return {"step": step, "hosts": hosts, **({} if quorum is None else {"quorum": quorum})}


@pytest.mark.parametrize(
    ("host", "delegate", "refused"),
    [("r1", "", ""), ("r2", "", "on r2"), ("r1", "j1", "on j1"), ("r3", "j1", "on j1"), ("r1", "j2", "")],
)
def test_a_wrong_password_counts_where_it_was_tried(run: Run, host: str, delegate: str, refused: str):
    """Also for other devices that the same host speaks for: its account may be locked."""
    records = [
        step("a", "r1", "error", reason=WRONG_PASSWORD, through="j1"),
        step("a", "r2", "error", 2, WRONG_PASSWORD),
    ]
    append(run.path, records)
    run.catch_up()
    reason = wrong_password_reason(run, host, delegate)
    assert reason == (f"a has shown that {WRONG_PASSWORD}: not tried again {refused}" if refused else "")


ALL_BUT_R2 = "a@r1:passed a@r2:failed a@r3:marginal a@r4:cached"


@pytest.mark.parametrize(
    ("results", "needed", "host", "expected"),
    [
        ("a@r1:passed a@r2:failed", "a", "r1", {}),
        ("a@r1:passed a@r2:failed", "a", "r2", {"a": "failed"}),
        ("a@r1:failed-", "a", "r1", {}),
        ("a@r1:skipped", "a", "r1", {}),
        ("a@r2:blocked", "a", "r2", {"a": "blocked"}),
        ("", "a", "r1", {"a": "error"}),
        ("total@:failed", "total", "r2", {"total": "failed"}),
        ("total@:passed", "total", "r2", {}),
        ("odd@r1:passed odd@r3:failed", "odd", "r2", {"odd": "failed"}),
        ("odd@r1:passed odd@r3:passed", "odd", "r2", {}),
        ("odd@r1:passed", "odd", "r2", {"odd": "error"}),
        ("odd@r1:passed odd@r3:failed", "odd", "r1", {}),
        (ALL_BUT_R2, "a", "", {"a": "failed"}),
        (ALL_BUT_R2, on("all"), "r1", {"a on all hosts": "failed"}),
        (ALL_BUT_R2, on("odd"), "r2", {}),
        (ALL_BUT_R2, on("nobody"), "r2", {"a on nobody": "no host of a in this run matches nobody"}),
        (ALL_BUT_R2, on("nobody", 1), "r2", {"a on 1 of nobody": "no host of a in this run matches nobody"}),
        (ALL_BUT_R2, on("nobody", "50%"), "r2", {"a on 50% of nobody": "no host of a in this run matches nobody"}),
        ("odd@r1:failed", on("even", step="odd"), "r2", {"odd on even": "no host of odd in this run matches even"}),
        ("", on("odd", 3, step="none"), "r1", {}),
        ("", on("nobody", step="unheard_of"), "r1", {}),
        (ALL_BUT_R2, on("all", "75%"), "r1", {}),
        (ALL_BUT_R2, on("all", "76%"), "r1", {"a on 76% of all hosts": "failed"}),
        (ALL_BUT_R2, on("all", 3), "r1", {}),
        (ALL_BUT_R2, on("", 4), "r1", {"a on 4 of all hosts": "failed"}),
        (ALL_BUT_R2, on("odd", "100%"), "r2", {}),
        (ALL_BUT_R2, on("odd", 2), "r2", {}),
        (ALL_BUT_R2, on("odd", 3), "r2", {"a on 3 of odd": "this run has 2 of them"}),
        (ALL_BUT_R2, on("all", 5), "r2", {"a on 5 of all hosts": "this run has 4 of them"}),
        (
            "odd@r1:passed odd@r3:passed",
            on("", 3, step="odd"),
            "r2",
            {"odd on 3 of all hosts": "this run has 2 of them"},
        ),
        ("a@r1:passed", on("odd", 2), "r2", {"a on 2 of odd": "error"}),
        ("", "none", "r1", {}),
        ("", "unheard_of", "r1", {}),
    ],
)
def test_which_dependencies_block(run: Run, results: str, needed: Any, host: str, expected: dict[str, str]):
    steps = [{"name": "b", "depends_on": [needed, "here"]}, {"name": "here"}]
    assert blocking_verdicts(told(run, results), steps, host) == expected


def test_what_tags_leave_out_blocks_nothing(run: Run):
    run.left_out = {"a"}
    assert blocking_verdicts(told(run, "a@r1:skipped"), [{"name": "b", "depends_on": ["a", on("all")]}], "r1") == {}
    assert blocking_verdicts(run, [{"name": "b", "depends_on": [on("all", 5), on("nobody")]}], "r1") == {}


@pytest.mark.parametrize(
    ("fail_fast", "results", "host", "reason"),
    [
        (True, "a@r1:passed a@r3:failed", "r2", "fail_fast: a did not pass on r3"),
        (True, "a@r3:unreachable", "r2", "fail_fast: a did not pass on r3"),
        (True, "total@:failed", "r2", "fail_fast: total did not pass on the controller"),
        (True, "a@r3:failed- a@r4:blocked", "r2", ""),
        (False, "a@r3:failed", "r2", ""),
        (False, "a@r1:failed", "r2", "canary r1 did not pass"),
        (False, "a@r1:blocked", "", "canary r1 did not pass"),
        (False, "a@r1:failed", "r1", ""),
        (False, "a@r1:failed- odd@r1:passed", "r2", ""),
        (False, "", "r2", ""),
    ],
)
def test_whether_anything_may_start(run: Run, fail_fast: bool, results: str, host: str, reason: str):
    run.inputs = replace(GIVEN, recipe={"fail_fast": fail_fast})
    assert halt_reason(told(run, results), host) == reason


@pytest.mark.parametrize(("time_box", "passed", "left"), [(None, 5, None), (60, 5, 55), (60, 90, 0)])
def test_how_much_time_is_left(run: Run, time_box: float | None, passed: float, left: float | None):
    run.inputs = RunInputs(recipe={"time_box": time_box} if time_box else {})
    run.started -= passed
    assert time_left(run) == (left if left is None else pytest.approx(left, abs=1))


@pytest.mark.parametrize(
    ("results", "names"),
    [
        ("a@r2:passed", ["free", "after", "closing"]),
        ("a@r2:failed", ["free", "closing"]),
        ("a@r1:failed a@r2:passed", ["closing"]),
    ],
)
def test_what_may_start(run: Run, results: str, names: list[str]):
    steps = [
        {"name": "free"},
        {"name": "after", "depends_on": ["a"]},
        {"name": "not_now", "when": False},
        {"name": "left_out", "skip": "--skip"},
        {"name": "closing", "depends_on": ["a"], "always": True},
    ]
    assert [step["name"] for step in startable(told(run, results), steps, "r2")] == names


@pytest.mark.parametrize(
    ("records", "delegate", "is_reached"),
    [
        ([], "", False),
        ([step("a", "r1")], "", False),  # as a step that needs no connection
        ([clock_record(1, "r1", 0.0, ""), step("a", "r1", "failed")], "", True),
        ([clock_record(1, "r1", 0.0, ""), step("a", "r1")], "j1", False),
        ([clock_record(1, "r1", 0.0, ""), step("a", "r1", through="j1")], "j1", True),
        ([clock_record(1, "r1", 0.0, ""), step("a", "r1", through="j1")], "", False),
        ([clock_record(1, "r2", 0.0, ""), step("a", "r2")], "", False),
        ([clock_record(1, "r1", 0.0, ""), step("a", "r1"), step("odd", "r1", "unreachable", 2, "why")], "", False),
        ([clock_record(1, "r1", 0.0, ""), step("a", "r1"), step("odd", "r1", "blocked", 2)], "", True),
    ],
)
def test_who_was_reached_before(run: Run, records: list[dict[str, Any]], delegate: str, is_reached: bool):
    append(run.path, records)
    run.catch_up()
    assert was_reached(run, "r1", delegate) is is_reached
    is_away = records[-1:] == [step("odd", "r1", "unreachable", 2, "why")]
    assert was_given_up(run, "r1", delegate) == ("why" if is_away else "")


def test_hosts_of_other_parts_count(run: Run):
    told(run, "a@r1:passed a@r2:passed a@r3:passed a@r4:passed")
    run.peers.hosts = {"a": ("r5", "r6"), "none": ("r5",)}
    run.peers.patterns = {"odd": frozenset({"r5"})}
    run.peers.places = {"r5": "in part 2 of 2 (job 2 on c2)", "r6": "which is in no part of the group"}
    assert blocking_verdicts(run, [{"name": "b", "depends_on": ["a"]}], "r1") == {}
    assert blocking_verdicts(run, [{"name": "b", "depends_on": [on("all")]}], "r1") == {
        "a on all hosts": "no result on r5 in part 2 of 2 (job 2 on c2)"
    }
    run.peers.ended = {("a", "r5"): StepEnd("passed"), ("none", "r5"): StepEnd("failed", blocks=True)}
    assert blocking_verdicts(run, [{"name": "b", "depends_on": [on("all")]}], "r1") == {
        "a on all hosts": "no result on r6 which is in no part of the group"
    }
    assert blocking_verdicts(run, [{"name": "b", "depends_on": [on("odd")]}], "r1") == {}
    assert blocking_verdicts(run, [{"name": "b", "depends_on": [on("all", "80%")]}], "r1") == {}
    assert blocking_verdicts(run, [{"name": "b", "depends_on": ["none"]}], "r1") == {
        "none": "failed on r5 in part 2 of 2 (job 2 on c2)"
    }
