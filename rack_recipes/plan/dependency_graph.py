# SPDX-License-Identifier: GPL-3.0-or-later

"""The edges between steps, by dependencies and by the context keys that they use, and an order that respects them.

A step needs the steps that it depends on, and those that write what it reads. Where these do not pass, it is blocked.
Two steps that use the same key, one of them writing, keep the order of the recipe. This is an edge, too: the later step
waits, but is not blocked. Such edges matter only to steps that run in parallel.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from itertools import pairwise
from operator import attrgetter
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.references import keys_in, keys_of_others
from rack_recipes.errors import RecipeError
from rack_recipes.recipe.param_values import texts_in
from rack_recipes.recipe.recipe_model import NO_KEYS, Dependency, KeyUsage, Step
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry

Part = Callable[[Step], Any]
# The fields of a step that may hold references: filled in before it runs, and used to judge it afterwards.
BEFORE: Mapping[str, Part] = {
    "args": lambda step: step.args,
    "when": lambda step: step.when,
    "loop": lambda step: step.loop,
    "matrix": lambda step: step.matrix,
}
AFTERWARDS: Mapping[str, Part] = {
    "retry": lambda step: step.retry.until,
    "repeat": lambda step: step.repeat and step.repeat.until,
    "success": lambda step: step.success.values,
}
CONTEXT = re.compile(r"rack\.recipes\.context|rack_recipes")
PARTS = {**BEFORE, **AFTERWARDS}


def key_usage_of(step: Step, entry: ScriptletEntry | None) -> KeyUsage:
    """The keys of a step and of its scriptlet. Conditions that judge it may use what it writes itself."""
    writes = frozenset((*(part.key for part in step.writes), *(entry.writes if entry else ())))
    declared = entry.reads or () if entry else ()
    judged = _values(AFTERWARDS, step)
    filled_in = _values(BEFORE, step)
    elsewhere = keys_of_others((filled_in, judged))
    reads = frozenset((*step.reads, *declared, *keys_in(filled_in), *(keys_in(judged) - writes), *elsewhere))
    return KeyUsage(reads or NO_KEYS, writes or NO_KEYS, frozenset(elsewhere) or NO_KEYS, templates_of(step))


def templates_of(step: Step) -> tuple[str, ...]:
    """The texts in a step that Ansible fills in with values of the context."""
    texts = texts_in([*_values(PARTS, step), step.delegate_to])
    return tuple(text for text in texts if ("{{" in text or "{%" in text) and CONTEXT.search(text))


def _values(parts: Mapping[str, Part], step: Step) -> list[Any]:
    """The values of these fields of a step that are not empty."""
    return [value for part in parts.values() if (value := part(step))]


Names = dict[str, None]  # a set that keeps its order
Before = Mapping[str, Names]
Where = tuple[str, str | None]  # a step's scope and hosts
Writers = dict[Where, str]
EVERY_HOST: Where = ("host", None)


@dataclass(frozen=True, slots=True)
class Edges:
    """The steps before a step: `needs` have to pass, `after` have only to end."""

    needs: tuple[Dependency, ...]
    after: tuple[str, ...]


@dataclass(slots=True)
class StepKeys:
    """The steps that use a key: the last writer on each set of hosts, and all readers in their order.

    `overtaken` has the number of readers that there were at the last write on each set of hosts.
    """

    writers: Writers = field(default_factory=dict)
    readers: list[str] = field(default_factory=list)
    overtaken: dict[Where, int] = field(default_factory=dict)

    def before_write(self, where: Where) -> list[str]:
        """The steps that a write on these hosts has to wait for, without those that an earlier write waits for."""
        if not self.readers:
            return [*self.writers.values()]
        covering = (where, EVERY_HOST) if where[0] == "host" else (where,)
        since = max(self.overtaken.get(there, 0) for there in covering)
        return [*self.writers.values(), *self.readers[since:]]

    def write(self, name: str, where: Where) -> None:
        """A step writes the key."""
        _overwrite(self.writers, name, where)
        if self.readers:
            self.overtaken[where] = len(self.readers)


def arrange(steps: Iterable[Step], data: Mapping[str, KeyUsage], seed: int | None = None) -> list[tuple[Step, Edges]]:
    """The steps with their edges, ordered: each comes after those before it, otherwise in the order of the recipe.

    Steps that close the run (`always`) come last. With a seed, steps that do not wait for each other are shuffled, in
    the same way for the same seed. Raises RecipeError that names the steps of a cycle.
    """
    wanted = sorted(steps, key=attrgetter("always"))
    needs = _needs(wanted, data)
    after = _conflicts(wanted, data)
    try:
        ordered = _sorted(wanted, _all_edges(needs, after))
    except CycleError:
        ordered = _sorted_by_needs(wanted, needs, data)
    if ordered != wanted:
        after = _conflicts(ordered, data)
    if seed is not None:
        ordered = _shuffled(ordered, needs, after, random.Random(seed))  # noqa: S311 - no secret hangs on it
    return [(step, _edges(step, needs[step.name], after[step.name])) for step in ordered]


def with_needed(names: Collection[str], needs: Mapping[str, Iterable[Dependency]]) -> set[str]:
    """The named steps and all that they need, directly or not; `needs` has what each step depends on."""
    found = {*names}
    waiting = [*found]
    while waiting:
        new = {dependency.step for dependency in needs[waiting.pop()]} - found
        found |= new
        waiting += new
    return found


def _all_edges(needs: Before, after: Before) -> Before:
    """All edges, without those that contradict a need, as where a reader stands before the only writer."""
    return {
        name: {**before, **{other: None for other in after[name] if name not in needs[other]}}
        if after[name]
        else before
        for name, before in needs.items()
    }


def _edges(step: Step, needs: Names, after: Names) -> Edges:
    """The edges of a step. Dependencies of the recipe stay as written; derived ones are on the same host."""
    written = {dependency.step for dependency in step.depends_on}
    derived = (Dependency(name) for name in needs if name not in written)
    return Edges((*step.depends_on, *derived), tuple(name for name in after if name not in needs))


def _needs(steps: Sequence[Step], data: Mapping[str, KeyUsage]) -> dict[str, Names]:
    """What each step depends on, and the writers of what it reads: the last before it, else the first behind it.

    A step that closes the run counts as a later writer only for others that close the run.
    """
    needs = {step.name: dict.fromkeys(dependency.step for dependency in step.depends_on) for step in steps}
    earlier: dict[str, Writers] = {}
    unwritten: dict[str, list[str]] = {}
    for step in steps:
        keys = sorted(data[step.name].reads)
        if missing := [key for key in keys if key not in earlier and key not in data[step.name].writes]:
            unwritten[step.name] = missing
        _need_writers(step, keys, data, earlier, needs)
    for closing in (False, True) if unwritten else ():
        later: dict[str, Writers] = {}
        for step in reversed(steps):
            if step.always is closing:
                _need_writers(step, unwritten.get(step.name, ()), data, later, needs)
    return needs


def _need_writers(
    step: Step, reads: Sequence[str], data: Mapping[str, KeyUsage], written: dict[str, Writers], needs: Before
) -> None:
    for key in reads:
        needs[step.name].update(dict.fromkeys(written.get(key, {}).values()))
    for key in data[step.name].writes:
        _overwrite(written.setdefault(key, {}), step.name, (step.scope, step.hosts))


def _overwrite(writers: Writers, name: str, where: Where) -> None:
    """Make a step the last writer on some hosts. A write on every host replaces those on some of them."""
    if where == EVERY_HOST:
        for there in [there for there in writers if there[0] == "host"]:
            del writers[there]
    writers[where] = name


def _conflicts(steps: Sequence[Step], data: Mapping[str, KeyUsage]) -> dict[str, Names]:
    """For each step, the earlier ones that use a key which it writes, or that write a key which it reads."""
    found: dict[str, Names] = {}
    uses: dict[str, StepKeys] = defaultdict(StepKeys)
    for step in steps:
        where = (step.scope, step.hosts)
        before = found[step.name] = Names()
        for key in sorted(data[step.name].reads):
            before |= dict.fromkeys(uses[key].writers.values())
            uses[key].readers.append(step.name)
        for key in sorted(data[step.name].writes):
            before |= dict.fromkeys(uses[key].before_write(where))
            uses[key].write(step.name, where)
        before.pop(step.name, None)
    return found


def _sorted(steps: Sequence[Step], before: Before) -> list[Step]:
    """The steps in an order that respects the edges: of those that are free, the recipe's first. Raises CycleError."""
    position = {step.name: index for index, step in enumerate(steps)}
    if all(position[name] < index for index, step in enumerate(steps) for name in before[step.name]):
        return [*steps]  # most recipes are written in an order that they can run in
    sorter = TopologicalSorter(before)
    sorter.prepare()
    ready: list[int] = []
    ordered: list[Step] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, position[name])
        step = steps[heappop(ready)]
        ordered.append(step)
        sorter.done(step.name)
    return ordered


