# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said where no host matches: the group or host that was perhaps meant, and the hosts that there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.errors import MOST_NAMED, nearest

QUOTED = re.compile(r"'([^']*)'")
SIGNS = re.compile(r"[,:&!]")  # between the names of a pattern
NOT_CHOSEN = ("!", "&", "@")  # how parts begin that leave hosts out, and files with names
NOT_THE_RECIPES = "hosts of step {}: not among the recipe's hosts, so it does not run there: {}{}"


def no_match(pattern: str, whole: Iterable[str], groups: Iterable[str]) -> str:
    """That no host matches a pattern in quotes; `whole` are the hosts of the whole inventory, `groups` its groups."""
    names = [*whole]
    words = [word for quoted in QUOTED.findall(pattern) for word in SIGNS.split(quoted) if word]
    near = [near for word in words if (near := nearest(word, [*groups, *names])) and near != word]
    known = first_few(names, MOST_NAMED) if names else "no hosts: -i FILE names another one"
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return f"no host matches {pattern} here{meant}, see the inventory and --limit; the inventory has {known}"


def hosts_left_out(
    steps: Mapping[str, Iterable[str]],
    own: Collection[str],
    resolve: Callable[[str], Collection[str]],
    groups: Sequence[str],
) -> dict[str, str]:
    """By step what its `hosts` name that is none of the `own` hosts of its recipe, where a step never runs.

    `steps` has the parts of their patterns, `resolve` finds their hosts in the whole inventory, which has these
    `groups`. A group of which some hosts are the recipe's is meant for these.
    """
    found, everywhere = {}, {*own}
    named = {step: [name for name in parts if not name.startswith(NOT_CHOSEN)] for step, parts in steps.items()}
    hosts = {name: resolve(name) for name in dict.fromkeys(chain.from_iterable(named.values()))}
    for step, names in named.items():
        if lost := [name for name in names if everywhere.isdisjoint(hosts[name])]:
            unknown = [name for name in lost if not hosts[name]]
            near = nearest(unknown[0], [*groups, *own]) if unknown else ""
            meant = f" (did you mean {near!r}?)" if near else ""
            found[step] = NOT_THE_RECIPES.format(step, first_few(lost, MOST_NAMED), meant)
    return found


def no_canary(pattern: str, named: Collection[str], own: Collection[str], groups: Iterable[str]) -> str:
    """That a canary has none of the `own` hosts of its recipe, `named` being its hosts; empty where it has."""
    if not {*own}.isdisjoint(named):
        return ""
    near = "" if named else nearest(pattern, [*groups, *own])
    meant = f" (did you mean {near!r}?)" if near else ""
    return f"the canary {pattern!r} is no host of the recipe{meant}: all hosts would start at once"
