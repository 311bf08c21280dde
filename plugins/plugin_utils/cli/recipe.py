# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands about recipes: plan, compile, validate, scriptlets. None of them runs anything."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils import settings as project
from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.discover import faults, list_all
from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.model import Entry
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.table import to_text
from ansible_collections.rack.recipes.plugins.plugin_utils.compile.file import plan_of
from ansible_collections.rack.recipes.plugins.plugin_utils.compile.playbook import to_playbook
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError, RecipeError, RecipeErrors
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.show import FORMATS

Answer = tuple[dict[str, Any] | str | None, int]


def plan(options: argparse.Namespace) -> Answer:
    """Show what would happen."""
    return FORMATS["json" if options.json else options.format](plan_of(options.recipe)), 0


def compile(options: argparse.Namespace) -> Answer:  # noqa: A001 - commands are functions of their names
    """Print the playbook."""
    return to_playbook(plan_of(options.recipe)), 0


def validate(options: argparse.Namespace) -> Answer:
    """Check recipes, all of them, whatever is wrong with the first."""
    problems: list[dict[str, Any]] = []
    for recipe in options.recipes:
        try:
            plan_of(recipe)
        except RackError as error:
            found = error.errors if isinstance(error, RecipeErrors) else (error,)
            problems += [_problem(recipe, one) for one in found]
    for problem in problems:
        sys.stderr.write(f"{problem['text']}\n")
    code = 2 if problems else 0
    return {"status": "error" if problems else "ok", "recipes": len(options.recipes), "problems": problems}, code


def _problem(recipe: str, error: RackError) -> dict[str, Any]:
    if not isinstance(error, RecipeError):
        return {"file": recipe, "line": 1, "column": 1, "text": str(error)}
    place = error.place
    located = {"file": place.file, "line": place.line, "column": place.column}
    return {**located, "expected": error.expected, "got": error.got, "near": error.near, "text": str(error)}


def scriptlets(options: argparse.Namespace) -> Answer:
    """List what there is."""
    folders = tuple(map(Path, project.load().scriptlets))
    entries = list_all(folders)
    for fault in faults(folders):
        sys.stderr.write(f"left out: {fault}\n")
    if options.json:
        return {"scriptlets": [_entry_data(entry) for entry in entries]}, 0
    rows = [(entry.name, entry.kind, entry.source, _arguments(entry), entry.description) for entry in entries]
    return to_text(("module", "type", "from", "arguments", "what it does"), rows), 0


def _entry_data(entry: Entry) -> dict[str, Any]:
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
    }


def _arguments(entry: Entry) -> str:
    if entry.options is None:
        return "any"
    return " ".join(name if spec.get("required") else f"[{name}]" for name, spec in entry.options.items())
