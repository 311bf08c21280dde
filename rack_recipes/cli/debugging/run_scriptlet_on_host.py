# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a scriptlet on a host, as a recipe with this one step."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes import settings
from rack_recipes.cli.command_table import parser_of
from rack_recipes.cli.debugging.run_one_scriptlet import Record, ScriptletRun
from rack_recipes.cli.running.preview.inventory_hosts import inventory_hosts
from rack_recipes.cli.running.run import start_run
from rack_recipes.errors import UsageError
from rack_recipes.journal.reader import JournalReader
from rack_recipes.private_files import make_private


def run_on_host(debug_run: ScriptletRun, options: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    """Run the scriptlet and return the records of the run, and what the answer has in addition. Raises RackError."""
    if debug_run.entry.scope == "run":
        raise UsageError(f"--host: {debug_run.entry.name} is meant for the controller (scope: run), leave --host out")
    runs = Path(settings.load().runs)
    folder = runs.parent / "debug"
    make_private(folder)
    recipe = folder / f"{debug_run.name}.yml"
    recipe.write_text(json.dumps({**_about(debug_run, options.host), "steps": [_step(debug_run)]}), encoding="utf-8")
    asked = parser_of("run").parse([str(recipe), *_options(debug_run, options, folder)])
    asked.ansible = options.ansible
    answer, _code = start_run(asked, show_summary=False)
    journal = runs / answer["run_id"] / JOURNAL
    records: list[Record] = [line.record for line in JournalReader(journal).read() if line.record is not None]
    return records, {"run_id": answer["run_id"]}


def _about(debug_run: ScriptletRun, host: str) -> dict[str, Any]:
    return {
        "test_meta": {"test_id": f"DEBUG {debug_run.entry.name}", "description": "One scriptlet by itself"},
        "hosts": host,
    }


def _step(debug_run: ScriptletRun) -> dict[str, Any]:
    entry = debug_run.entry
    step = {
        "name": debug_run.name,
        "type": entry.kind,
        "module": entry.name,
        "args": dict(debug_run.args),
        "success": "none",
    }
    return {**step, "function": entry.function} if entry.function else step


def _options(debug_run: ScriptletRun, options: argparse.Namespace, folder: Path) -> Iterator[str]:
    yield from (
        "--log-level",
        debug_run.log_level,
        *(word for path in options.inventory for word in ("--inventory", path)),
    )
    if debug_run.own or debug_run.run:
        yield from ("--context", str(_write_context(debug_run, options.host, options.inventory, folder)))
    yield from ("--json",) if options.json else ()


def _write_context(debug_run: ScriptletRun, host: str, inventories: Sequence[str], folder: Path) -> Path:
    """Write the file with the context that the run starts with, for each host if `host` is a pattern.

    Return its path.
    """
    hosts = inventory_hosts(inventories, None, [host]).of(host) or (host,)
    path = folder / f"{debug_run.name}.context.json"
    path.write_text(json.dumps({"run": debug_run.run, "hosts": dict.fromkeys(hosts, debug_run.own)}), encoding="utf-8")
    return path.absolute()
