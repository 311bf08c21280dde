# SPDX-License-Identifier: GPL-3.0-or-later

"""The edges between steps, and the keys that they use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from rack_recipes.errors import Place, RecipeError
from rack_recipes.plan.dependency_graph import PARTS, Edges, KeyUsage, arrange, key_usage_of, with_needed
from rack_recipes.recipe.recipe_model import Dependency, Repeat, ResultPart, Retry, Step, Success
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry

HOSTS: Mapping[str | None, set[int]] = {None: {1, 2, 3}, "leafs": {1, 2}, "spines": {2, 3}, "one": {1}}
KEYS = st.frozensets(st.sampled_from(["a_v1", "b_v1", "c_v1"]), max_size=2)


@st.composite
def recipes(draw: st.DrawFn) -> tuple[list[Step], dict[str, KeyUsage]]:
    """Steps that depend on any others, with keys and hosts of all kinds; some close the run."""
    closing = draw(st.lists(st.sampled_from([False, False, False, True]), min_size=1, max_size=9))
    names = [f"s{number}" for number in range(len(closing))]
    steps, data = [], {}
    for number, (name, always) in enumerate(zip(names, closing, strict=True)):
        scope = draw(st.sampled_from(["host", "host", "host", "run"]))
        hosts = draw(st.sampled_from([*HOSTS])) if scope == "host" else None
        allowed = [other for other in range(len(names)) if other != number and (always or not closing[other])]
        others = st.lists(st.sampled_from(allowed or [number]), max_size=2, unique=True)
        needs = draw(others) if allowed and draw(st.booleans()) else []
        steps.append(step_of(number, *(f"s{other}" for other in needs), hosts=hosts, scope=scope, always=always))
        data[name] = KeyUsage(draw(KEYS), draw(KEYS))
    return steps, data


def step_of(number: int, *needs: str, **fields: object) -> Step:
    needed = tuple(map(Dependency, needs))
    return Step(number, f"s{number}", "shell", "t.step", Place("r.yml", number), depends_on=needed, **fields)  # type: ignore[arg-type]


def reached(edges: Mapping[str, Edges], name: str, among: set[str]) -> set[str]:
    """The steps that `name` comes after by edges between the steps of one host."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        edge = edges[waiting.pop()]
        new = {*names_of(edge), *edge.after} & among - found
        found |= new
        waiting += new
    return found


def names_of(edges: Edges) -> list[str]:
    return [need.step for need in edges.needs]


def runs_on(step: Step, host: int) -> bool:
    return step.scope == "run" if host == 0 else step.scope == "host" and host in HOSTS[step.hosts]


def conflicts(data: Mapping[str, KeyUsage], first: Step, second: Step) -> bool:
    one, two = data[first.name], data[second.name]
    return bool(one.writes & (two.reads | two.writes) or two.writes & one.reads)


@limits(max_examples=200, deadline=None)
@given(recipes(), st.none() | st.integers())
def test_the_order_respects_every_edge_and_leaves_no_race(
    recipe: tuple[list[Step], dict[str, KeyUsage]], seed: int | None
):
    steps, data = recipe
    arranged = arranged_or_cycle(steps, data, seed)
    assert arranged_or_cycle(steps, data, seed) == arranged
    edges = {step.name: edge for step, edge in arranged}
    position = {step.name: index for index, (step, _edge) in enumerate(arranged)}
    assert sorted(position) == (sorted(step.name for step in steps) if arranged else [])
    for step, edge in arranged:
        assert {*step.depends_on} <= {*edge.needs}
        assert all(position[name] < position[step.name] for name in (*names_of(edge), *edge.after))
        assert not {*names_of(edge)} & {*edge.after}
    assert [step.always for step, _edge in arranged] == sorted(step.always for step, _edge in arranged)
    for host in range(4):
        here = [step for step, _edge in arranged if runs_on(step, host)]
        names = {step.name for step in here}
        for first, second in combinations(here, 2):
            if conflicts(data, first, second):
                assert first.name in reached(edges, second.name, names)


