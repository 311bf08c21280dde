# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import combinations
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from rack_recipes.errors import Place
from rack_recipes.plan import cut_stages as stages_of
from rack_recipes.plan.cut_stages import CUTS, Group
from rack_recipes.plan.dependency_graph import templates_of
from rack_recipes.recipe.recipe_model import Dependency, KeyUsage, Repeat, Retry, Step, Success
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry

ENTRY = ScriptletEntry("t.step", "shell", Path("scriptlets/t/step.sh"), "scriptlets/t/step.sh", "project")
LOOKUP = "{{ lookup('rack.recipes.context', 'a_v1') }}"
FIRST = "is the first"
cut_into_stages = partial(stages_of.cut_into_stages, shared=("pdu", "x", "psu"))


def planned(name: str, *needs: str | Dependency, **fields: object) -> Step:
    """A step that writes `w_v1` unless it says otherwise."""
    own: dict[str, Any] = {"writes": ("w_v1",), "elsewhere": (), "entry": ENTRY, **fields}
    keys = KeyUsage(frozenset(), frozenset(own.pop("writes")), frozenset(own.pop("elsewhere")))
    needed = tuple(need if isinstance(need, Dependency) else Dependency(need) for need in needs)
    step = Step(1, name, "shell", "t.step", Place("r.yml"), depends_on=needed, **own)
    return replace(step, keys=replace(keys, templates=templates_of(step)))


def run_step(name: str, *needs: str | Dependency, **fields: object) -> Step:
    return planned(name, *needs, scope="run", **fields)


def module(name: str) -> Step:
    return planned(name, entry=None)


def holding(name: str, *locks: str) -> Step:
    return planned(name, locks=locks)


def asking(name: str, *keys: str, **fields: object) -> Step:
    return planned(name, elsewhere=keys, **fields)


def looking_up(name: str, text: object) -> Step:
    return planned(name, args={"x": text})


