# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import time
from itertools import combinations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor import stage_run
from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import NEVER, HostLocks, Scheduler
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import python


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


LABEL = {ord("["): "_", ord("]"): None}  # an instance's name is none of a key


class Span(Scriptlet):
    """Keeps when it ran."""

    def run(self, ctx, params):
        started = time.monotonic()
        time.sleep(params.get("seconds", 0.1))
        ctx.set(f"{ctx.step.translate(LABEL)}.span_v1", [started, time.monotonic()])


def span(name, *locks, **fields):
    return python(Span, name, locks=list(locks), **{"parallel": True, **fields})


def spans(ran):
    assert set(ran.verdicts.values()) == {"passed"}
    return {delta["step"]: delta["after"] for delta in ran.deltas}


def overlap(one, other):
    return one[0] < other[1] and other[0] < one[1]


def run(work, *steps, **locks):
    return spans(
        work.run(*steps, locks={name: dict(zip(("capacity", "settle_sec"), lock)) for name, lock in locks.items()})
    )


def test_who_holds_what():
    locks = HostLocks({"pdu": {"capacity": 2, "settle_sec": 0}, "fan": {}})
    one = {"locks": ["pdu", "fan", "rack"]}
    assert locks.missing(one) == ""
    locks.acquire(one)
    assert (locks.missing(one), locks.missing({"locks": ["pdu"]}), locks.missing({})) == ("fan", "", "")
    assert (locks.are_settling, locks.due) == (False, NEVER)
    locks.release(one)
    assert locks.are_settling
    assert sorted(locks.freed()) == ["fan", "pdu"]
    assert locks.missing(one) == ""


def test_a_resource_has_to_settle(monkeypatch):
    locks = HostLocks({"pdu": {"capacity": 1, "settle_sec": 20}})
    step = {"locks": ["pdu"]}
    locks.acquire(step)
    before = time.monotonic()
    locks.release(step)
    after = time.monotonic()
    assert (list(locks.freed()), locks.missing(step)) == ([], "pdu")
    assert before + 20 <= locks.due <= after + 20
    monkeypatch.setattr(time, "monotonic", lambda: after + 20)
    assert (list(locks.freed()), locks.missing(step)) == (["pdu"], "")


def test_steps_of_one_resource_do_not_overlap(work):
    times = run(work, *(span(name, "pdu") for name in "abc"), pdu=(1, 0))
    assert not any(overlap(*pair) for pair in combinations(times.values(), 2))
    assert list(times) == ["a", "b", "c"]


def test_no_more_hold_a_resource_than_it_has_room_for(work):
    steps = [span(name, "pdu", args={"seconds": 0.2}) for name in "abcde"]
    times = spans(work.run(*steps, locks={"pdu": {"capacity": 2}}, slots=9))
    begins = [begin for begin, _end in times.values()]
    assert max(sum(begin <= moment < end for begin, end in times.values()) for moment in begins) == 2


def test_others_go_first_while_one_waits_for_a_resource(work):
    times = run(
        work,
        span("a", "pdu", args={"seconds": 2}),
        span("b", "pdu"),
        span("c"),
        span("d", "fan"),
        pdu=(1, 0),
        fan=(1, 0),
    )
    assert overlap(times["a"], times["c"])
    assert overlap(times["a"], times["d"])
    assert times["b"][0] >= times["a"][1]


def test_a_settle_time_is_kept_between_steps_that_run_alone(work):
    times = run(work, span("a", "pdu", parallel=False), span("b", "pdu", parallel=False), pdu=(1, 0.4))
    assert times["b"][0] - times["a"][1] >= 0.4


def test_who_needs_it_not_does_not_wait_for_it_to_settle(work):
    started = time.monotonic()
    times = run(work, span("a", "pdu"), span("b", "pdu"), span("c", depends_on=["a"]), pdu=(1, 0.5))
    assert times["c"][0] < times["b"][0]
    assert times["b"][0] - times["a"][1] >= 0.5
    assert time.monotonic() - times["b"][1] >= 0.4  # the stage leaves its resources settled
    assert time.monotonic() - started < 60


def test_nothing_overtakes_a_step_that_runs_alone_and_waits(work):
    times = run(work, span("a", "pdu", parallel=False), span("b", "pdu", parallel=False), span("c"), pdu=(1, 0.3))
    assert times["a"][1] <= times["b"][0] <= times["b"][1] <= times["c"][0]


def test_several_resources_are_taken_at_once(work):
    steps = [span("a", "x", "y"), span("b", "y", "x"), span("c", "x"), span("d", "y")]
    times = run(work, *steps, x=(1, 0), y=(1, 0))
    pairs = [pair for pair in combinations("abcd", 2) if pair != ("c", "d")]
    assert not any(overlap(times[one], times[other]) for one, other in pairs)


def test_a_resource_is_held_over_all_tries_and_instances_take_turns(work):
    flaky = '[ -e tried ] && echo \'{"status":"ok"}\'; touch tried'
    retried = work.script(flaky, "a", locks=["pdu"], parallel=True, retry={"max": 2, "delay_sec": 0.3})
    ran = work.run(retried, span("b", "pdu", loop=[1, 2]), locks={"pdu": {"capacity": 1}})
    assert ran.verdicts == {"a": "passed", "b[1]": "passed", "b[2]": "passed", "b": "passed"}
    assert [record["step"] for record in ran.records if record["kind"] == "step"] == ["a", "b[1]", "b[2]", "b"]
    times = {delta["step"]: delta["after"] for delta in ran.deltas}
    assert not overlap(times["b[1]"], times["b[2]"])


def test_what_is_taken_elsewhere_is_not_waited_for(work):
    assert list(run(work, span("a", "rack"), span("b", "rack"))) != []


def test_a_blocked_step_needs_no_resource(work):
    bad = work.script("exit 1", "bad", parallel=True)
    ran = work.run(
        bad,
        span("a", "pdu", args={"seconds": 0.5}),
        span("b", "pdu", depends_on=["bad"]),
        locks={"pdu": {"capacity": 1}},
    )
    assert [record["step"] for record in ran.records if record["kind"] == "step"] == ["bad", "b", "a"]


def test_without_a_controller_nobody_waits_for_a_resource_to_settle(work, monkeypatch):
    monkeypatch.setattr(stage_run, "TICK", 0.05)
    started = time.monotonic()
    locks = {"pdu": {"capacity": 1, "settle_sec": 600}}
    ran = work.run(span("a", "pdu"), span("b", "pdu"), locks=locks, alive=lambda: time.monotonic() < started + 1)
    assert ran.verdicts == {"a": "passed", "b": "error"}
    assert time.monotonic() - started < 60
