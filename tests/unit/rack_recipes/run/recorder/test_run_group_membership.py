# SPDX-License-Identifier: GPL-3.0-or-later

"""Which group a run is a part of, and which recipes cannot be run in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import (
    ABOUT,
    an_inventory,
    means,
    play,
    task,
)
from rack_recipes.errors import UsageError
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run.group_meeting import GroupStage
from rack_recipes.run.recorder.begin_run import EmptyPartError, begin_run
from rack_recipes.run.recorder.group_membership import Membership, find_membership, meeting_stages
from rack_recipes.settings import Settings

SLICE = {
    "awx_job_id": 12,
    "awx_job_template_name": "burn in",
    "awx_workflow_job_id": 7,
    "awx_workflow_job_name": "burn in",
}


@pytest.fixture(autouse=True)
def _project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run folders are in it."""
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict())


@pytest.mark.parametrize(
    ("settings", "extra_vars", "expected"),
    [
        (Settings(), {}, None),
        (Settings(group="night-42", parts=2), {}, Membership("night-42", "", 2)),
        (Settings(group="night-42"), {"awx_job_id": 12}, Membership("night-42", "job 12")),
        (Settings(parts=4), SLICE, Membership("awx-7", "job 12", 4)),
        (Settings(group="night-42"), SLICE, Membership("night-42", "job 12")),
        (Settings(), {**SLICE, "awx_workflow_job_name": "nightly"}, None),
        (Settings(), {"awx_workflow_job_id": 7}, None),
    ],
)
def test_the_group_of_a_run(settings: Settings, extra_vars: dict[str, Any], expected: Membership | None):
    assert find_membership(settings, extra_vars) == expected


@pytest.mark.parametrize("group", ["../up", "a b", "-x", "x" * 101, ".hidden"])
def test_an_id_that_cannot_be_that_of_a_run(group: str):
    with pytest.raises(UsageError, match="expected at most 100 letters, digits"):
        find_membership(Settings(group=group), {})


def begun(*plays: Any) -> dict[str, Any]:
    run = begin_run(plays, Settings(group="g", parts=2), means(an_inventory()))
    [record] = JournalReader(run.path).records()
    assert record
    return record


def test_a_part_knows_the_hosts_of_the_whole_inventory():
    variables = an_inventory()
    variables._inventory.subset("r1")
    made = play(task(1, {"name": "a"}, {"name": "b", "hosts": "odd"}), variables=variables)
    run = begin_run([made], Settings(group="g"), means(variables))
    [record] = JournalReader(run.path).records()
    assert record
    assert record["hosts"] == ["r1"]
    assert record["group"] == {
        "id": "g",
        "part": run.run_id,
        "info": {"whole": {"hosts": [["r1", "r2", "r3"], ["r1", "r3"]], "steps": {"a": 0, "b": 1}}},
    }


def test_a_part_with_all_hosts_does_not_name_them_twice():
    assert begun(play(task(1, {"name": "a"})))["group"]["info"] == {"parts": 2}


def test_a_part_without_hosts_says_so_in_its_journal():
    with pytest.raises(EmptyPartError, match="no host matches in this part of the group g") as caught:
        begun(play(task(1, {"name": "a"}), hosts="none"))
    first, end = JournalReader(caught.value.run.path).records()
    assert first
    assert end
    assert (first["hosts"], first["group"]["id"]) == ([], "g")
    assert (end["kind"], end["exit_code"]) == ("end", 2)


