# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `scriptlets`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.terminal import format_table, takes_colours
from rack_recipes.errors import CatalogError

if TYPE_CHECKING:
    from rack_recipes.recipe.scriptlet_entry import ScriptletEntry


@takes(
    """
    [WORD...] as words  what to look for, among recipes and roles as well: what is found has all words
    examples:
    rack-recipes scriptlets
    rack-recipes scriptlets temperature
    rack-recipes scriptlets disk.fio
    rack-recipes scriptlets nvme wear --json | jq '.found[].name'
    rack-recipes scriptlets --json | jq '.scriptlets[].name'
    """
)
def scriptlets(options: argparse.Namespace) -> Answer:
    """List the scriptlets that recipes here can use, or search them, the recipes and the roles.

    The list has name, type, arguments, and what each does; an argument in brackets may be left out. A search looks at
    names, sentences, keys, units, arguments and tools. Matches of the name come first, and a scriptlet with exactly
    this name is shown in full. `ansible-doc NAME` documents the published scriptlets. Files that cannot be used are
    named on stderr, with the reason.
    """
    if options.words:
        return _search(options)
    from rack_recipes import settings
    from rack_recipes.recipe.catalog.find_scriptlet import list_scriptlets, load_errors

    folders = tuple(map(Path, settings.load().scriptlets))
    entries = list_scriptlets(folders)
    for fault in load_errors(folders):
        sys.stderr.write(f"left out: {fault}\n")
    if options.json:
        return {"scriptlets": [_data(entry) for entry in entries]}, 0
    number = Counter(entry.name for entry in entries)
    rows = [(_name(one, number[one.name]), one.kind, one.source, _arguments(one), _about(one)) for one in entries]
    return format_table(("module", "type", "from", "arguments", "what it does"), rows), 0


def _search(options: argparse.Namespace) -> Answer:
    from rack_recipes import settings
    from rack_recipes.cli.authors.found_entries import as_text, to_data
    from rack_recipes.recipe.gallery.entry_and_search import nearest_word, search
    from rack_recipes.recipe.gallery.read_gallery import whole_gallery

    entries, left_out = whole_gallery(tuple(map(Path, settings.load().scriptlets)), Path())
    for fault in left_out:
        sys.stderr.write(f"left out: {fault}\n")
    found = search(entries, options.words)
    if not found:
        lost, near = nearest_word(entries, options.words)
        nothing = f"nothing here has {lost!r}" if lost else f"nothing here has all of {', '.join(options.words)}"
        raise CatalogError(nothing + (f" (did you mean {near!r}?)" if near else ""))
    if options.json:
        return {"found": [to_data(entry) for entry in found]}, 0
    return as_text(found, options.words, in_colour=takes_colours(sys.stdout)), 0


def _data(entry: ScriptletEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "type": entry.kind,
        "function": entry.function,
        "description": entry.description,
        "options": None if entry.options is None else dict(entry.options),
        "reads": None if entry.reads is None else list(entry.reads),
        "writes": list(entry.writes),
        "source": entry.source,
        "path": str(entry.path),
        "digest": entry.digest,
        "deprecated": entry.deprecated,
    }


def _name(entry: ScriptletEntry, number: int) -> str:
    """What a recipe has as `module`, and as `function` where the module has several."""
    return f"{entry.name} {entry.function}".rstrip() if number > 1 else entry.name


def _about(entry: ScriptletEntry) -> str:
    return f"deprecated: {entry.deprecated}. {entry.description}" if entry.deprecated else entry.description


def _arguments(entry: ScriptletEntry) -> str:
    if entry.options is None:
        return "any"
    return " ".join(name if spec.get("required") else f"[{name}]" for name, spec in entry.options.items())
