# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a scriptlet on this machine, with the same executor that runs it on a host."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import StageRun
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from rack_recipes import settings
from rack_recipes.cli.debugging.python_debugger import with_debugger
from rack_recipes.cli.debugging.run_one_scriptlet import Record, ScriptletRun
from rack_recipes.cli.terminal.text_table import printable
from rack_recipes.errors import UsageError
from rack_recipes.journal.record_fields import log_record_lines
from rack_recipes.recipe.catalog.scriptlet_entry import ScriptletEntry
from rack_recipes.run.stage.host_request import Request, StageInputs, make_request

RUN, HOST = "debug", "localhost"
LEASE = 3600.0  # seconds; the executor is in this process, so no lease can run out
DROP_INS = "scriptlets"


def run_locally(debug_run: ScriptletRun, *, pdb: bool) -> list[Record]:
    """Run the scriptlet and return its records; log records are printed as they come.

    With `pdb` it stops in the debugger. Raises UsageError if its arguments are wrong.
    """
    request = _request(debug_run, "" if pdb else debug_run.log_level)
    records: list[Record] = []

    def collect(record: Record) -> None:
        records.append(record)
        if record["kind"] == "log":
            sys.stderr.writelines(f"{printable(line)}\n" for line in log_record_lines(record, RUN))
            sys.stderr.flush()

    with TemporaryDirectory(prefix="rack-recipes-") as work, _importable(debug_run.entry):
        _unpack(request, Path(work))
        if pdb:
            request.message["steps"][0]["class"] = with_debugger(debug_run.entry)
        with chdir(work):
            StageRun(request.message, Launcher(request.message, work, work), collect, lambda: True).run()
    return records


def _request(debug_run: ScriptletRun, log_level: str) -> Request:
    entry = debug_run.entry
    step = {
        "name": debug_run.name,
        "type": entry.kind,
        "module": entry.name,
        "function": entry.function,
        "args": debug_run.args,
        "scope": entry.scope,
        "success": "none",
    }
    around = StageInputs(
        run_id=RUN,
        host="" if entry.scope == "run" else HOST,
        folders=tuple(folder.absolute() for folder in debug_run.folders),
        slots=1,
        lease=LEASE,
        own=_versioned(debug_run.own),
        run=_versioned(debug_run.run),
        hosts={host: _versioned(keys) for host, keys in debug_run.hosts.items()},
        log_level=log_level,
    )
    request = make_request(1, [step], around)
    if "invalid" in request.message["steps"][0]:
        raise UsageError(request.message["steps"][0]["invalid"])
    request.message.update(_secrets(debug_run))
    return request


def _secrets(debug_run: ScriptletRun) -> dict[str, list[str]]:
    """Return the patterns of secret names, and the values in the context that they make secret."""
    patterns = settings.load().secret_keys
    names = SecretNames(patterns)
    secrets: list[str] = []
    for keys in (debug_run.own, debug_run.run, *debug_run.hosts.values()):
        for key, value in keys.items():
            names.mask_key(key, value, secrets)
    return {"secret_keys": [*patterns], "secrets": sorted({*secrets})}


def _versioned(keys: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {key: [1, value] for key, value in keys.items()}


def _unpack(request: Request, work: Path) -> None:
    """Copy the files that would be sent to a host into `work`, with the same relative paths."""
    for inside, path in request.files:
        if inside in request.message["files"]:
            (work / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, work / inside)


@contextmanager
def _importable(entry: ScriptletEntry) -> Iterator[None]:
    """Make a drop-in importable from the author's file, under the name that it has on a host."""
    before = {name: module for name, module in sys.modules.items() if _is_drop_in(name)}
    package = ModuleType(DROP_INS)
    package.__path__ = [str(entry.path.absolute().parents[entry.inside.count("/") - 1])]
    _forget_drop_ins()
    sys.modules[DROP_INS] = package
    try:
        yield
    finally:
        _forget_drop_ins()
        sys.modules.update(before)


def _forget_drop_ins() -> None:
    for name in [name for name in sys.modules if _is_drop_in(name)]:
        del sys.modules[name]


def _is_drop_in(name: str) -> bool:
    return name.partition(".")[0] == DROP_INS
