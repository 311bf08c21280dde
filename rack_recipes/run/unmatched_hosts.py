# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said where no host matches: the group or host that was perhaps meant, and the hosts that there are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.errors import MOST_NAMED, nearest

QUOTED = re.compile(r"'([^']*)'")
SIGNS = re.compile(r"[,:&!]")  # between the names of a pattern


def no_match(pattern: str, whole: Iterable[str], groups: Iterable[str]) -> str:
    """That no host matches a pattern in quotes; `whole` are the hosts of the whole inventory, `groups` its groups."""
    names = [*whole]
    words = [word for quoted in QUOTED.findall(pattern) for word in SIGNS.split(quoted) if word]
    near = [near for word in words if (near := nearest(word, [*groups, *names])) and near != word]
    known = first_few(names, MOST_NAMED) if names else "no hosts: -i FILE names another one"
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return f"no host matches {pattern} here{meant}, see the inventory and --limit; the inventory has {known}"
