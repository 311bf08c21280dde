# SPDX-License-Identifier: GPL-3.0-or-later

"""How many tests in how many rounds a step between hosts will take, before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rack_recipes.errors import UsageError, nearest
from rack_recipes.plan.members.isolate_faults import MISSED_BY_PAIRS, PAIR, Isolation, domains_for
from rack_recipes.plan.members.match_members import rounds_of, values_of
from rack_recipes.plan.members.sides import Outcome
from rack_recipes.recipe.recipe_model import Isolate, Step

DEFAULT_DOMAIN = "rack"  # the attribute whose values are domains where the recipe names none
CABLES = "cables"  # the variable that says what a host is cabled to
NOBODY = "no test: no two hosts test each other by its members"
Variables = Mapping[str, Mapping[str, Any]]


def search_of(scope: str, isolate: Isolate, hosts: Sequence[str], attributes: Variables) -> Isolation:
    """The search between these hosts. Raises UsageError where none has the attribute that the recipe names."""
    known = sorted({name for host in hosts for name in attributes.get(host, {})})
    if isolate.by and isolate.by not in known:
        near = nearest(isolate.by, known)
        hint = f" (did you mean {near!r}?)" if near else ""
        raise UsageError(f"isolate: no host of this step has the attribute {isolate.by!r}{hint}")
    domains = domains_for(hosts, values_of(isolate.by or DEFAULT_DOMAIN, hosts, attributes))
    return Isolation(hosts, domains, PAIR if scope == "pair" else 0)


def cables_of(variables: Variables) -> dict[str, list[str]]:
    """By host, the nodes that its variable `cables` (port -> NODE:PORT) names."""
    found = ((host, own.get(CABLES)) for host, own in variables.items())
    return {
        host: [str(end).rpartition(":")[0] for end in cables.values()]
        for host, cables in found
        if isinstance(cables, Mapping)
    }


def variables_needed(step: Step) -> Iterator[str]:
    """The variables of hosts on which the rounds of a step depend."""
    if step.isolate:
        yield step.isolate.by or DEFAULT_DOMAIN
    elif step.members.by:
        yield step.members.by
    elif step.members.rule == "neighbours":
        yield CABLES


def predicted(step: Step, hosts: Sequence[str], variables: Variables) -> str:
    """The tests and rounds of a step, in words."""
    pairs = len(hosts) * (len(hosts) - 1) // 2
    if step.isolate is None:
        rounds = rounds_of(step.scope, step.members, hosts, variables, cables_of(variables))
        return _words(sum(map(len, rounds)), len(rounds)) if rounds else NOBODY
    good, bad = (_simulated(search_of(step.scope, step.isolate, hosts, variables), slow) for slow in (0, 1))
    missed = f"; {MISSED_BY_PAIRS}" if step.scope == "pair" else ""
    said = f"{_words(*good)} where nothing is wrong, {_words(*bad)} for one faulty host"
    return f"{said}; there are {pairs} pairs{missed}"


def _simulated(search: Isolation, slow: int) -> tuple[int, int]:
    """The tests and rounds of a search in which so many hosts are faulty."""
    faulty, rounds = {*search.hosts[:slow]}, 0
    while tests := search.next_round():
        rounds += 1
        search.take([Outcome(faulty.isdisjoint(test.members)) for test in tests])
    return len(search.tried), rounds


def _words(tests: int, rounds: int) -> str:
    return f"{tests} test{'' if tests == 1 else 's'} in {rounds} round{'' if rounds == 1 else 's'}"
