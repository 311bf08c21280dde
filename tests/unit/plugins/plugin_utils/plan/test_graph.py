# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for the order and the edges of any recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place, RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.graph import Data, Edges, arrange
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Step

HOSTS: Mapping[str | None, set[int]] = {None: {1, 2, 3}, "leafs": {1, 2}, "spines": {2, 3}, "one": {1}}
KEYS = st.frozensets(st.sampled_from(["a_v1", "b_v1", "c_v1"]), max_size=2)


@st.composite
def recipes(draw: st.DrawFn) -> tuple[list[Step], dict[str, Data]]:
    """Steps that depend on any others, with keys and hosts of all kinds."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 9)))]
    steps, data = [], {}
    for number, name in enumerate(names):
        scope = draw(st.sampled_from(["host", "host", "host", "run"]))
        hosts = draw(st.sampled_from([*HOSTS])) if scope == "host" else None
        others = st.lists(
            st.sampled_from([other for other in names if other != name] or [name]), max_size=2, unique=True
        )
        needs = draw(others) if len(names) > 1 and draw(st.booleans()) else []
        steps.append(
            Step(
                number, name, "shell", "t.step", Place("r.yml", number), hosts=hosts, scope=scope, depends_on=(*needs,)
            )
        )
        data[name] = Data(draw(KEYS), draw(KEYS))
    return steps, data


def reached(edges: Mapping[str, Edges], name: str, among: set[str]) -> set[str]:
    """The steps that `name` comes after by edges between the steps of one host."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        edge = edges[waiting.pop()]
        new = {*edge.needs, *edge.after} & among - found
        found |= new
        waiting += new
    return found


def runs_on(step: Step, host: int) -> bool:
    return step.scope == "run" if host == 0 else step.scope == "host" and host in HOSTS[step.hosts]


def conflicts(data: Mapping[str, Data], first: Step, second: Step) -> bool:
    one, two = data[first.name], data[second.name]
    return bool(one.writes & (two.reads | two.writes) or two.writes & one.reads)


@limits(max_examples=150, deadline=None)
@given(recipes())
def test_the_order_respects_every_edge_and_leaves_no_race(recipe: tuple[list[Step], dict[str, Data]]):
    steps, data = recipe
    arranged = arranged_or_cycle(steps, data)
    edges = {step.name: edge for step, edge in arranged}
    position = {step.name: index for index, (step, _edge) in enumerate(arranged)}
    assert sorted(position) == (sorted(step.name for step in steps) if arranged else [])
    for step, edge in arranged:
        assert {*step.depends_on} <= {*edge.needs}
        assert all(position[name] < position[step.name] for name in (*edge.needs, *edge.after))
        assert not {*edge.needs} & {*edge.after}
    for host in range(4):
        here = [step for step, _edge in arranged if runs_on(step, host)]
        names = {step.name for step in here}
        for first, second in combinations(here, 2):
            if conflicts(data, first, second):
                assert first.name in reached(edges, second.name, names)


def arranged_or_cycle(steps: list[Step], data: Mapping[str, Data]) -> list[tuple[Step, Edges]]:
    """The steps in their order; none where they need each other, which the error then shows."""
    try:
        return arrange(steps, data)
    except RecipeError as error:
        if not is_cycle(error, steps, data):
            raise
        return []


def is_cycle(error: RecipeError, steps: list[Step], data: Mapping[str, Data]) -> bool:
    """Whether each step that is named needs the one before it."""
    words = error.got.removeprefix("a cycle: ").split(" -> ")
    by_name = {step.name: step for step in steps}
    names = [word.partition(" ")[0] for word in words]
    for before, word in zip(names, words[1:], strict=False):
        name, _other, why = word.partition(" (reads ")
        if not (why[:-1] in data[name].reads & data[before].writes if why else before in by_name[name].depends_on):
            return False
    return names[0] == names[-1] and len(names) > 1


@limits(max_examples=60, deadline=None)
@given(recipes())
def test_without_needs_the_recipe_s_order_stays(recipe: tuple[list[Step], dict[str, Data]]):
    steps, data = recipe
    free = [
        Step(step.idx, step.name, "shell", "t.step", step.place, hosts=step.hosts, scope=step.scope) for step in steps
    ]
    writers = {name: Data(frozenset(), keys.writes) for name, keys in data.items()}
    assert [step for step, _edges in arrange(free, writers)] == free


def chain(number: int, **fields: object) -> Iterator[Step]:
    return (Step(n, f"s{n}", "shell", "t.step", Place("r.yml", n), **fields) for n in range(number))  # type: ignore[arg-type]


@pytest.mark.parametrize("hosts", [None, "leafs"])
@pytest.mark.parametrize(("reads", "writes"), [("", "a_v1"), ("a_v1", "a_v1"), ("a_v1", "b_v1"), ("b_v1", "")])
def test_the_edges_of_many_equal_steps_are_few(reads: str, writes: str, hosts: str | None):
    steps = [*chain(1000, hosts=hosts)]
    keys = Data(frozenset(filter(None, [reads])), frozenset(filter(None, [writes])))
    arranged = arrange(steps, {step.name: keys for step in steps})
    assert sum(len(edge.needs) + len(edge.after) for _step, edge in arranged) < 2000


def test_a_chain_written_backwards_is_turned_round():
    steps = [
        Step(n, f"s{n}", "shell", "t.step", Place("r.yml", n), depends_on=(f"s{n + 1}",) if n < 999 else ())
        for n in range(1000)
    ]
    keys = Data(frozenset(), frozenset({"a_v1"}))
    arranged = arrange(steps, {step.name: keys for step in steps})
    assert [step.idx for step, _edges in arranged] == [*range(999, -1, -1)]
    assert max(len(edge.needs) + len(edge.after) for _step, edge in arranged) == 1
