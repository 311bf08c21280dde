# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema as a page of documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

HEAD = "| field | value | default | meaning |\n| --- | --- | --- | --- |"


def fields(schema: Mapping[str, Any], title: str = "A recipe") -> str:
    """Tables of all fields in Markdown: one for the mapping that `schema` describes, and one for each inside of it."""
    tables = [f"### {title}", "\n".join([HEAD, *rows(schema)])]
    for name, inner in schema["properties"].items():
        described = inner.get("items", inner)
        if "properties" in described:
            tables.append(fields(described, f"A step, in `{name}`" if "items" in inner else f"`{name}`"))
    return "\n\n".join(tables)


def rows(schema: Mapping[str, Any]) -> Iterator[str]:
    """A table's row for each field."""
    for name, field in schema["properties"].items():
        cells = (f"`{name}`", value(field), default(field, name in schema.get("required", ())), meaning(field))
        yield f"| {' | '.join(cell.replace('|', '\\|') for cell in cells)} |"


def value(field: Mapping[str, Any]) -> str:
    """What a field may hold, in the words of its errors."""
    words = field.get("enum")
    if words:
        return f"{', '.join(f'`{word}`' for word in words[:-1])} or `{words[-1]}`"
    return str(field["errorMessage"])


def default(field: Mapping[str, Any], required: bool) -> str:
    """What counts where a field is left out."""
    if required:
        return "required"
    return written(field["default"]) if "default" in field else ""


def meaning(field: Mapping[str, Any]) -> str:
    """What a field is for, with an example."""
    examples = " or ".join(map(written, field.get("examples", ())))
    return f"{field['description']} Example: {examples}" if examples else str(field["description"])


def written(sample: Any) -> str:
    """A value as code."""
    return f"`{sample}`" if isinstance(sample, str) and sample else f"`{json.dumps(sample)}`"
