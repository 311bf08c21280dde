# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of the schema as tables in Markdown, for the page of the documentation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rack_recipes.recipe.schema.json_schema import mappings


@dataclass(slots=True)
class FieldTable:
    """A kind of mapping: the schema of it that has most fields, and the fields that hold one."""

    schema: Mapping[str, Any] = field(default_factory=dict)
    homes: dict[str, None] = field(default_factory=dict)


HEAD = "| field | value | default | meaning |\n| --- | --- | --- | --- |"


def fields(schema: Mapping[str, Any]) -> str:
    """Tables of all fields in Markdown, one for each mapping that the schema describes."""
    found: dict[str, FieldTable] = {}
    for name, part in mappings({**schema, "title": "a recipe"}, ""):
        table = found.setdefault(part.get("title", f"`{name}`"), FieldTable())
        table.homes[f"`{name}`"] = None
        if len(part["properties"]) > len(table.schema.get("properties", ())):
            table.schema = part
    return "\n\n".join(part for title, table in found.items() for part in (heading(title, table), body(table.schema)))


def heading(title: str, table: FieldTable) -> str:
    """What a table is about, and in which fields such a mapping stands."""
    words = title[:1].upper() + title[1:]
    return f"### {words}" if title in table.homes or "``" in table.homes else f"### {words}, in {listed(table.homes)}"


def listed(words: Iterable[str]) -> str:
    """Words between commas, with an "and" before the last one."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def body(schema: Mapping[str, Any]) -> str:
    """A mapping's table."""
    return "\n".join([HEAD, *rows(schema)])


def rows(schema: Mapping[str, Any]) -> Iterator[str]:
    """A table's row for each field."""
    for name, part in schema["properties"].items():
        cells = (f"`{name}`", value(part), default(part, name in schema.get("required", ())), meaning(part))
        yield f"| {' | '.join(cell.replace('|', '\\|') for cell in cells)} |"


def value(part: Mapping[str, Any]) -> str:
    """What a field may hold, in the words of its errors."""
    words = part.get("enum")
    if words:
        first = ", ".join(f"`{word}`" for word in words[:-1])
        return " or ".join(filter(None, (first, f"`{words[-1]}`")))
    return str(part["errorMessage"])


def default(part: Mapping[str, Any], required: bool) -> str:
    """What counts where a field is left out."""
    if required:
        return "required"
    return written(part["default"]) if "default" in part else ""


def meaning(part: Mapping[str, Any]) -> str:
    """What a field is for, with an example."""
    examples = " or ".join(map(written, part.get("examples", ())))
    return f"{part['description']} Example: {examples}" if examples else str(part["description"])


def written(sample: Any) -> str:
    """A value as code."""
    return f"`{sample}`" if isinstance(sample, str) and sample else f"`{json.dumps(sample)}`"
