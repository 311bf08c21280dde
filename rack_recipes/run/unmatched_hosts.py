# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said where no host matches: the hosts that there are."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.errors import MOST_NAMED


def no_match(pattern: str, whole: Iterable[str]) -> str:
    """That no host matches a pattern; `whole` are the hosts of the whole inventory."""
    names = [*whole]
    known = first_few(names, MOST_NAMED) if names else "no hosts: -i FILE names another one"
    return f"no host matches {pattern} here, see the inventory and --limit; the inventory has {known}"
