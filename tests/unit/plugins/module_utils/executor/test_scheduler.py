# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Scheduler


def step(name, *depends_on, after=(), parallel=True):
    return {"name": name, "depends_on": list(depends_on), "after": list(after), "parallel": parallel}


def alone(name, *depends_on):
    return step(name, *depends_on, parallel=False)


def offered(schedule):
    """All steps that can be taken now, in the order offered."""
    names = []
    while schedule.next() is not None:
        names.append(schedule.pop()["name"])
    return names


def test_independent_steps_come_in_the_order_of_the_plan():
    assert offered(Scheduler([step("b"), step("a"), step("c")])) == ["b", "a", "c"]


def test_a_step_waits_for_what_it_depends_on():
    schedule = Scheduler([step("a"), step("b", "a"), step("c", "a", "b"), step("d")])
    assert offered(schedule) == ["a", "d"]
    schedule.end("a")
    assert offered(schedule) == ["b"]
    schedule.end("b")
    assert offered(schedule) == ["c"]
    assert not schedule.waiting


def test_an_order_is_kept_like_a_dependency():
    schedule = Scheduler([step("a"), step("b", after=["a"])])
    assert offered(schedule) == ["a"]
    schedule.end("a")
    assert offered(schedule) == ["b"]


def test_what_is_not_of_this_stage_is_not_waited_for():
    assert offered(Scheduler([step("a", "earlier", after=["before"])])) == ["a"]


def test_a_need_that_is_named_twice_is_waited_for_once():
    schedule = Scheduler([step("a"), step("b", "a", "a", after=["a"])])
    offered(schedule)
    schedule.end("a")
    assert offered(schedule) == ["b"]


def test_nothing_overtakes_a_step_that_runs_alone():
    schedule = Scheduler([step("a"), alone("b", "a"), step("c")])
    assert offered(schedule) == ["a"]
    schedule.end("a")
    assert offered(schedule) == ["b", "c"]


def test_a_parallel_step_overtakes_one_that_waits():
    schedule = Scheduler([step("a"), step("b", "a"), step("c")])
    assert offered(schedule) == ["a", "c"]


def test_what_waits_for_itself_is_never_offered():
    schedule = Scheduler([step("a", "b"), step("b", "a"), alone("c", "c")])
    assert offered(schedule) == []
    assert [dropped["name"] for dropped in schedule.drop()] == ["a", "b", "c"]
    assert (schedule.next(), schedule.waiting) == (None, {})


def test_ends_after_a_drop_offer_nothing():
    schedule = Scheduler([step("a"), step("b", "a")])
    schedule.pop()
    schedule.drop()
    schedule.end("a")
    schedule.end("b")
    assert schedule.next() is None


def test_instances_come_in_the_place_of_their_step():
    schedule = Scheduler([step("a"), step("b"), step("c", "a")])
    schedule.expand(schedule.pop(), [step("a[1]"), step("a[2]")])
    assert offered(schedule) == ["a[1]", "a[2]", "b"]
    schedule.end("a")
    assert offered(schedule) == ["c"]


def test_instances_of_a_step_that_runs_alone_run_alone():
    schedule = Scheduler([alone("a"), alone("b"), step("c")])
    schedule.expand(schedule.pop(), [alone("a[1]"), alone("a[2]")])
    assert schedule.next()["name"] == "a[1]"
    assert offered(schedule) == ["a[1]", "a[2]", "b", "c"]


def test_a_parked_step_is_overtaken_until_there_is_more():
    schedule = Scheduler([step("a"), step("b"), step("c"), step("d", "b")])
    assert schedule.pop()["name"] == "a"
    schedule.park("pdu")
    assert offered(schedule) == ["c"]
    schedule.unpark("fan")
    assert offered(schedule) == []
    schedule.unpark("pdu")
    assert offered(schedule) == ["b"]


def test_a_parked_step_that_runs_alone_is_not_overtaken():
    schedule = Scheduler([alone("a"), step("b")])
    schedule.park("pdu")
    assert offered(schedule) == []
    schedule.unpark("pdu")
    assert offered(schedule) == ["a", "b"]


def test_a_parked_step_is_dropped_with_the_others():
    schedule = Scheduler([step("a"), step("b")])
    schedule.park("pdu")
    assert [dropped["name"] for dropped in schedule.drop()] == ["a", "b"]
    schedule.unpark("pdu")
    assert schedule.next() is None


@pytest.mark.parametrize("seed", range(20))
def test_every_step_comes_once_and_after_all_it_needs(seed):
    dice = random.Random(seed)
    names = [f"s{number}" for number in range(200)]
    steps = [
        step(name, *dice.sample(names[:at], min(at, dice.randrange(4))), parallel=dice.random() < 0.8)
        for at, name in enumerate(names)
    ]
    schedule, ended, running = Scheduler(steps), [], []
    while schedule.waiting or running:
        found = schedule.next()
        if found is not None and (not running or (found["parallel"] and all(each["parallel"] for each in running))):
            assert set(found["depends_on"]) <= set(ended)
            running.append(schedule.pop())
        else:
            last = running.pop(dice.randrange(len(running)))
            ended.append(last["name"])
            schedule.end(last["name"])
    assert sorted(ended) == sorted(names)


@pytest.mark.parametrize("parallel", [True, False])
def test_the_cost_of_a_step_does_not_grow(parallel):
    started = time.process_time()
    names = [f"s{number}" for number in range(50_000)]
    steps = [step(name, *names[at - 1 : at], parallel=parallel) for at, name in enumerate(names) if at]
    schedule = Scheduler([step(names[0]), *steps])
    for name in names:
        assert schedule.next()["name"] == name
        schedule.pop()
        schedule.end(name)
    assert time.process_time() - started < 5  # about 0.3; with a look at all that wait it would take an hour
