# SPDX-License-Identifier: GPL-3.0-or-later

"""What compiled plays plan, from Ansible's own plays."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import an_inventory, means, play, task
from rack_recipes.errors import UsageError
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.plan.compile.action_names import FLUSH
from rack_recipes.run.recorder.play_outline import checkpoints, is_checkpoint, outline, select_by_tags, stage_tasks

ALL = ("r1", "r2", "r3")


def test_the_stage_tasks_of_a_play_in_all_its_blocks():
    stages = [task(1, {"name": "a"}), task(2, {"name": "b"})]
    assert stage_tasks(play(stages[0], task(0, action="ansible.builtin.debug"), stages[1])) == stages
    assert stage_tasks(play()) == []


def planned(*plays: Any) -> Any:
    return outline(plays, means().resolve)


def test_steps_with_all_that_a_run_has_to_know_of_them():
    step = {"name": "b", "idx": 3, "hosts": "odd", "continue_on_fail": True, "args": {"x": "${fan.rpm_v1@r2}"}}
    cached = [{"name": "c", "cache_key": "k"}, {"name": "d", "cache_key": {"key": "k", "expires_sec": 5}}]
    found = planned(play(task(1, {"name": "a"}, step, *cached), task(2, {"name": "total", "scope": "run"})))
    assert tuple(found.hosts) == ALL
    assert found.steps == {
        "a": RunStep("a", 1, 0, "host", ALL),
        "b": RunStep("b", 1, 3, "host", ("r1", "r3"), frozenset({"fan.rpm_v1"}), optional=True),
        "c": RunStep("c", 1, 0, "host", ALL, cache_key="k"),
        "d": RunStep("d", 1, 0, "host", ALL, cache_key="k", expires_sec=5),
        "total": RunStep("total", 2, 0, "run", ("",)),
    }
    assert found.left_out == []


def test_a_stage_of_the_canary_and_of_the_other_hosts_is_one():
    stages = [task(1, {"name": "a"}, {"name": "b", "hosts": "r1"}) for _play in range(2)]
    found = planned(play(stages[0], hosts="r3"), play(stages[1], hosts="all:!r3"))
    assert tuple(found.hosts) == ("r3", "r1", "r2")
    assert {name: step.hosts for name, step in found.steps.items()} == {"a": ("r3", "r1", "r2"), "b": ("r1",)}


@pytest.mark.parametrize("hosts", ["r3", "all"])
def test_a_stage_that_stands_twice_for_a_host_is_refused(hosts: str):
    step = {"name": "a", "args": {"target": "{{ target }}"}}
    plays = (play(task(1, step), hosts="r3"), play(task(1, step), hosts=hosts))
    with pytest.raises(UsageError, match=r"^the stage 1 \(a\) stands twice for r3, and a run has each step once: "):
        planned(*plays)
    with pytest.raises(UsageError, match="stands twice for r1"):
        planned(play(task(1, step), task(1, step)))


def test_a_step_that_two_stages_have_is_refused():
    first, second = task(1, {"name": "disk"}), task(2, {"name": "disk"})
    first.get_path, second.get_path = (lambda: f"{Path.cwd()}/site.yml:4"), (lambda: "/x/more.yml:9")
    with pytest.raises(UsageError) as caught:
        planned(play(first, hosts="r1"), play(second, hosts="r2"))
    assert str(caught.value) == (
        "two stages have a step disk, and a run has each step once: give the second another name "
        "(site.yml:4: stage 1; /x/more.yml:9: stage 2)"
    )
    second._role = SimpleNamespace(get_name=lambda: "x.y.part")
    with pytest.raises(UsageError, match=r"each step once: use the role x.y.part in another `ansible-playbook` \(site"):
        planned(play(first), play(second))
    with pytest.raises(UsageError, match=r"^two stages have the number 1, those of disk and fan: give each its own$"):
        planned(play(task(1, {"name": "disk"}), task(1, {"name": "fan"})))
    with pytest.raises(UsageError, match=r"^the stage 1 has two steps a: give one another name$"):
        planned(play(task(1, {"name": "a"}, {"name": "a"})))


@pytest.mark.parametrize(
    ("words", "shown", "instead"),
    [
        ({"loop": [1, 2]}, "loop", "loop"),
        ({"loop": [1, 2], "loop_with": "items"}, "with_items", "loop"),
        ({"until": ["x is succeeded"]}, "until", "retry"),
        ({"retries": 2}, "retries", "retry"),
    ],
)
def test_a_stage_that_would_run_several_times_is_refused(words: dict[str, Any], shown: str, instead: str):
    stage = task(1, {"name": "a"}, {"name": "b"})
    for word, value in words.items():
        setattr(stage, word, value)
    text = f"^the stage of a, b has `{shown}`, but a stage runs once: give its steps a `{instead}` of their own"
    with pytest.raises(UsageError, match=text):
        planned(play(stage))


def test_a_role_that_is_used_twice_for_a_host_says_what_helps() -> None:
    both = [task(1, {"name": "a"}), task(1, {"name": "a"})]
    for each in both:
        each._role = SimpleNamespace(get_name=lambda: "x.y.part")
    with pytest.raises(UsageError, match=r"^the role x.y.part is used twice for r1, .* other hosts$"):
        planned(play(*both))
    planned(play(both[0], hosts="r1"), play(both[1], hosts="r2"))


def test_a_role_that_two_others_need_is_one():
    same = task(1, {"name": "a"})
    assert [*planned(play(same, same)).steps] == ["a"]


def test_plays_after_one_another_make_one_plan():
    closing = play(task(3, {"name": "close", "always": True}))
    found = planned(play(task(1, {"name": "a"})), play(task(2, {"name": "b"}), hosts="all"), closing)
    assert [(step.name, step.stage) for step in found.steps.values()] == [("a", 1), ("b", 2), ("close", 3)]


def test_steps_for_none_of_the_hosts_are_left_out():
    found = planned(play(task(1, {"name": "a", "hosts": "r9"}, {"name": "b"})), play(task(2, {"name": "c"}), hosts="x"))
    assert found.left_out == ["a", "c"]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"number": 1, "steps": []},
        {"number": "1", "steps": [{"name": "a", "module": "x"}]},
        {"number": 1, "steps": "{{ steps }}"},
        {"number": 1, "steps": ["a"]},
        {"number": 1, "steps": [{"name": "a"}]},
        {"number": 1, "steps": [{"name": "a", "module": "x"}], "locks": ["pdu"]},
    ],
)
def test_a_task_that_is_no_stage(arguments: dict[str, Any]):
    stage = task(1)
    stage.args = arguments
    with pytest.raises(UsageError, match="a stage needs its number and its steps, as a compiled recipe has them"):
        planned(play(stage))


def test_a_field_that_no_step_has():
    stage = task(1)
    stage.args = {"number": 1, "steps": [{"name": "a", "module": "x", "retry": {"max": 3, "delay": 1}}]}
    with pytest.raises(UsageError) as caught:
        planned(play(stage))
    assert str(caught.value) == "step 'a', retry: expected a known field, got 'delay' (did you mean 'delay_sec'?)"


def test_the_hosts_that_a_step_needs_others_on():
    needs = [
        "a",
        {"step": "b", "hosts": "odd"},
        {"step": "c", "hosts": "all", "quorum": 2},
        {"step": "d", "hosts": "x"},
    ]
    found = planned(play(task(1, {"name": "z", "depends_on": needs})))
    assert found.patterns == {"odd": frozenset({"r1", "r3"}), "x": frozenset()}


def test_all_batches_are_one_run():
    """Ansible restricts its inventory to the batch that starts, and to --limit."""
    variables = an_inventory()
    resolve = means(variables).resolve
    variables._inventory.restrict_to_hosts([variables._inventory.get_host("r1")])
    assert resolve("all") == [*ALL]
    variables._inventory.subset("odd")
    assert resolve("all") == ["r1", "r3"]


def test_hosts_may_be_a_template():
    from ansible.template import trust_as_template

    assert means(an_inventory(target="odd")).resolve(trust_as_template("{{ target }}")) == ["r1", "r3"]


def test_the_hosts_of_a_step_may_be_one_too():
    from ansible.template import trust_as_template

    made = play(task(1, {"name": "a", "hosts": trust_as_template("{{ wanted }}")}))
    assert outline([made], means(an_inventory(wanted="odd")).resolve).steps["a"].hosts == ("r1", "r3")


COMPILED = ["a", "b", "slow", "x", "c", "rare"]  # what the task of a compiled stage has for these steps
STEPS = ({"name": "a"}, {"name": "b", "tags": ["slow", "x"]}, {"name": "c", "tags": ["never", "rare"]})


@pytest.mark.parametrize(
    ("only", "skip", "left_out", "tags"),
    [
        (("all",), (), {"c"}, ["a", "b", "slow", "x"]),
        (("slow",), (), {"a", "c"}, ["b", "slow", "x"]),
        (("c",), (), {"a", "b"}, ["c", "never", "rare"]),
        (("rare", "a"), (), {"b"}, ["a", "c", "never", "rare"]),
        (("all",), ("slow",), {"b", "c"}, ["a"]),
        (("nothing",), (), {"a", "b", "c"}, COMPILED),
    ],
)
def test_tags_select_steps(only: tuple[str, ...], skip: tuple[str, ...], left_out: set[str], tags: list[str]):
    stage = task(1, *STEPS)
    stage.tags = COMPILED
    assert set(select_by_tags(play(stage, only=only, skip=skip))) == left_out
    assert stage.tags == tags


@pytest.mark.parametrize(
    ("given", "only", "skip", "left_out"),
    [
        (["never", "rare"], ("all",), (), {"a", "b"}),
        (["never", "rare"], ("all",), ("rare",), {"a", "b"}),
        (["never", "rare"], ("rare",), (), set()),
        (["never", "a", "b"], ("all",), (), {"a", "b"}),
        (["second"], ("second",), (), set()),
        (["second"], ("all",), ("second",), {"a", "b"}),
        (["second"], ("slow",), (), {"a"}),
        (["a"], ("all",), ("a",), {"a", "b"}),
        (["always"], ("other",), (), set()),
    ],
)
def test_the_tags_that_a_stage_was_given_hold_for_all_of_its_steps(
    given: list[str], only: tuple[str, ...], skip: tuple[str, ...], left_out: set[str]
):
    """As those of a block do."""
    stage = task(1, {"name": "a"}, {"name": "b", "tags": ["slow"]})
    stage.tags = given
    whole = play(stage, only=only, skip=skip)
    assert set(select_by_tags(whole)) == left_out
    assert stage.evaluate_tags(only, skip, {}) == (left_out != {"a", "b"})


def test_a_step_with_the_name_of_a_tag_of_ansible_runs():
    stage = task(1, {"name": "a"}, {"name": "never"})
    stage.tags = ["a"]
    assert not set(select_by_tags(play(stage)))
    assert stage.tags == ["a"]


def test_what_stands_or_is_included_before_the_last_stage_is_a_checkpoint():
    first, second, rescue, last = (task(0, action=FLUSH) for _place in range(4))
    plays = [play(first, task(1, {"name": "a"}), second), play(task(2, {"name": "b"}), last)]
    plays[0].tasks[0].rescue = [rescue]
    before = checkpoints(plays)
    assert [is_checkpoint(each, before) for each in (first, second, rescue, last)] == [True, True, True, False]
    included = task(0, action=FLUSH)
    included._parent = first.copy()
    assert is_checkpoint(included, before)
    assert first._uuid in checkpoints([plays[0].copy()])
    assert checkpoints([play(last)]) == frozenset()
