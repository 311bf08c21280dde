# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible shows of a stage."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import step
from rack_recipes.run.worker.run_stage import summary, task_summary


@pytest.mark.parametrize(
    ("verdicts", "kind", "msg"),
    [
        (["passed", "cached"], None, "1 passed, 1 cached in 1.000 s"),
        (["passed", "skipped:when"], None, "1 passed, 1 skipped in 1.000 s"),
        (["skipped:when", "blocked:x"], "failed", "s2 blocked: x (1 skipped, 1 blocked)"),
        (["passed", "failed:hot", "blocked:b"], "failed", "s2 failed: hot (1 passed, 1 failed, 1 blocked)"),
        (["blocked:x", "blocked:y"], "failed", "s1 blocked: x (2 blocked)"),
        (["blocked:x", "error"], "failed", "s2 error: no reason given (1 blocked, 1 error)"),
        (["unreachable:gone", "unreachable:gone"], "unreachable", "s1 unreachable: gone (2 unreachable)"),
        (["passed", "unreachable:gone"], "unreachable", "s2 unreachable: gone (1 passed, 1 unreachable)"),
        (["failed:hot", "unreachable:gone"], "failed", "s1 failed: hot (1 failed, 1 unreachable)"),
    ],
)
def test_what_ansible_shows(verdicts: list[str], kind: str | None, msg: str):
    records = []
    for number, text in enumerate(verdicts, start=1):
        verdict, _other, reason = text.partition(":")
        records.append(step(f"s{number}", "r1", verdict, number, reason))
    found = summary(iter(records))
    assert found["msg"] == msg
    assert [name for name in ("failed", "unreachable") if found.get(name)] == ([kind] if kind else [])
    assert len(found["steps"]) == len(verdicts)


def test_of_a_looped_step_the_instances_are_shown():
    instances = [step("a[x]", "r1", parent="a"), step("a[y]", "r1", "failed", 2, "hot", parent="a")]
    found = summary([*instances, step("a", "r1", "failed", 3, "a[y] failed", instances=2)])
    assert found["msg"] == "a[y] failed: hot (1 passed, 1 failed)"
    assert [line.split()[3] for line in found["steps"]] == ["a[x]", "a[y]"]


def test_a_task_for_many_hosts_names_each():
    records = [step("a", "r1"), step("a", "r2", "failed", reason="hot"), *(step("a", f"p{n}") for n in range(21))]
    found = task_summary(records, ["r1", "r2", *(f"p{n}" for n in range(21))])
    assert (found["msg"], found.get("failed")) == (summary(records[:1])["msg"], None)
    assert found["others"] == [
        "r2: a failed: hot (1 failed)",
        f"passed  {', '.join(f'p{n}' for n in range(20))}",
        "passed  p20",
    ]


def test_a_task_for_one_host_is_as_ever():
    records = [step("a", "r1", "failed", reason="hot")]
    assert task_summary(records, ["r1"]) == summary(records)
