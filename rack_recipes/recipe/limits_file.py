# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of limits: which measurements they are for, on which hosts, and what must hold. Recipes and `rejudge` use them.

The criteria are those of recipes, from the one table of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS
from ansible_collections.rack.recipes.plugins.module_utils.language.limits_of_measurements import is_where
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import matches_wildcard
from rack_recipes.errors import RecipeError, RecipeErrors
from rack_recipes.recipe.recipe_node import Node, is_number
from rack_recipes.recipe.rules.steps import consistent_warnings
from rack_recipes.recipe.schema.schema_errors import key_for_synonym
from rack_recipes.recipe.values_in_messages import shown
from rack_recipes.recipe.yaml.files_beside_recipes import placed, read_file, refuse, unknown
from rack_recipes.recipe.yaml.reader import Document

NO_ATTRIBUTES: Mapping[str, Any] = {}
SOUND = 3  # standard deviations: a limit that is nearer fails good values, one of 740 of those that are normal
WARN = "warn"
PLACE = ("step", "measurement", "unit")
WHERE = "where"
LEARNED = "learned"
WORDS = (*PLACE, WHERE, *LIMITS, WARN, LEARNED)
MAPPINGS = {
    WARN: "limits, such as {max: 75}",
    WHERE: "attributes of hosts, such as {model: h100}",
    LEARNED: "a mapping",
}
EXPECTED = "a mapping with limits"
EXAMPLE = "{step: fans, measurement: noise, unit: dB, max: 80}"


@dataclass(frozen=True, slots=True)
class NewLimit:
    """The limits of the measurements of a step with a name and, where it is set, a unit; `*` stands for any text.

    `where` has attributes of the hosts that it is for, such as a model and a position; empty for all hosts. `learned`
    says what a learned limit rests on.
    """

    step: str
    measurement: str
    unit: str | None
    condition: Mapping[str, Any]
    where: Mapping[str, Any] = field(default_factory=dict)
    learned: Mapping[str, Any] = field(default_factory=dict)

    def is_for(self, row: Mapping[str, Any], attributes: Mapping[str, object] = NO_ATTRIBUTES) -> bool:
        """Whether it is for a measurement on a host; the name of a looped step covers its instances."""
        steps = {row["step"], row.get("planned") or row["step"]}
        return (
            is_where(self.where, attributes)
            and matches_wildcard(self.measurement, str(row["name"]))
            and any(matches_wildcard(self.step, step) for step in steps)
            and self.unit in (None, row.get("unit") or "")
        )


@dataclass(frozen=True, slots=True)
class NewLimits:
    """A file of limits; of several that are for a measurement the first counts. `data` is the file's content."""

    path: str
    digest: str
    limits: tuple[NewLimit, ...]
    data: Mapping[str, Any]


def read_limits(path: str) -> NewLimits:
    """The limits in a file. Raises UsageError with all that is wrong with it, each problem with its place."""
    document, digest = read_file(path, EXPECTED)
    refuse(_problems(document))
    limits = tuple(map(_limit, document.data["limits"]))
    return NewLimits(path, digest, limits, document.data)


def entries_of(document: Document) -> tuple[dict[str, Any], ...]:
    """The entries of a file that a recipe names; in place of what an unsound one rests on there is a `remark` on it.

    Raises RecipeErrors.
    """
    if found := [*_problems(document)]:
        raise RecipeErrors(found)
    entries: list[dict[str, Any]] = []
    for entry in document.data["limits"]:
        why = why_unsound(entry, entry.get(LEARNED) or {})
        rest = {name: value for name, value in entry.items() if name != LEARNED}
        entries.append({**rest, "remark": f"an unsound limit: {why}"} if why else rest)
    return tuple(entries)


def why_unsound(condition: Mapping[str, object], learned: Mapping[str, object]) -> str:
    """Why limits are tighter than what good values vary by; empty where they are not, or where nobody can tell."""
    mean, spread = learned.get("mean"), learned.get("spread")
    if not (is_number(mean) and is_number(spread) and spread > 0):
        return ""
    if "eq" in condition:
        return "eq on a value that varies from run to run"
    for word, sign in (("min", 1), ("max", -1)):
        bound = condition.get(word)
        if is_number(bound) and sign * (mean - bound) < SOUND * spread:
            apart = sign * (mean - bound) / spread
            return f"{word} {bound} is {apart:.1f} standard deviations from the mean of good values, {mean}"
    return ""