MIN = {"value": LOOKUP, "min": 1}
CASES: list[tuple[list[Step], list[str]]] = [
    ([planned("a")], [FIRST]),
    ([planned("a"), planned("b", "a"), planned("c", hosts="leafs")], [FIRST]),
    ([run_step("a"), run_step("b")], [FIRST]),
    ([planned("a"), run_step("b"), run_step("c")], [FIRST, "runs once for the run"]),
    ([run_step("a"), planned("b"), planned("c")], [FIRST, "runs on every host again"]),
    # dependencies
    ([planned("a", hosts="x"), planned("b", "a", hosts="x")], [FIRST]),
    ([planned("a"), planned("b", "a", hosts="x")], [FIRST]),
    ([planned("a", hosts="x"), planned("b", "a")], [FIRST, "needs a step of other hosts"]),
    ([planned("a", hosts="x"), planned("b", "a", hosts="y")], [FIRST, "needs a step of other hosts"]),
    ([planned("a", hosts="x"), planned("b"), planned("c", "b", hosts="y")], [FIRST]),
    ([planned("a"), planned("b", Dependency("a", "all"))], [FIRST, "needs a on all hosts"]),
    ([planned("a"), planned("b", Dependency("a", "leafs"))], [FIRST, "needs a on leafs"]),
    ([planned("a"), planned("b", Dependency("a", "all", "80%"))], [FIRST, "needs a on 80% of all hosts"]),
    ([run_step("a"), run_step("b", Dependency("a", quorum=3))], [FIRST, "needs a on 3 of all hosts"]),
    (
        [planned("a"), run_step("b"), planned("c", Dependency("a", "all")), planned("d", Dependency("a", "all"))],
        [FIRST, "runs once for the run", "runs on every host again"],
    ),
    # keys of other hosts
    ([planned("a", writes=("a_v1",)), asking("b", "a_v1")], [FIRST, "reads other hosts' keys"]),
    ([planned("a", writes=("b_v1",)), asking("b", "a_v1")], [FIRST]),
    ([planned("a", writes=()), asking("b", "a_v1")], [FIRST, "reads other hosts' keys"]),
    (
        [planned("a", writes=("a_v1",)), run_step("b"), planned("c", writes=()), asking("d", "a_v1"), planned("e")],
        [FIRST, "runs once for the run", "runs on every host again"],
    ),
    ([run_step("a", writes=("a_v1",)), run_step("b", elsewhere=("a_v1",))], [FIRST]),
    ([asking("a", "a_v1"), planned("b", writes=("a_v1",))], [FIRST, "writes what other hosts read"]),
    ([asking("a", "a_v1"), planned("b", writes=("b_v1",))], [FIRST]),
    # templates
    ([planned("a", writes=("a_v1",)), looking_up("b", "{{ inventory_hostname }}")], [FIRST]),
    ([planned("a", writes=("b_v1",)), looking_up("b", [LOOKUP])], [FIRST]),
    (
        [planned("a", writes=("a_v1",)), looking_up("b", {"y": (LOOKUP,)}), planned("c")],
        [FIRST, "uses a template over the context"],
    ),
    ([planned("a", writes=()), looking_up("b", LOOKUP)], [FIRST, "uses a template over the context"]),
    (
        [planned("a"), looking_up("b", "{{ ansible_facts.rack_recipes }}")],
        [FIRST, "uses a template over the context"],
    ),
    *(
        ([planned("a", writes=("a_v1",)), planned("b", **fields)], [FIRST, "uses a template over the context"])
        for fields in (
            {"when": LOOKUP},
            {"when": (MIN,)},
            {"loop": LOOKUP},
            {"matrix": {"x": ["a", LOOKUP]}},
            {"retry": Retry(max=3, until=(MIN,))},
            {"repeat": Repeat(count=3, until=(MIN,))},
            {"success": Success(values=({"value": 1, "within": {"of": LOOKUP, "by": 1}},))},
        )
    ),
    # what holds for a whole task of Ansible's
    ([planned("a"), module("b"), module("c")], [FIRST, "is an Ansible module", "is an Ansible module"]),
    ([module("a"), planned("b"), planned("c")], [FIRST, "follows an Ansible module"]),
    (
        [planned("a"), planned("b", become="root"), planned("c", become="root"), planned("d")],
        [FIRST, "runs as another user", "runs as another user"],
    ),
    (
        [planned("a"), planned("b", delegate_to="j1"), planned("c", delegate_to="j1"), planned("d", delegate_to="j2")],
        [FIRST, "runs through another host", "runs through another host"],
    ),
    ([planned("a", delegate_to="j1"), planned("b")], [FIRST, "runs on its own host again"]),
    ([run_step("a"), run_step("b", delegate_to="j1")], [FIRST, "runs through another host"]),
    (
        [planned("a", writes=("a_v1",), delegate_to=LOOKUP), planned("b", delegate_to=LOOKUP)],
        [FIRST, "uses a template over the context"],
    ),
    ([planned("a", locks=("here",)), planned("b")], [FIRST]),
    ([planned("a"), holding("b", "pdu"), holding("c", "pdu")], [FIRST, "takes a lock that hosts share"]),
    ([holding("a", "pdu"), holding("b", "pdu", "x")], [FIRST, "takes a lock that hosts share"]),
    ([holding("a", "pdu", "x"), holding("b", "x")], [FIRST, "gives back a lock that hosts share"]),
    ([holding("a", "pdu"), holding("b", "x")], [FIRST, "takes a lock that hosts share"]),
    # the end
    ([planned("a"), planned("b", always=True), planned("c", always=True)], [FIRST, "closes the run"]),
    ([planned("a", always=True), planned("b", always=True)], [FIRST]),
    (
        [planned("a"), planned("b", always=True), run_step("c", always=True)],
        [FIRST, "closes the run", "runs once for the run"],
    ),
]


@pytest.mark.parametrize(("steps", "reasons"), CASES)
def test_where_the_graph_is_cut_and_why(steps: list[Step], reasons: list[str]):
    stages = cut_into_stages(steps)
    assert [stage.why for stage in stages] == reasons
    assert [stage.number for stage in stages] == [*range(1, len(stages) + 1)]
    assert [step for stage in stages for step in stage.steps] == steps
    assert all(step.scope == stage.scope for stage in stages for step in stage.steps)