def _shuffled(steps: Iterable[Step], needs: Before, after: Before, chance: random.Random) -> list[Step]:
    """A random order that respects all edges."""
    shuffled = sorted(steps, key=lambda step: (step.always, chance.random()))
    return _sorted(shuffled, {name: {**before, **after[name]} for name, before in needs.items()})


def _sorted_by_needs(steps: Sequence[Step], needs: Before, data: Mapping[str, KeyUsage]) -> list[Step]:
    """An order by needs alone, for recipes whose own order contradicts these. Raises RecipeError for a cycle."""
    try:
        return _sorted(steps, needs)
    except CycleError as error:
        raise _cycle(error.args[1][:-1], steps, data) from None


def _cycle(ring: Sequence[str], steps: Sequence[Step], data: Mapping[str, KeyUsage]) -> RecipeError:
    """The error that shows a cycle, from the step that stands first in the recipe, each after the one that it needs."""
    by_name = {step.name: step for step in steps if step.name in ring}
    first = next(iter(by_name))
    start = ring.index(first)
    names = [*ring[start:], *ring[:start], first]
    path = [first, *(f"{name}{_why(by_name[name], before, data)}" for before, name in pairwise(names))]
    return RecipeError(by_name[first].place, "an order in which the steps can run", f"a cycle: {' -> '.join(path)}")


def _why(step: Step, before: str, data: Mapping[str, KeyUsage]) -> str:
    if any(dependency.step == before for dependency in step.depends_on):
        return ""
    return f" (reads {min(data[step.name].reads & data[before].writes)})"