def _limit(data: Mapping[str, Any]) -> NewLimit:
    condition = {word: data[word] for word in (*LIMITS, WARN) if word in data}
    place = data.get("step", "*"), data["measurement"], data.get("unit")
    return NewLimit(*place, condition, data.get(WHERE) or {}, data.get(LEARNED) or {})


HEAD = "# Limits from good runs, by `rack-recipes learn`. Read them; an entry without `learned` is yours, and stays.\n"
PLAIN = re.compile(r"(?:\.\./)*[A-Za-z_][\w.%/-]*")
NOT_PLAIN = ("true", "false", "null", "yes", "no", "on", "off")  # some readers take them for more than a text


def limits_as_yaml(limits: Sequence[NewLimit], about: Mapping[str, object]) -> str:
    """The text of a file with these limits; `about` is what all learned ones rest on."""
    return "".join([HEAD, f"learned: {as_flow(about)}\nlimits:\n", *map(_entry, limits)])


def _entry(limit: NewLimit) -> str:
    """One entry on one line, and what it rests on in the next."""
    place = {"step": limit.step, "measurement": limit.measurement, "unit": limit.unit, WHERE: limit.where}
    first = {name: value for name, value in place.items() if value}
    line = f"  - {as_flow({**first, **limit.condition})}"
    return f"{line[:-1]},\n     learned: {as_flow(limit.learned)}}}\n" if limit.learned else f"{line}\n"


def as_flow(value: object) -> str:
    """A value as YAML in flow style, which is read as the same value again."""
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in NOT_PLAIN:
        return value
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{as_flow(name)}: {as_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(as_flow, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _problems(document: Document) -> Iterator[RecipeError]:
    top = Node(document, (), document.data)
    yield from _unknown(top, ("limits", LEARNED))
    entries = document.data.get("limits")
    if not isinstance(entries, list) or not entries:
        yield top.error(("limits",) if "limits" in top.data else (), "a list of limits", shown(entries))
        return
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            yield from _entry_problems(Node(document, ("limits", number), entry))
        else:
            yield top.error(("limits", number), f"limits of a measurement, such as {EXAMPLE}", shown(entry))


def _entry_problems(entry: Node) -> Iterator[RecipeError]:
    yield from _unknown(entry, WORDS)
    for name in PLACE:
        if name in entry.data and not isinstance(entry.data[name], str):
            yield entry.error((name,), "text", shown(entry.data[name]))
    yield from _mapping_problems(entry)
    if "measurement" not in entry.data:
        yield entry.error((), "the name of a measurement", "none")
    if not entry.data.keys() & LIMITS.keys():
        yield entry.error((), f"a limit: {', '.join(LIMITS)}", "none")
    yield from _bounds(entry)
    for warn in entry.children(WARN):
        yield from _unknown(warn, LIMITS)
        yield from _bounds(warn)
    yield from consistent_warnings(entry)


def _mapping_problems(entry: Node) -> Iterator[RecipeError]:
    for name, expected in MAPPINGS.items():
        if name in entry.data and not isinstance(entry.data[name], dict):
            yield entry.error((name,), expected, shown(entry.data[name]))
    for where in entry.children(WHERE):
        for name, wanted in where.data.items():
            if not isinstance(wanted, (str, int, float)):
                yield where.error((name,), "text, a number, true or false", shown(wanted))


def _bounds(node: Node) -> Iterator[RecipeError]:
    """Bounds of another kind than their criterion takes."""
    kinds = {"number": is_number, "list": _is(list), "text": _is(str), "mapping": _is(dict)}
    for word, criterion in LIMITS.items():
        takes = kinds.get(criterion.takes)
        if word in node.data and takes is not None and not takes(node.data[word]):
            yield node.error((word,), f"a {criterion.takes}", shown(node.data[word]))


def _is(kind: type) -> Any:
    return lambda value: isinstance(value, kind)


def _unknown(node: Node, known: Collection[str]) -> Iterator[RecipeError]:
    found = unknown(node.data, known, node.path, lambda name: key_for_synonym(name, [*known]))
    return placed(node.document, found)