def arranged_or_cycle(
    steps: list[Step], data: Mapping[str, KeyUsage], seed: int | None = None
) -> list[tuple[Step, Edges]]:
    """The steps in their order; none where they need each other, which the error then shows."""
    try:
        return arrange(steps, data, seed)
    except RecipeError as error:
        if not is_cycle(error, steps, data):
            raise
        return []


def is_cycle(error: RecipeError, steps: list[Step], data: Mapping[str, KeyUsage]) -> bool:
    """Whether each step that is named needs the one before it."""
    words = error.got.removeprefix("a cycle: ").split(" -> ")
    by_name = {step.name: step for step in steps}
    names = [word.partition(" ")[0] for word in words]
    for before, word in zip(names, words[1:], strict=False):
        name, _other, why = word.partition(" (reads ")
        if not (
            why[:-1] in data[name].reads & data[before].writes
            if why
            else Dependency(before) in by_name[name].depends_on
        ):
            return False
    return names[0] == names[-1] and len(names) > 1


@limits(max_examples=100, deadline=None)
@given(recipes(), st.data())
def test_what_is_chosen_has_all_that_it_needs(recipe: tuple[list[Step], dict[str, KeyUsage]], chosen: st.DataObject):
    steps, data = recipe
    whole = {step.name: edge for step, edge in arranged_or_cycle(steps, data)}
    names = chosen.draw(st.lists(st.sampled_from([*whole] or ["s0"]), min_size=1, unique=True))
    if not whole:
        return
    wanted = with_needed(names, {step.name: edges.needs for step, edges in arrange(steps, data)})
    assert wanted >= {*names}
    assert all({*names_of(whole[name])} <= wanted for name in wanted)
    part = arrange([step for step in steps if step.name in wanted], data)
    assert {step.name: {*names_of(edge)} for step, edge in part} == {name: {*names_of(whole[name])} for name in wanted}


@limits(max_examples=60, deadline=None)
@given(recipes())
def test_without_needs_the_recipe_s_order_stays(recipe: tuple[list[Step], dict[str, KeyUsage]]):
    steps, data = recipe
    free = [step_of(step.idx, hosts=step.hosts, scope=step.scope, always=step.always) for step in steps]
    writers = {name: KeyUsage(frozenset(), keys.writes) for name, keys in data.items()}
    assert [step for step, _edges in arrange(free, writers)] == sorted(free, key=lambda step: step.always)


def test_a_seed_shuffles_what_does_not_wait():
    steps = [step_of(0), *(step_of(number, "s0") for number in range(1, 30)), step_of(30, always=True)]
    data = {step.name: KeyUsage(frozenset(), frozenset()) for step in steps}
    orders = [[step.idx for step, _edges in arrange(steps, data, seed)] for seed in (1, 2, 1)]
    assert orders[0] == orders[2] != orders[1]
    assert all(order[0] == 0 and order[30] == 30 and sorted(order) == [*range(31)] for order in orders)
    assert orders[0] != [*range(31)]


def test_what_is_written_of_a_step_that_is_needed_counts():
    wide = Dependency("s0", hosts="all", quorum="80%")
    reader = replace(step_of(1), depends_on=(wide,))
    key = frozenset({"a_v1"})
    arranged = arrange([step_of(0), reader], {"s0": KeyUsage(frozenset(), key), "s1": KeyUsage(key, frozenset())})
    assert arranged[1][1].needs == (wide,)


def test_no_step_needs_what_closes_the_run():
    key = frozenset({"a_v1"})
    writer, reader = step_of(0, always=True), step_of(1)
    arranged = arrange([writer, reader], {"s0": KeyUsage(frozenset(), key), "s1": KeyUsage(key, frozenset())})
    assert [(step.name, edges) for step, edges in arranged] == [("s1", Edges((), ())), ("s0", Edges((), ("s1",)))]


def chain(number: int, **fields: object) -> Iterator[Step]:
    return (step_of(n, **fields) for n in range(number))


