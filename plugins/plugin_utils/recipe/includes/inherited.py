# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an include says for all of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Condition, Step

type When = bool | str | tuple[Condition, ...]


def within(steps: tuple[Step, ...], include: Mapping[str, Any]) -> Iterator[Step]:
    """The steps with the place in the order, dependencies, hosts, tags and condition of their include.

    Those that depend on none of the others get its dependencies; its hosts count more than theirs.
    """
    for step in steps:
        yield replace(
            step,
            idx=include["idx"],
            depends_on=step.depends_on or include["depends_on"],
            hosts=None if step.scope == "run" else include.get("hosts", step.hosts),
            tags=tuple(dict.fromkeys((*include.get("tags", ()), *step.tags))),
            when=both(include.get("when", True), step.when),
        )


def both(outer: When, inner: When) -> When:
    """What holds where two conditions hold."""
    if outer is True or inner is False:
        return inner
    if inner is True or outer is False:
        return outer
    return (*conditions(outer), *conditions(inner))


def conditions(when: When) -> tuple[Condition, ...]:
    """A Jinja expression as a condition among others."""
    return when if isinstance(when, tuple) else ({"value": when, "eq": True},)
