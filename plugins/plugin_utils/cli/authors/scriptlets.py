# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `scriptlets`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.command_table import Answer
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.shared_options import examples

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.scriptlet_entry import ScriptletEntry


def add_scriptlets(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    examples(command, "rack-recipes scriptlets", "rack-recipes scriptlets --json | jq '.scriptlets[].name'")


def scriptlets(options: argparse.Namespace) -> Answer:
    """List the scriptlets that recipes here can use: name, type, arguments, what each does.

    An argument in brackets may be left out. `ansible-doc NAME` documents the published scriptlets in full. Files that
    cannot be used are named on stderr, with the reason.
    """
    from ansible_collections.rack.recipes.plugins.plugin_utils import settings
    from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.resolve import list_all, load_errors
    from ansible_collections.rack.recipes.plugins.plugin_utils.cli.terminal.text_table import to_text

    folders = tuple(map(Path, settings.load().scriptlets))
    entries = list_all(folders)
    for fault in load_errors(folders):
        sys.stderr.write(f"left out: {fault}\n")
    if options.json:
        return {"scriptlets": [_data(entry) for entry in entries]}, 0
    rows = [(entry.name, entry.kind, entry.source, _arguments(entry), _about(entry)) for entry in entries]
    return to_text(("module", "type", "from", "arguments", "what it does"), rows), 0


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


def _about(entry: ScriptletEntry) -> str:
    return f"deprecated: {entry.deprecated}. {entry.description}" if entry.deprecated else entry.description


def _arguments(entry: ScriptletEntry) -> str:
    if entry.options is None:
        return "any"
    return " ".join(name if spec.get("required") else f"[{name}]" for name, spec in entry.options.items())