@pytest.mark.parametrize("cut", CUTS, ids=attrgetter("__name__"))
def test_no_reason_is_idle(cut: Callable[[Group, Step], str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stages_of, "CUTS", tuple(other for other in CUTS if other is not cut))
    assert any([stage.why for stage in cut_into_stages(steps)] != reasons for steps, reasons in CASES)


def test_stepwise_each_step_has_a_stage():
    steps = [planned("a"), planned("b"), run_step("c"), run_step("d")]
    stages = cut_into_stages(steps, stepwise=True)
    assert [stage.why for stage in stages] == [FIRST, "stepwise", "runs once for the run", "stepwise"]
    assert [stage.steps for stage in stages] == [(step,) for step in steps]


@pytest.mark.parametrize(
    ("steps", "reasons"),
    [
        ([planned("a"), planned("b", "a")], [FIRST]),
        ([planned("a"), asking("b", "z_v1"), asking("c", "z_v1")], [FIRST, "waits for all hosts"]),
        ([asking("a", "z_v1"), planned("b"), planned("c")], [FIRST, "runs in batches again"]),
        (
            [planned("a"), planned("b", Dependency("a", "all")), planned("c")],
            [FIRST, "needs a on all hosts", "runs in batches again"],
        ),
        ([run_step("a"), run_step("b", elsewhere=("z_v1",)), run_step("c")], [FIRST]),
        ([planned("a", always=True), asking("b", "z_v1", always=True)], [FIRST]),
    ],
)
def test_in_batches_what_waits_for_all_hosts_is_kept_apart(steps: list[Step], reasons: list[str]):
    assert [stage.why for stage in cut_into_stages(steps, batched=True)] == reasons


def test_a_stage_tells_what_holds_for_all_of_it():
    steps = [
        planned("a", become="root", locks=("pdu", "x")),
        module("b"),
        run_step("c"),
        planned("d", always=True),
    ]
    first, second, third, last = cut_into_stages(steps)
    assert (first.become, first.locks, first.kind, first.scope, first.always) == (
        "root",
        ("pdu", "x"),
        "",
        "host",
        False,
    )
    assert (second.become, second.locks, second.kind) == ("", (), "ansible")
    assert third.scope == "run"
    assert last.always


@pytest.mark.parametrize(
    ("step", "wide"),
    [
        (planned("b", "a"), False),
        (planned("b", Dependency("a", "all")), True),
        (planned("b", Dependency("elsewhere", "leafs")), True),
        (planned("b", "on_x"), True),
        (planned("b", "on_x", hosts="x"), False),
        (asking("b", "z_v1"), True),
        (looking_up("b", LOOKUP), False),
        (looking_up("b", "{{ lookup('rack.recipes.context', 'a_v1', host='r1') }}"), True),
        (looking_up("b", "{{ hostvars.r1.ansible_facts.rack_recipes }}"), True),
        (looking_up("b", "{{ hostvars.r1.ansible_host }}"), False),
    ],
)
def test_a_stage_that_looks_at_other_hosts_is_wide(step: Step, wide: bool):
    stages = cut_into_stages([planned("on_x", hosts="x"), planned("a"), run_step("between"), step, planned("c")])
    assert [stage.wide for stage in stages[:2]] == [False, False]
    assert any(stage.wide for stage in stages) is wide


@st.composite
def chains(draw: st.DrawFn) -> list[Step]:
    """Steps of all kinds in an order in which they can run, those that close the run at its end."""
    keys = st.lists(st.sampled_from(["a_v1", "b_v1", "c_v1"]), max_size=2, unique=True).map(tuple)
    number = draw(st.integers(1, 12))
    closing = draw(st.integers(0, number))
    steps: list[Step] = []
    for index in range(number):
        others = st.sampled_from([step.name for step in steps] or ["none"])
        wide = st.sampled_from([("", None), ("all", None), ("x", 2)])
        needs = draw(st.lists(st.builds(lambda name, how: Dependency(name, *how), others, wide), max_size=2))
        scope = draw(st.sampled_from(["host", "host", "run"]))
        fields = {
            "scope": scope,
            "hosts": draw(st.sampled_from([None, None, "x", "y"])) if scope == "host" else None,
            "become": draw(st.sampled_from(["", "", "", "root"])),
            "always": index >= closing,
            "writes": draw(keys),
            "elsewhere": draw(keys),
            "locks": draw(st.sampled_from([(), (), (), ("pdu",), ("pdu", "x")])),
            "entry": draw(st.sampled_from([ENTRY, ENTRY, ENTRY, None])),
        }
        steps.append(planned(f"s{index}", *(need for need in needs if steps), **fields))
    return steps


@limits(max_examples=300, deadline=None)
@given(chains(), st.booleans(), st.booleans())
def test_a_stage_holds_only_what_a_host_can_run_by_itself(steps: list[Step], stepwise: bool, batched: bool):
    stages = cut_into_stages(steps, stepwise=stepwise, batched=batched)
    assert [step for stage in stages for step in stage.steps] == steps
    assert not stepwise or all(len(stage.steps) == 1 for stage in stages)
    for stage in stages:
        for step in stage.steps:
            own = (step.scope, step.become, step.locks, step.always)
            assert own == (stage.scope, stage.become, stage.locks, stage.always)
        assert stage.kind == ("" if stage.steps[0].entry else "ansible")
        assert not stage.kind or len(stage.steps) == 1
        for earlier, later in combinations(stage.steps, 2):
            needs = [need for need in later.depends_on if need.step == earlier.name]
            assert not any(need.is_wide for need in needs)
            assert not needs or earlier.hosts in (None, later.step.hosts)
            if stage.scope == "host":
                assert not {*earlier.keys.writes} & {*later.keys.elsewhere}
                assert not {*earlier.keys.elsewhere} & {*later.keys.writes}


def test_no_steps_no_stages():
    assert cut_into_stages([]) == ()
