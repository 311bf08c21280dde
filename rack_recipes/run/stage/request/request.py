# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request to a host: its steps of a stage, with the arguments as Ansible has filled them in for this host."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from rack_recipes.errors import CatalogError, UsageError
from rack_recipes.recipe.catalog.resolve import find
from rack_recipes.recipe.catalog.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.recipe_model import Lock
from rack_recipes.recipe.steps_to_and_from_data import check_hook, from_data, number
from rack_recipes.run.stage.payload.pinned_code import check_known
from rack_recipes.run.stage.payload.project_files import digest_of, project_files, runs_files
from rack_recipes.run.stage.payload.script_library import INSIDE
from rack_recipes.run.stage.payload.zip_payload import (
    digest_with_imports,
    executor_code,
    is_code,
    library_of,
    pack,
    sandbox_code,
)
from rack_recipes.run.stage.request.step_message import to_message

FIRST_WAIT = 5.0  # seconds that the first answer may wait for the stage's end; a longer stage is polled
HOOKS = ("pre_step", "post_step")

Keys = Mapping[str, Sequence[Any]]
Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StageInputs:
    """What a stage gets beside its steps: of the run, the settings, the earlier stages and the context.

    `lease` and `time_left` are in seconds; `time_left` is None without a time box. `settled` has the dependencies on
    earlier stages that block steps. `own`, `run` and `hosts` hold the context of this host, of the run and of other
    hosts. `collected` names the stages that the host may forget. `recipe` is what the compiled play says of the whole
    recipe. `halted` is why nothing may start, empty where it may. `offers` has earlier results by step. `waivers` are
    those in force on this host.
    """

    run_id: str
    host: str
    folders: tuple[Path, ...]
    slots: int
    lease: float
    settled: Mapping[str, str] = field(default_factory=dict)
    own: Keys = field(default_factory=dict)
    run: Keys = field(default_factory=dict)
    hosts: Mapping[str, Keys] = field(default_factory=dict)
    collected: tuple[str, ...] = ()
    recipe: Data = field(default_factory=dict)
    params: Data = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    time_left: float | None = None
    halted: str = ""
    check: bool = False
    debug: bool = False
    log_level: str = ""
    offers: Mapping[str, Sequence[Data]] = field(default_factory=dict)
    waivers: Sequence[Data] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """The message to the executor, and the files that are sent with it: path in the payload, path on this machine."""

    message: dict[str, Any]
    files: tuple[tuple[str, Path], ...]


@dataclass(slots=True)
class PayloadFiles:
    """The files that a stage needs, by their path inside the payload, and the digests of those that are data."""

    files: dict[str, Path] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def add(self, entry: ScriptletEntry, args: Data) -> None:
        """Add a scriptlet and the file that its arguments name. Raises UsageError for one that cannot be sent."""
        self.files[entry.inside] = entry.path
        self.files.update(library_of(entry.inside, entry.path))
        for name, path in project_files(args).items():
            if runs_files(entry.options):
                check_known(name)
            self.files[name] = path
            self.digests[name] = digest_of(path)


Program = Callable[[Data, PayloadFiles], Data]


def make_request(number: int, steps: Sequence[Data], inputs: StageInputs, program: Program | None = None) -> Request:
    """The request for the steps of one stage on one host.

    `program` gives the fields of a message that say how a step is run, by default its scriptlet. Raises UsageError or
    CatalogError for what is wrong with a hook.
    """
    payload_files = PayloadFiles()
    program = program or (lambda step, files: _scriptlet(step, inputs.folders, files))
    recipe = inputs.recipe
    locks = {name: lock for name, lock in (recipe.get("locks") or {}).items() if lock.get("of") == "host"}
    message = {
        "id": stage_id(inputs.run_id, number, inputs.host),
        "run": inputs.run_id,
        "stage": number,
        "host": inputs.host,
        "offset": 0,
        "attach": wait_of(inputs.lease, FIRST_WAIT),
        "lease": inputs.lease,
        "slots": inputs.slots,
        "settled": dict(inputs.settled),
        "context": {"own": inputs.own, "run": inputs.run, "hosts": inputs.hosts},
        "params": dict(inputs.params),
        "secrets": list(inputs.secrets),
        "time_left": inputs.time_left,
        "time_box": recipe.get("time_box"),
        "priority": recipe.get("priority", 0),
        "fail_fast": recipe.get("fail_fast", False),
        "halted": inputs.halted,
        "check": inputs.check,
        "debug": inputs.debug,
        **({"log_level": inputs.log_level} if inputs.log_level else {}),
        "offers": dict(inputs.offers),
        **({"waivers": list(inputs.waivers)} if inputs.waivers else {}),
        "locks": {name: _lock_message(name, lock) for name, lock in locks.items()},
        "collected": list(inputs.collected),
        "code": dict(zip(("digest", "files"), executor_code(), strict=True)),
        "steps": [_step_message(step, program, payload_files, locks) for step in steps],
        "hooks": _hooks(recipe, inputs.folders, payload_files),
        "digests": payload_files.digests,
        "files": [name for name in payload_files.files if not is_code(name)],
    }
    return Request(message, tuple(sorted(payload_files.files.items())))