@pytest.mark.parametrize(
    ("steps", "about", "problem"),
    [
        ([{"name": "a", "scope": "run"}], {}, r"step a runs once for the run \(scope: run\)"),
        (
            [{"name": "a"}, {"name": "b", "depends_on": [{"step": "a", "hosts": "all"}]}],
            {},
            "step b depends on a on other hosts",
        ),
        (
            [{"name": "a", "hosts": "odd"}, {"name": "b", "depends_on": ["a"]}],
            {},
            "step b depends on a on other hosts",
        ),
        (
            [{"name": "a", "args": {"x": "${fan.rpm_v1@median}"}}],
            {},
            r"step a reads keys of other hosts \(fan.rpm_v1\)",
        ),
        ([{"name": "a"}], {"canary": {"count": 1}}, "its canary would be one of each part"),
    ],
)
def test_a_recipe_that_needs_all_hosts_is_refused(steps: list[dict[str, Any]], about: dict[str, Any], problem: str):
    with pytest.raises(UsageError, match=rf"cannot be run in parts \(group g\): {problem}; let the parts meet at a"):
        begun(play(task(1, *steps), about={**ABOUT, **about}))


def test_hosts_of_a_step_that_only_another_part_has_are_no_warning():
    made = play(task(1, {"name": "a", "hosts": "r1:r9"}))
    for group, number in (("g", 0), ("", 1)):
        assert len(begin_run([made], Settings(group=group), means(an_inventory())).inputs.warnings) == number


@pytest.mark.parametrize("server", ["", "unix:///nowhere/ctx.sock"])
def test_tests_between_hosts_are_refused_also_where_parts_meet(server: str):
    made = play(task(1, {"name": "a", "scope": "pair"}))
    with pytest.raises(UsageError, match=r"in parts \(group g\): a \(scope: pair\) tests hosts against each other"):
        begin_run([made], Settings(group="g", parts=2, server=server), means(an_inventory()))


def test_a_lock_that_hosts_share_is_refused():
    made = task(1, {"name": "a"})
    made.args["locks"] = {"pdu": {"name": "pdu", "of": "run"}}
    with pytest.raises(UsageError, match="other parts do not see who holds the lock pdu"):
        begun(play(made))


def test_parts_that_meet_say_how_many_they_are():
    made = play(task(1, {"name": "a", "scope": "run"}))
    with pytest.raises(UsageError, match=r"needs the other parts of the group g: say how many parts there are"):
        begin_run([made], Settings(group="g", server="ctx.sock"), means(an_inventory()))


def test_a_recipe_that_needs_no_other_hosts_needs_no_server():
    run = begin_run([play(task(1, {"name": "a"}))], Settings(group="g", server="none.sock"), means(an_inventory()))
    assert run.meeting is None


def test_what_a_host_does_alone_is_allowed():
    steps = [{"name": "a"}, {"name": "b", "hosts": "odd", "depends_on": ["a"]}]
    assert begun(play(task(1, *steps)))["group"]["id"] == "g"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"name": "b", "depends_on": ["a"]}, {}),
        ({"name": "b", "depends_on": [{"step": "a", "hosts": "same"}]}, {}),
        ({"name": "b", "depends_on": [{"step": "a", "hosts": "all"}]}, {2: GroupStage()}),
        ({"name": "b", "depends_on": [{"step": "a", "quorum": "80%"}]}, {2: GroupStage()}),
        ({"name": "b", "depends_on": ["odd"]}, {2: GroupStage()}),
        ({"name": "b", "hosts": "odd", "depends_on": ["odd"]}, {}),
        ({"name": "b", "args": {"x": "${fan.rpm_v1@median}"}}, {2: GroupStage()}),
        ({"name": "b", "scope": "run", "always": True}, {2: GroupStage(is_once=True, is_closing=True)}),
    ],
)
def test_where_parts_meet_depends_on_the_recipe_alone(step: dict[str, Any], expected: dict[int, GroupStage]):
    """Each slice of AWX has an inventory of its own, and all must meet before the same stages."""
    first = task(1, {"name": "a"}, {"name": "odd", "hosts": "odd"})
    assert meeting_stages([play(first, task(2, step))]) == expected


def test_a_step_of_the_run_is_known_to_all_parts():
    steps = ({"name": "total", "scope": "run"}, {"name": "b", "depends_on": ["total"]})
    assert meeting_stages([play(*(task(number, step) for number, step in enumerate(steps, 1)))]) == {
        1: GroupStage(is_once=True)
    }
