# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one scriptlet by itself.

Reads the options and the file of --context, runs it here with the executor or on a host as a recipe of one step,
prints what it did.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import spec_of
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import check_key, check_value, shortened
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL, level_named
from ansible_collections.rack.recipes.plugins.module_utils.language.references import parse_reference
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes import settings
from rack_recipes.cli.command_options import Answer
from rack_recipes.cli.command_table import parser_of
from rack_recipes.cli.running.param_options import read_mapping, split_assignment
from rack_recipes.cli.terminal import painter, printable
from rack_recipes.errors import CatalogError, UsageError
from rack_recipes.journal.record_fields import log_record_lines
from rack_recipes.private_files import make_private
from rack_recipes.recipe.catalog.find_scriptlet import find_scriptlet
from rack_recipes.recipe.param_values import FITS, READERS
from rack_recipes.recipe.rules.references import STARTS, reference_texts
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.shell_texts import has_variables
from rack_recipes.recipe.substitution import REFERENCE
from rack_recipes.recipe.values_in_messages import listed

if TYPE_CHECKING:
    from rack_recipes.run.host.host_request import Request
LOCAL = "localhost"  # this machine's name as a host
HOST_OF_RUN_KEYS = ""  # the host of the run's own keys in `ctx show --json`
Keys = Mapping[str, Any]


def read_context(path: str, entry: ScriptletEntry, host: str | None) -> dict[str, Any]:
    """Return the scriptlet's own keys, those of the run and those of other hosts, as arguments of ScriptletRun.

    The file has the keys of one host, or it is the output of `ctx show --json`. With `--host` that output has one
    host's `values`. Without it, it has the keys of all hosts, and `host` says which of them is meant (None for this
    machine). Raises UsageError.
    """
    data = read_mapping("--context", path)
    if not isinstance(data.get("context"), list):
        return {"own": _keys(path, data)}
    hosts = _keys_by_host(path, data["context"])
    run = hosts.pop(HOST_OF_RUN_KEYS, {})
    if isinstance(data.get("values"), dict):
        return {"own": _keys(path, data["values"]), "run": run, "hosts": hosts}
    own = {} if entry.scope == "run" else hosts.pop(_own_host(path, hosts, host), {})
    return {"own": own, "run": run, "hosts": hosts}


def _keys_by_host(path: str, entries: Sequence[Any]) -> dict[str, Keys]:
    """Return the keys by host; those of the run are under RUN."""
    keys_by_host: dict[str, dict[str, Any]] = {}
    try:
        for entry in entries:
            keys_by_host.setdefault(entry["host"], {})[entry["key"]] = entry["value"]
    except (KeyError, TypeError):
        expected = "expected what `rack-recipes ctx show --json` prints, where all of `context` has host, key and value"
        raise UsageError(f"--context: {path}: {expected}") from None
    return {place: _keys(path, keys) for place, keys in keys_by_host.items()}


def _own_host(path: str, hosts: Collection[str], host: str | None) -> str:
    """Return the host whose keys the scriptlet gets; on this machine a single host may have any name.

    Raises UsageError if it is not clear which host is meant.
    """
    if (host or LOCAL) in hosts or not hosts:
        return host or LOCAL
    if not host and len(hosts) == 1:
        return next(iter(hosts))
    name_it = "" if host else "name it with --host, or "
    raise UsageError(
        f"--context: {path}: expected keys of {host or 'one host'}, got those of {listed(sorted(hosts))}: "
        f"{name_it}give what `rack-recipes ctx show --host NAME --json` prints"
    )


def _keys(path: str, values: Keys) -> dict[str, Any]:
    try:
        return {check_key(key): check_value(value, key) for key, value in values.items()}
    except ValueError as error:
        raise UsageError(shortened(f"--context: {path}: {error}")) from error


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
        entry = debug_run.entry
        got = f"host {options.host}" if options.host else f"{entry.path} (type: {entry.kind})"
        raise UsageError(f"--pdb: expected a Python scriptlet on this machine, got {got}")
    if options.host:
        records, answer = run_on_host(debug_run, options)
    else:
        from rack_recipes.run.trust.check_trust import check_debug

        check_debug(debug_run.entry.name, settings.load())
        _check_references(debug_run)
        records, answer = run_locally(debug_run, pdb=options.pdb), {}
    last = [record for record in records if record["kind"] == "step" and record["step"] == debug_run.name][-1]
    deltas = [record for record in records if record["kind"] == "delta" and record["step"] == debug_run.name]
    print_result(last, with_output=options.pdb)  # a log has what its level shows of it
    code = 0 if last["verdict"] in PASSING else 3 if last["verdict"] == "unreachable" else 1
    return {**envelope_of(last, deltas), **answer}, code