def _step_message(step: Data, program: Program, payload_files: PayloadFiles, locks: Collection[str]) -> dict[str, Any]:
    """The message of a step. Where it cannot be run, it says why, and the other steps of the stage run."""
    if "invalid" in step:
        return to_message(step, {}, locks)
    try:
        return to_message(step, program(step, payload_files), locks)
    except (UsageError, CatalogError) as error:
        return to_message({**step, "invalid": str(error)}, {}, locks)


def imports_installed(message: Data) -> bool:
    """Whether a step or hook of the request is Python, which may import what is installed on the host."""
    return any(one.get("kind") == "python" for one in _programs(message))


def uses_live(message: Data) -> bool:
    """Whether a step or hook of the request uses the live bus."""
    return any(one.get("live") for one in _programs(message))


def _programs(message: Data) -> Iterator[Data]:
    parts = (message, *(message.get("hosts") or ()))
    steps = (step for part in parts for step in part.get("steps") or ())
    hooks = (hook for part in parts for found in (part.get("hooks") or {}).values() for hook in found)
    return chain(steps, hooks)


def wait_of(lease: float, wait: float) -> float:
    """For how many seconds a host may delay its answer: far fewer than the lease, which only a request renews."""
    return min(wait, lease / 3)


def stage_id(run_id: str, number: int, host: str) -> str:
    """The name of a stage's folder on its host. Two names of one machine get two folders."""
    return f"{run_id}-{number}-{hashlib.sha256(host.encode()).hexdigest()[:12]}"


def prepare(steps: Sequence[Data], folders: tuple[Path, ...], recipe: Data) -> None:
    """Make what is the same for all hosts of a stage once, before workers are forked. Raises as `make_request` does."""
    pack(files_of(steps, folders, recipe))
    executor_code()


def files_of(steps: Sequence[Data], folders: tuple[Path, ...], recipe: Data) -> tuple[tuple[str, Path], ...]:
    """The scriptlets and files of a stage's steps and hooks, as far as no template decides on them."""
    payload_files = PayloadFiles()
    for step in steps:
        args = step.get("args") or {}
        _scriptlet({**step, "args": {} if "{{" in str(args.get("src", "")) else args}, folders, payload_files)
    _hooks(recipe, folders, payload_files)
    return tuple(sorted(payload_files.files.items()))


def scriptlet_of(user: Data, folders: tuple[Path, ...]) -> ScriptletEntry:
    """The scriptlet that a step or hook uses. Raises CatalogError."""
    return _found(user["module"], user.get("function", ""), user.get("type", "python"), folders)[0]


def _scriptlet(user: Data, folders: tuple[Path, ...], payload_files: PayloadFiles) -> Data:
    """The program of a step or hook that uses a scriptlet."""
    entry, program = _found(user["module"], user.get("function", ""), user.get("type", "python"), folders)
    payload_files.add(entry, user.get("args") or {})
    if user.get("sandbox") not in (None, False):
        payload_files.files.update(sandbox_code())
    return program if user.get("reads") is None else {**program, "reads": _reads(user["reads"], entry)}


@cache
def _found(module: str, function: str, kind: str, folders: tuple[Path, ...]) -> tuple[ScriptletEntry, Data]:
    """The scriptlet and its program. They are the same on all hosts of a run, and workers inherit this cache."""
    entry = find(module, function, kind, folders)
    digest = digest_with_imports(entry.digest, entry.inside, entry.path)
    program = {"kind": entry.kind, "options": entry.options, "reads": _reads(None, entry), "digest": digest}
    return entry, {**program, **_program(entry), **_analyses(entry)}


def _hooks(recipe: Data, folders: tuple[Path, ...], payload_files: PayloadFiles) -> dict[str, list[dict[str, Any]]]:
    """What runs before and after each try of each step. Raises UsageError for a field that no hook has."""
    hooks = recipe.get("hooks") or {}
    for hook in chain.from_iterable(hooks.values()):
        check_hook(hook)
    return {
        when: [
            {"name": hook["module"], "args": hook.get("args") or {}, **_scriptlet(hook, folders, payload_files)}
            for hook in hooks.get(when) or ()
        ]
        for when in HOOKS
    }


def _reads(declared: Collection[str] | None, entry: ScriptletEntry) -> list[str] | None:
    """The keys that the step may read. None where it may read any: a Python class that declares none may."""
    if entry.reads is None and (declared is None or entry.kind == "python"):
        return None
    return sorted({*(declared or ()), *(entry.reads or ())})


def _program(entry: ScriptletEntry) -> dict[str, Any]:
    if entry.kind == "python":
        module = ".".join(PurePosixPath(entry.inside).with_suffix("").parts)
        return {"module": module, "function": entry.function}
    library = {"library": INSIDE} if library_of(entry.inside, entry.path) else {}
    return {"file": entry.inside, "flags": list(entry.flags), **library}


def _analyses(entry: ScriptletEntry) -> dict[str, Any]:
    """What the scriptlet reads of the run as a whole, and whether it does while others run; nothing for most."""
    found = {"reads_results": entry.reads_results, "reads_history": list(entry.reads_history), "live": entry.live}
    return {name: value for name, value in found.items() if value}


def _lock_message(name: str, data: Data) -> dict[str, Any]:
    lock = from_data(Lock, data, name=name)
    return {"capacity": lock.capacity, "settle_sec": number(lock.settle_sec)}
