# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context keys that a step uses: those that are declared, and those that its references name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.references import keys_in, keys_of_others
from rack_recipes.recipe.catalog.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.recipe_model import Step

Part = Callable[[Step], Any]

# The fields of a step that may hold references: filled in before it runs, and used to judge it afterwards.
BEFORE: Mapping[str, Part] = {
    "args": lambda step: step.args,
    "when": lambda step: step.when,
    "loop": lambda step: step.loop,
    "matrix": lambda step: step.matrix,
    "cache_key": lambda step: step.cache_key and step.cache_key.key,
}
AFTERWARDS: Mapping[str, Part] = {
    "retry": lambda step: step.retry.until,
    "repeat": lambda step: step.repeat and step.repeat.until,
    "success": lambda step: step.success.values,
}
CONTEXT = re.compile(r"rack\.recipes\.context|rack_recipes")
PARTS = {**BEFORE, **AFTERWARDS}
NO_KEYS: frozenset[str] = frozenset()  # shared by all steps, to save memory


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """The keys that a step reads and writes; `elsewhere` are those that it reads of other hosts."""

    reads: frozenset[str]
    writes: frozenset[str]
    elsewhere: frozenset[str] = frozenset()


def key_usage_of(step: Step, entry: ScriptletEntry | None) -> KeyUsage:
    """The keys of a step and of its scriptlet. Conditions that judge it may use what it writes itself."""
    writes = frozenset((*(part.key for part in step.writes), *(entry.writes if entry else ())))
    declared = entry.reads or () if entry else ()
    judged = _values(AFTERWARDS, step)
    filled_in = _values(BEFORE, step)
    elsewhere = keys_of_others((filled_in, judged))
    reads = frozenset((*step.reads, *declared, *keys_in(filled_in), *(keys_in(judged) - writes), *elsewhere))
    return KeyUsage(reads or NO_KEYS, writes or NO_KEYS, frozenset(elsewhere) or NO_KEYS)


def templates_of(step: Step) -> tuple[str, ...]:
    """The texts in a step that Ansible fills in with values of the context."""
    texts = _texts([*_values(PARTS, step), step.delegate_to])
    return tuple(text for text in texts if ("{{" in text or "{%" in text) and CONTEXT.search(text))


def _values(parts: Mapping[str, Part], step: Step) -> list[Any]:
    """The values of these fields of a step that are not empty."""
    return [value for part in parts.values() if (value := part(step))]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