def _check_references(debug_run: ScriptletRun) -> None:
    """Raise UsageError for a `${...}` that is no reference, as a recipe does; here no template can escape it."""
    entry = debug_run.entry
    for path, text in reference_texts(debug_run.args, ()):
        name = str(path[0])
        starts = () if has_variables(entry.kind, entry.name, name, debug_run.args[name]) else STARTS.finditer(text)
        for start in starts:
            reference = REFERENCE.match(text, start.start())
            if reference is None or parse_reference(reference) is None:
                such = "${numbers.stats_v1.mean}" if entry.scope == "run" else "${host} or ${numbers.stats_v1.mean}"
                raise UsageError(f"argument {name!r}: expected a reference, such as {such}, got {shortened(text)!r}")


def _debug_run(options: argparse.Namespace) -> ScriptletRun:
    folders = tuple(map(Path, settings.load().scriptlets))
    entry = _find_entry(options, folders)
    words = (split_assignment("--arg", word) for word in options.arg)
    args = {**_args(options.args), **{name: _value(entry, name, text) for name, text in words}}
    context = read_context(options.context, entry, options.host) if options.context is not None else {}
    return ScriptletRun(entry, folders, args, **context, log_level=level_named(options.log_level))


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


def print_result(step: Record, *, with_output: bool) -> None:
    """Print to stderr what the scriptlet measured and used, its verdict, and if asked what it printed."""
    paint = painter(sys.stderr)
    for attempt in step["attempts"][-1:]:
        for stream in ("stdout", "stderr") if with_output else ():
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


RUN = "debug"
LEASE = 3600.0  # seconds; the executor is in this process, so no lease can run out
DROP_INS = "scriptlets"


def run_locally(debug_run: ScriptletRun, *, pdb: bool) -> list[Record]:
    """Run the scriptlet and return its records; log records are printed as they come.

    With `pdb` it stops in the debugger. Raises UsageError if its arguments are wrong.
    """
    from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import StageRun

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
            from rack_recipes.cli.debugging.python_debugger import with_debugger

            request.message["steps"][0]["class"] = with_debugger(debug_run.entry)
        with chdir(work):
            StageRun(request.message, Launcher(request.message, work, work), collect, lambda: True).run()
    return records


def _request(debug_run: ScriptletRun, log_level: str) -> Request:
    from rack_recipes.run.host.host_request import StageInputs, make_request

    entry = debug_run.entry
    step = {**_step(debug_run), "function": entry.function, "scope": entry.scope}
    around = StageInputs(
        run_id=RUN,
        host="" if entry.scope == "run" else LOCAL,
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


def _versioned(keys: Mapping[str, object]) -> dict[str, list[Any]]:
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


def run_on_host(debug_run: ScriptletRun, options: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    """Run the scriptlet and return the records of the run, and what the answer has in addition. Raises RackError."""
    from rack_recipes.cli.running.run import start_run
    from rack_recipes.journal.reader import JournalReader

    if debug_run.entry.scope == "run":
        raise UsageError(f"--host: {debug_run.entry.name} is meant for the controller (scope: run), leave --host out")
    runs = Path(settings.load().runs)
    folder = runs.parent / "debug"
    make_private(folder)
    recipe = folder / f"{debug_run.name}.yml"
    meta = {"test_id": f"DEBUG {debug_run.entry.name}", "description": "One scriptlet by itself"}
    step = {**_step(debug_run), **({"function": debug_run.entry.function} if debug_run.entry.function else {})}
    recipe.write_text(json.dumps({"test_meta": meta, "hosts": options.host, "steps": [step]}), encoding="utf-8")
    asked = parser_of("run").parse([str(recipe), *_options(debug_run, options, folder)])
    asked.ansible = options.ansible
    answer, _code = start_run(asked, show_summary=False)
    journal = runs / answer["run_id"] / JOURNAL
    records: list[Record] = [*JournalReader(journal).records()]
    return records, {"run_id": answer["run_id"]}


def _step(debug_run: ScriptletRun) -> dict[str, Any]:
    """The step without its function."""
    entry = debug_run.entry
    about = {"name": debug_run.name, "type": entry.kind, "module": entry.name}
    return {**about, "args": dict(debug_run.args), "success": "none"}


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
    from rack_recipes.cli.inventory_hosts import inventory_hosts

    hosts = inventory_hosts(inventories, None, [host]).of(host) or (host,)
    path = folder / f"{debug_run.name}.context.json"
    path.write_text(json.dumps({"run": debug_run.run, "hosts": dict.fromkeys(hosts, debug_run.own)}), encoding="utf-8")
    return path.absolute()
