# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is asked: its part of a stage, with the arguments that Ansible has filled in for it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.resolve import find
from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.scriptlet_entry import ScriptletEntry
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import CatalogError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.payload.project_files import digest_of, project_files
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.payload.zip_payload import (
    digest_with_imports,
    executor_code,
    is_code,
    pack,
    sandbox_code,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.step_message import to_message

FIRST_WAIT = 5.0  # seconds that the first answer may wait for the stage's end; a longer stage is polled
HOOKS = ("pre_step", "post_step")

Keys = Mapping[str, Sequence[Any]]
Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StageInputs:
    """What a stage finds when it starts: of the run, of the settings, of the earlier stages and of the context.

    `recipe` is what the compiled play says of the whole recipe. `time_left` is in seconds, None without a time box.
    `halted` is why nothing may start, empty where it may. `offers` has earlier results by step.
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
    recipe: Said = field(default_factory=dict)
    params: Said = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    time_left: float | None = None
    halted: str = ""
    check: bool = False
    debug: bool = False
    offers: Mapping[str, Sequence[Said]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """The message to the executor and the files that go with it."""

    message: dict[str, Any]
    files: tuple[tuple[str, Path], ...]


@dataclass(slots=True)
class PayloadFiles:
    """The files that a stage needs, by their path inside the payload, and the digests of those that are data."""

    files: dict[str, Path] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def add(self, entry: ScriptletEntry, args: Said) -> None:
        """A scriptlet and the file that its arguments name. Raises UsageError for one that cannot travel."""
        self.files[entry.inside] = entry.path
        for name, path in project_files(args).items():
            self.files[name] = path
            self.digests[name] = digest_of(path)


Program = Callable[[Said, PayloadFiles], Said]


def make_request(number: int, steps: Sequence[Said], around: StageInputs, program: Program | None = None) -> Request:
    """The request for the steps of one stage on one host; `program` tells how a step is run, by default its scriptlet.

    Raises UsageError or CatalogError for what is wrong with a hook.
    """
    payload_files = PayloadFiles()
    program = program or (lambda step, files: _scriptlet(step, around.folders, files))
    recipe = around.recipe
    locks = {name: lock for name, lock in (recipe.get("locks") or {}).items() if lock.get("of") == "host"}
    message = {
        "id": stage_id(around.run_id, number, around.host),
        "run": around.run_id,
        "stage": number,
        "host": around.host,
        "offset": 0,
        "attach": wait_of(around.lease, FIRST_WAIT),
        "lease": around.lease,
        "slots": around.slots,
        "settled": dict(around.settled),
        "context": {"own": around.own, "run": around.run, "hosts": around.hosts},
        "params": dict(around.params),
        "secrets": list(around.secrets),
        "time_left": around.time_left,
        "time_box": recipe.get("time_box"),
        "priority": recipe.get("priority", 0),
        "fail_fast": recipe.get("fail_fast", False),
        "halted": around.halted,
        "check": around.check,
        "debug": around.debug,
        "offers": dict(around.offers),
        "locks": {name: _capacity(lock) for name, lock in locks.items()},
        "collected": list(around.collected),
        "code": dict(zip(("digest", "files"), executor_code(), strict=True)),
        "steps": [_told(step, program, payload_files, locks) for step in steps],
        "hooks": _hooks(recipe, around.folders, payload_files),
        "digests": payload_files.digests,
        "files": [name for name in payload_files.files if not is_code(name)],
    }
    return Request(message, tuple(sorted(payload_files.files.items())))


def _told(step: Said, program: Program, payload_files: PayloadFiles, locks: Collection[str]) -> dict[str, Any]:
    """A step; where it cannot be run, why: the others of its stage are none the worse for it."""
    if "invalid" in step:
        return to_message(step, {}, locks)
    try:
        return to_message(step, program(step, payload_files), locks)
    except (UsageError, CatalogError) as error:
        return to_message({**step, "invalid": str(error)}, {}, locks)


def imports_installed(message: Said) -> bool:
    """Whether a step or hook of the request is Python, which may import what is installed on the host."""
    hooks = chain.from_iterable((message.get("hooks") or {}).values())
    return any(one.get("kind") == "python" for one in chain(message.get("steps") or (), hooks))


def wait_of(lease: float, wait: float) -> float:
    """How long a host may keep an answer back: well below the lease, which only a question renews."""
    return min(wait, lease / 3)


def stage_id(run_id: str, number: int, host: str) -> str:
    """The name of a stage's folder on its host: two names of one machine do not meet."""
    return f"{run_id}-{number}-{hashlib.sha256(host.encode()).hexdigest()[:12]}"


def prepare(steps: Sequence[Said], folders: tuple[Path, ...], recipe: Said) -> None:
    """Make once, before the workers are forked, what all hosts of a stage get. Raises as `make_request` does."""
    pack(files_of(steps, folders, recipe))
    executor_code()


def files_of(steps: Sequence[Said], folders: tuple[Path, ...], recipe: Said) -> tuple[tuple[str, Path], ...]:
    """The scriptlets and files that a stage's steps and hooks need where no template decides on them."""
    payload_files = PayloadFiles()
    for step in steps:
        args = step.get("args") or {}
        _scriptlet({**step, "args": {} if "{{" in str(args.get("src", "")) else args}, folders, payload_files)
    _hooks(recipe, folders, payload_files)
    return tuple(sorted(payload_files.files.items()))


def scriptlet_of(used: Said, folders: tuple[Path, ...]) -> ScriptletEntry:
    """The scriptlet that a step or hook uses. Raises CatalogError."""
    return _found(used["module"], used.get("function", ""), used.get("type", "python"), folders)[0]


def _scriptlet(used: Said, folders: tuple[Path, ...], payload_files: PayloadFiles) -> Said:
    """The program of a step or hook that uses a scriptlet."""
    entry, program = _found(used["module"], used.get("function", ""), used.get("type", "python"), folders)
    payload_files.add(entry, used.get("args") or {})
    if used.get("sandbox") not in (None, False):
        payload_files.files.update(sandbox_code())
    return program if used.get("reads") is None else {**program, "reads": _reads(used["reads"], entry)}


@cache
def _found(module: str, function: str, kind: str, folders: tuple[Path, ...]) -> tuple[ScriptletEntry, Said]:
    """The scriptlet and its program, once: all hosts of a run get the same, and a worker inherits what is known."""
    entry = find(module, function, kind, folders)
    digest = digest_with_imports(entry.digest, entry.inside, entry.path)
    program = {"kind": entry.kind, "options": entry.options, "reads": _reads(None, entry), "digest": digest}
    return entry, {**program, **_program(entry)}


def _hooks(recipe: Said, folders: tuple[Path, ...], payload_files: PayloadFiles) -> dict[str, list[dict[str, Any]]]:
    """What runs before and after each try of each step."""
    given = recipe.get("hooks") or {}
    return {
        when: [
            {"name": hook["module"], "args": hook.get("args") or {}, **_scriptlet(hook, folders, payload_files)}
            for hook in given.get(when) or ()
        ]
        for when in HOOKS
    }


def _reads(declared: Collection[str] | None, entry: ScriptletEntry) -> list[str] | None:
    """The keys that the step may read; None where nobody said: a class that declares none may read any."""
    if entry.reads is None and (declared is None or entry.kind == "python"):
        return None
    return sorted({*(declared or ()), *(entry.reads or ())})


def _program(entry: ScriptletEntry) -> dict[str, Any]:
    if entry.kind == "python":
        module = ".".join(PurePosixPath(entry.inside).with_suffix("").parts)
        return {"module": module, "function": entry.function}
    return {"file": entry.inside, "flags": list(entry.flags)}


def _capacity(lock: Said) -> dict[str, Any]:
    return {"capacity": lock.get("capacity", 1), "settle_sec": lock.get("settle_sec", 0)}
