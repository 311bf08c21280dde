# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from rack_recipes.cli.running.duration_forecast import ExpectedDuration, HostSlots, batches_of, forecast, seconds_of
from rack_recipes.errors import Place
from rack_recipes.plan.plan_model import Plan, Stage
from rack_recipes.recipe.recipe_model import Recipe, Step, TestMeta

HOSTS = ("r1", "r2")


def planned(name: str, *, parallel: bool = False) -> Step:
    return Step(1, name, "python", "m", Place("r.yml"), parallel=parallel)


def plan_with(*stages: Stage, serial: tuple[int | str, ...] = ()) -> Plan:
    steps = tuple(step for stage in stages for step in stage.steps)
    return Plan(Recipe("r.yml", "sha256:0", TestMeta("T"), steps, serial=serial), stages)


def room(plan: Plan, hosts: tuple[str, ...] = HOSTS, slots: int = 1, forks: int = 64) -> HostSlots:
    return HostSlots({step.name: hosts for step in plan.steps}, (), slots, forks)


def test_steps_of_a_host_follow_each_other_and_hosts_do_not():
    plan = plan_with(Stage(1, "host", "", (planned("a"), planned("b"))))
    known = {("a", "r1"): 1.0, ("b", "r1"): 2.0, ("a", "r2"): 4.0, ("b", "r2"): 0.5}
    assert forecast(plan, known, room(plan)) == [ExpectedDuration(1, HOSTS, 4.5, ())]


def test_parallel_steps_share_the_slots():
    plan = plan_with(Stage(1, "host", "", (*(planned(name, parallel=True) for name in "abcd"), planned("e"))))
    known = {(name, "r1"): 1.0 for name in "abcde"}
    assert forecast(plan, known, room(plan, ("r1",), slots=2))[0].seconds == 3.0
    assert forecast(plan, {**known, ("a", "r1"): 9.0}, room(plan, ("r1",), slots=4))[0].seconds == 10.0


def test_batches_follow_each_other():
    stage = Stage(1, "host", "", (planned("a"),))
    known = {("a", host): 1.0 for host in HOSTS}
    plan = plan_with(stage, serial=(1,))
    assert forecast(plan, known, room(plan))[0].seconds == 2.0
    wide = plan_with(Stage(1, "host", "", (planned("a"),), wide=True), serial=(1,))
    assert forecast(wide, known, room(wide))[0].seconds == 1.0


def test_more_hosts_than_forks():
    hosts = tuple(f"r{number}" for number in range(10))
    plan = plan_with(Stage(1, "host", "", (planned("a"),)))
    few = room(plan, hosts, forks=5)
    assert forecast(plan, {("a", "r0"): 1.0}, few)[0].seconds == 2.0
    assert forecast(plan, {("a", "r0"): 1.0}, replace(few, together=[1]))[0].seconds == 1.0


def test_what_was_never_run_and_what_does_not_run():
    plan = plan_with(Stage(1, "host", "", (planned("a"), planned("new"), planned("left"))))
    where = HostSlots({"a": HOSTS, "new": HOSTS, "left": ()})
    assert forecast(plan, {("a", "r1"): 1.0, ("left", "r1"): 9.0}, where) == [ExpectedDuration(1, HOSTS, 2.0, ("new",))]


def test_a_host_that_is_new_takes_as_long_as_the_others():
    known = {("a", "r1"): 1.0, ("a", "r2"): 3.0, ("b", "r1"): 9.0}
    assert seconds_of("a", "r2", known) == 3.0
    assert seconds_of("a", "r9", known) == 2.0
    assert seconds_of("c", "r1", known) is None


@pytest.mark.parametrize(
    ("serial", "canary", "sizes"),
    [
        ((), (), [10]),
        ((4,), (), [4, 4, 2]),
        ((1, 3), (), [1, 3, 3, 3]),
        (("25%",), (), [2, 2, 2, 2, 2]),
        (("1%",), (), [1] * 10),
        (("100%",), (), [10]),
        ((), ("h3",), [1, 9]),
        ((4,), ("h0", "h1"), [2, 4, 4]),
        ((), tuple(f"h{number}" for number in range(10)), [10]),
    ],
)
def test_batches(serial: tuple[int | str, ...], canary: tuple[str, ...], sizes: list[int]):
    hosts = [f"h{number}" for number in range(10)]
    found = batches_of(serial, hosts, canary)
    assert [len(batch) for batch in found] == sizes
    assert sorted(host for batch in found for host in batch) == hosts
    assert not canary or found[0] == canary


def test_no_hosts():
    plan = plan_with(Stage(1, "host", "", (planned("a"),)))
    assert forecast(plan, {("a", "r1"): 1.0}, room(plan, ())) == [ExpectedDuration(1, (), 0.0, ())]
