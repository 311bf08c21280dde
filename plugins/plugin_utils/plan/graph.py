# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edges between steps, and an order that respects them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Step


@dataclass(frozen=True, slots=True)
class Data:
    """The context keys that a step reads and writes."""

    reads: frozenset[str]
    writes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Edges:
    """The steps before a step: those it needs, and those it only has to wait for."""

    needs: tuple[str, ...]
    after: tuple[str, ...]


def edges(steps: Sequence[Step], data: Mapping[str, Data]) -> dict[str, Edges]:
    """For each step what comes before it: `depends_on`, and the flow of the declared keys.

    A reader needs the earlier steps that write its key, or, where there is none, the later ones. Two writers of a key
    keep their order, and so do a reader and a later writer: such edges order, but do not block.
    """
    position = {step.name: index for index, step in enumerate(steps)}
    writers = _by_key(steps, {name: found.writes for name, found in data.items()})
    readers = _by_key(steps, {name: found.reads for name, found in data.items()})
    found: dict[str, Edges] = {}
    for step in steps:
        here = position[step.name]
        needs = dict.fromkeys(step.depends_on)
        for key in sorted(data[step.name].reads):
            others = [name for name in writers.get(key, ()) if name != step.name]
            needs.update(dict.fromkeys([name for name in others if position[name] < here] or others))
        before = (name for key in sorted(data[step.name].writes) for name in writers[key] + readers.get(key, []))
        after = dict.fromkeys(name for name in before if position[name] < here and name not in needs)
        found[step.name] = Edges(tuple(needs), tuple(after))
    return _without_contradiction(found)


def _by_key(steps: Sequence[Step], keys: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for step in steps:
        for key in keys[step.name]:
            found.setdefault(key, []).append(step.name)
    return found


def _without_contradiction(found: dict[str, Edges]) -> dict[str, Edges]:
    """An order-only edge gives way to a need in the other direction."""
    return {
        name: Edges(edge.needs, tuple(other for other in edge.after if name not in found[other].needs))
        for name, edge in found.items()
    }


def order(steps: Sequence[Step], found: Mapping[str, Edges]) -> list[Step]:
    """The steps so that each comes after all before it, otherwise as the recipe has them.

    Raises RecipeError that names the steps of a cycle.
    """
    position = {step.name: index for index, step in enumerate(steps)}
    sorter = TopologicalSorter({name: (*edge.needs, *edge.after) for name, edge in found.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise _cycle(error.args[1], steps) from None
    ready: list[int] = []
    ordered: list[Step] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, position[name])
        step = steps[heappop(ready)]
        ordered.append(step)
        sorter.done(step.name)
    return ordered


def _cycle(names: Sequence[str], steps: Sequence[Step]) -> RecipeError:
    """The cycle, each step after the one that it waits for, from the one that stands first in the recipe."""
    ring = list(names[:-1])
    first = next(step for step in steps if step.name in ring)
    start = ring.index(first.name)
    path = " -> ".join([*ring[start:], *ring[:start], first.name])
    return RecipeError(first.place, "an order in which the steps can run", f"a cycle: {path}")
