# SPDX-License-Identifier: GPL-3.0-or-later

"""What a search in the gallery has found, as text and as data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rack_recipes.cli.terminal import format_table, printable
from rack_recipes.recipe.gallery.entry_and_search import Argument, GalleryEntry
from rack_recipes.recipe.gallery.markdown_pages import example, title
from rack_recipes.recipe.recipe_names import shipped_name

BOLD, NORMAL = "\x1b[1m", "\x1b[0m"


def as_text(entries: Sequence[GalleryEntry], words: Sequence[str], *, in_colour: bool) -> str:
    """Return those that the words name in full, and a table of the others. Words are bold where there are colours.

    A single entry is shown in full however it was found.
    """
    named = [entry for entry in entries if entry.name == " ".join(words)] or entries[: len(entries) == 1]
    others = [entry for entry in entries if entry not in named]
    text = "\n".join([*map(_in_full, named), *([_as_table(others)] if others else [])])
    return _bold(text, words) if in_colour else text


def _as_table(entries: Sequence[GalleryEntry]) -> str:
    rows = [(entry.kind, _callable(entry), entry.source, entry.sentence) for entry in entries]
    return format_table(("kind", "name", "from", "what it does"), rows)


def _callable(entry: GalleryEntry) -> str:
    """The name by which an entry is used: a shipped recipe is run by a name, not by its file."""
    is_shipped = (entry.kind, entry.source) == ("recipe", "collection")
    return shipped_name(entry.path.resolve()) if is_shipped else title(entry)


def _bold(text: str, words: Sequence[str]) -> str:
    return re.sub("|".join(map(re.escape, words)), lambda found: f"{BOLD}{found[0]}{NORMAL}", text, flags=re.IGNORECASE)


def _in_full(entry: GalleryEntry) -> str:
    facts = [
        ("file", str(entry.path)),
        ("language", entry.language),
        ("needs", "; ".join(entry.needs or ()) or "nothing"),
        *((f"sets {key}", text) for key, text in entry.keys.items()),
        *((verdict, text) for verdict, text in entry.verdicts.items()),
    ]
    arguments = [(argument.name, *_told(argument)) for argument in entry.arguments or ()]
    parts = [f"{entry.kind} {title(entry)}: {entry.sentence}.", entry.details, format_table(("", ""), facts).strip()]
    parts += [format_table(("argument", "type", "unit", "default", "meaning"), arguments).strip()] if arguments else []
    return "\n\n".join("\n".join(map(printable, part.splitlines())) for part in [*parts, example(entry)] if part) + "\n"


def _told(argument: Argument) -> tuple[str, str, str, str]:
    default = "required" if argument.required else "" if argument.default is None else str(argument.default)
    return argument.type, argument.unit, default, argument.description


def to_data(entry: GalleryEntry) -> dict[str, Any]:
    """Return an entry as JSON data."""
    data = {**asdict(entry), "path": str(entry.path), "example": example(entry) if entry.example else ""}
    data["description"] = data.pop("sentence")
    return {**data, "steps": [dict(zip(("name", "module", "hosts"), step, strict=True)) for step in entry.steps]}
