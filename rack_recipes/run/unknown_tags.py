# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a word after --tags or --skip-tags that no step has: the tag that was perhaps meant, or all tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.errors import MOST_NAMED, nearest
from rack_recipes.plan.compile.playbook import RESERVED


def unknown_tag(option: str, words: Iterable[str], known: Sequence[str]) -> str:
    """What is wrong with the first of these words that is none of the `known` tags; empty where there is none."""
    wrong = next((word for word in words if word and word not in (*known, *RESERVED)), "")
    near = nearest(wrong, [*known, *RESERVED])
    there = f" (did you mean {near!r}?)" if near else f"; there are {first_few(known, MOST_NAMED)}"
    return f"--{option.replace('_', '-')}: no step has the tag or name {wrong!r}{there}" if wrong else ""