@pytest.mark.parametrize("hosts", [None, "leafs"])
@pytest.mark.parametrize(("reads", "writes"), [("", "a_v1"), ("a_v1", "a_v1"), ("a_v1", "b_v1"), ("b_v1", "")])
def test_the_edges_of_many_equal_steps_are_few(reads: str, writes: str, hosts: str | None):
    steps = [*chain(1000, hosts=hosts)]
    keys = KeyUsage(frozenset(filter(None, [reads])), frozenset(filter(None, [writes])))
    arranged = arrange(steps, {step.name: keys for step in steps})
    assert sum(len(edge.needs) + len(edge.after) for _step, edge in arranged) < 2000


def test_a_chain_written_backwards_is_turned_round():
    steps = [step_of(n, *([f"s{n + 1}"] if n < 999 else [])) for n in range(1000)]
    keys = KeyUsage(frozenset(), frozenset({"a_v1"}))
    arranged = arrange(steps, {step.name: keys for step in steps})
    assert [step.idx for step, _edges in arranged] == [*range(999, -1, -1)]
    assert max(len(edge.needs) + len(edge.after) for _step, edge in arranged) == 1


BARE = ScriptletEntry("t.step", "shell", Path("step.sh"), "step.sh", "project")
HOLDS = ({"value": 1, "within": {"of": "${a_v1.x.0}", "by": "${b.c_v2@leaf1}"}, "warn": {"max": "${d_v1@median}"}},)
FIELDS = {
    "args": {"a": ["${a_v1.x.0}", {"b": "of ${b.c_v2@leaf1} and ${d_v1@median}"}]},
    "when": HOLDS,
    "loop": ("${a_v1}", ["${b.c_v2@leaf1}", "${d_v1@${item}}"]),
    "matrix": {"x": "${a_v1}", "y": ("${b.c_v2@leaf1}", "${d_v1@majority}")},
    "retry": Retry(max=2, until=HOLDS),
    "repeat": Repeat(until=HOLDS),
    "success": Success(values=HOLDS),
}


def step(**fields: object) -> Step:
    return Step(1, "a", "shell", "t.step", Place("r.yml"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_a_step_reads_keys(part: str):
    found = key_usage_of(step(**{part: FIELDS[part]}), BARE)
    assert found == KeyUsage(frozenset({"a_v1", "b.c_v2", "d_v1"}), frozenset(), frozenset({"b.c_v2", "d_v1"}))


def test_declared_keys_are_used_too():
    entry = ScriptletEntry("t.x", "shell", Path("x.sh"), "x.sh", "project", reads=("r_v1",), writes=("w_v1",))
    found = key_usage_of(step(reads=("s_v1",), writes=(ResultPart("x_v1"),)), entry)
    assert found == KeyUsage(frozenset({"r_v1", "s_v1"}), frozenset({"w_v1", "x_v1"}))
    assert key_usage_of(step(writes=(ResultPart("x_v1"),)), None) == KeyUsage(frozenset(), frozenset({"x_v1"}))


@pytest.mark.parametrize("part", ["retry", "repeat", "success"])
def test_a_step_s_own_key_is_there_when_it_is_judged(part: str):
    found = key_usage_of(step(**{part: FIELDS[part]}, writes=(ResultPart("a_v1"), ResultPart("d_v1"))), BARE)
    assert (found.reads, found.elsewhere) == ({"b.c_v2", "d_v1"}, {"b.c_v2", "d_v1"})


@pytest.mark.parametrize("part", ["args", "when", "loop", "matrix"])
def test_a_step_s_own_key_is_another_s_before(part: str):
    assert "a_v1" in key_usage_of(step(**{part: FIELDS[part]}, writes=(ResultPart("a_v1"),)), BARE).reads


def test_other_words_are_no_keys():
    args = {"x": "${params.x_v1} ${item} ${matrix.a} ${step.name} ${HOME} ${index}"}
    assert key_usage_of(step(args=args, when="{{ x }}"), BARE) == KeyUsage(frozenset(), frozenset())
