# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one scriptlet by itself: reads the options, runs it here or on a host, prints what it did."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import spec_of
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes import settings
from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.debugging.context_option import read_context
from rack_recipes.cli.running.param_options import read_mapping, split_assignment
from rack_recipes.cli.terminal.colours import painter
from rack_recipes.cli.terminal.text_table import printable
from rack_recipes.errors import CatalogError, UsageError
from rack_recipes.recipe.catalog.find_scriptlet import find_scriptlet
from rack_recipes.recipe.catalog.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.param_values import FITS, READERS

KINDS = ("python", "shell", "native")
# The status of the envelope by verdict; it is ok for any other verdict.
STATUS = {"failed": "failed", "error": "error", "unreachable": "error"}

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ScriptletRun:
    """A scriptlet with its arguments and the context that it finds.

    `own` are the keys of its host, `run` those of the run, `hosts` those of other hosts.
    """

    entry: ScriptletEntry
    folders: tuple[Path, ...]
    args: Mapping[str, Any]
    own: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    log_level: str = "debug"

    @property
    def name(self) -> str:
        """The name of the step."""
        return self.entry.name.rpartition(".")[2]


def run_scriptlet(options: argparse.Namespace) -> Answer:
    """Run the scriptlet on the host that the options name, or here. Raises RackError if it cannot be run at all."""
    debug_run = _debug_run(options)
    if options.pdb and (options.host or debug_run.entry.kind != "python"):
        raise UsageError(f"--pdb: expected a Python scriptlet on this machine, got {_place(options, debug_run)}")
    if options.host:
        from rack_recipes.cli.debugging.run_scriptlet_on_host import run_on_host

        records, answer = run_on_host(debug_run, options)
    else:
        from rack_recipes.cli.debugging.run_scriptlet_locally import run_locally
        from rack_recipes.run.trust.check_trust import check_debug

        check_debug(debug_run.entry.name, settings.load())
        records, answer = run_locally(debug_run, pdb=options.pdb), {}
    last = [record for record in records if record["kind"] == "step" and record["step"] == debug_run.name][-1]
    deltas = [record for record in records if record["kind"] == "delta" and record["step"] == debug_run.name]
    print_result(last)
    return {**envelope_of(last, deltas), **answer}, 0 if last["verdict"] in PASSING else _code(last["verdict"])


def _place(options: argparse.Namespace, debug_run: ScriptletRun) -> str:
    return f"host {options.host}" if options.host else f"{debug_run.entry.path} (type: {debug_run.entry.kind})"


def _code(verdict: str) -> int:
    return 3 if verdict == "unreachable" else 1


def _debug_run(options: argparse.Namespace) -> ScriptletRun:
    folders = tuple(map(Path, settings.load().scriptlets))
    entry = _find_entry(options, folders)
    words = (split_assignment("--arg", word) for word in options.arg)
    args = {**_args(options.args), **{name: _value(entry, name, text) for name, text in words}}
    return ScriptletRun(entry, folders, args, **_context(options, entry), log_level=options.log_level)


def _context(options: argparse.Namespace, entry: ScriptletEntry) -> dict[str, Any]:
    return read_context(options.context, entry, options.host) if options.context is not None else {}


def _find_entry(options: argparse.Namespace, folders: tuple[Path, ...]) -> ScriptletEntry:
    """Return the scriptlet. Without --type the first type that has it is taken. Raises CatalogError."""
    refused: list[CatalogError] = []
    for kind in (options.type,) if options.type else KINDS:
        try:
            return find_scriptlet(options.scriptlet, options.function, kind, folders)
        except CatalogError as error:
            refused.append(error)
    raise next((error for error in refused if "has no scriptlet of type" not in str(error)), refused[0])


def _args(text: str) -> dict[str, Any]:
    if text.startswith("@"):
        return read_mapping("--args", text.removeprefix("@"))
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--args: expected a JSON object: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(
            f"--args: expected a JSON object, got {'a list' if isinstance(data, list) else 'a single value'}"
        )
    return data


def _value(entry: ScriptletEntry, name: str, text: str) -> Any:
    """Convert the text of --arg for a list or a mapping; the executor converts any other value."""
    kind = (spec_of(entry.options or {}, name) or {}).get("type", "")
    if kind not in ("list", "dict"):
        return text
    value = READERS[kind](text)
    return value if FITS[kind](value) else text


def envelope_of(step: Record, deltas: Sequence[Record]) -> dict[str, Any]:
    """Return the result of the step in the form of an envelope, with its verdict."""
    reason = {"reason": step["reason"]} if step["reason"] else {}
    code = {"exit_code": step["attempts"][-1]["exit_code"]} if step["attempts"] else {}
    found = {"findings": findings} if (findings := _findings(step)) else {}
    return {
        "status": STATUS.get(step["verdict"], "ok"),
        "verdict": step["verdict"],
        **reason,
        **code,
        "outputs": {delta["key"]: delta["after"] for delta in deltas},
        "measurements": list(step["measurements"]),
        **found,
        "seconds": step["seconds"],
    }


def _findings(step: Record) -> list[Record]:
    return [found for attempt in step["attempts"][-1:] for found in attempt.get("findings", ())]


def print_result(step: Record) -> None:
    """Print to stderr what the scriptlet printed, measured and used, and its verdict."""
    paint = painter(sys.stderr)
    for attempt in step["attempts"][-1:]:
        for stream in ("stdout", "stderr"):
            sys.stderr.writelines(f"{stream}: {printable(line)}\n" for line in attempt[stream].splitlines())
        sys.stderr.write(f"used {attempt['user_sec']:g} s of user and {attempt['system_sec']:g} s of system CPU, ")
        sys.stderr.write(f"{attempt['max_rss_kib'] / 1024:.1f} MiB of memory at most\n")
    for one in step["measurements"]:
        verdict = f"  {paint(one['verdict'], one['verdict'])}" if one.get("verdict") else ""
        sys.stderr.write(f"{printable(f'{one["name"]}: {json.dumps(one["value"])} {one["unit"]}'.rstrip())}{verdict}\n")
    for found in _findings(step):
        sys.stderr.write(f"{found['grade']}: {printable(found['title'])}\n")
    reason = f": {printable(step['reason'])}" if step["reason"] else ""
    sys.stderr.write(f"{step['step']} {paint(step['verdict'], step['verdict'])} in {step['seconds']:.3f} s{reason}\n")
