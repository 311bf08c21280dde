# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is asked: its part of a stage, with the arguments that Ansible has filled in for it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.discover import find
from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.model import Entry
from ansible_collections.rack.recipes.plugins.plugin_utils.compile.playbook import DEFAULTS as SAID
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.payload import executor_code, is_code, pack

FIRST_WAIT = 5.0  # seconds that the first answer may wait for the stage's end; a longer stage is polled
# A step without `reads` has not said what it reads.
DEFAULTS: Mapping[str, Any] = {**SAID, "reads": None}

Keys = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a stage finds when it starts: of the run, of the settings, of the earlier stages and of the context."""

    run_id: str
    host: str
    folders: tuple[Path, ...]
    slots: int
    lease: float
    settled: Mapping[str, str]
    own: Keys
    run: Keys
    hosts: Mapping[str, Keys]
    collected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """The message to the executor and the files that go with it."""

    message: dict[str, Any]
    files: tuple[tuple[str, Path], ...]


def make_request(number: int, steps: Sequence[Mapping[str, Any]], around: Surroundings) -> Request:
    """The request for the steps of one stage on one host. Raises UsageError or CatalogError for a wrong argument."""
    files: dict[str, Path] = {}
    return Request(
        {
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
            "collected": list(around.collected),
            "code": dict(zip(("digest", "files"), executor_code(), strict=True)),
            "steps": [_step({**DEFAULTS, **step}, around.folders, files) for step in steps],
            "files": [name for name in files if not is_code(name)],
        },
        tuple(sorted(files.items())),
    )


def wait_of(lease: float, wait: float) -> float:
    """How long a host may keep an answer back: well below the lease, which only a question renews."""
    return min(wait, lease / 3)


def stage_id(run_id: str, number: int, host: str) -> str:
    """The name of a stage's folder on its host: two names of one machine do not meet."""
    return f"{run_id}-{number}-{hashlib.sha256(host.encode()).hexdigest()[:12]}"


def prepare(steps: Sequence[Mapping[str, Any]], folders: tuple[Path, ...]) -> None:
    """Make once, before the workers are forked, what all hosts of a stage get. Raises as `make_request` does."""
    pack(files_of(steps, folders))
    executor_code()


def files_of(steps: Sequence[Mapping[str, Any]], folders: tuple[Path, ...]) -> tuple[tuple[str, Path], ...]:
    """The scriptlets and files that a stage's steps need where no template decides on them."""
    files: dict[str, Path] = {}
    for step in steps:
        args = step.get("args") or {}
        _step({**DEFAULTS, **step, "args": {} if "{{" in str(args.get("src", "")) else args}, folders, files)
    return tuple(sorted(files.items()))


@cache
def _find(module: str, function: str, kind: str, folders: tuple[Path, ...]) -> Entry:
    """The scriptlet, found once: all hosts of a run get the same, and a worker inherits what is known."""
    return find(module, function, kind, folders)


def _step(step: Mapping[str, Any], folders: tuple[Path, ...], files: dict[str, Path]) -> dict[str, Any]:
    entry = _find(step["module"], step["function"], step["type"], folders)
    files[entry.inside] = entry.path
    args = step.get("args") or {}
    files.update(project_files(args))
    return {
        "name": step["name"],
        "kind": entry.kind,
        "args": args,
        "options": entry.options,
        "reads": _reads(step["reads"], entry),
        "depends_on": list(step["depends_on"]),
        "after": list(step["after"]),
        "scope": step["scope"],
        "timeout": step["timeout"],
        "retry": step["retry"],
        "parallel": step["parallel"],
        "success": step.get("success") or {},
        **_program(entry),
    }


def _reads(declared: Collection[str] | None, entry: Entry) -> list[str] | None:
    """The keys that the step may read; None where nobody said."""
    return None if entry.reads is None and declared is None else sorted({*(declared or ()), *(entry.reads or ())})


def _program(entry: Entry) -> dict[str, Any]:
    if entry.kind == "python":
        module = ".".join(PurePosixPath(entry.inside).with_suffix("").parts)
        return {"module": module, "function": entry.function}
    return {"file": entry.inside, "digest": entry.digest, "flags": list(entry.flags)}


def project_files(args: Mapping[str, Any]) -> dict[str, Path]:
    """The project's file that a relative `src` names; it travels with the stage, under the same path."""
    src = args.get("src")
    if not isinstance(src, str) or not src or src.startswith("/") or "${" in src:
        return {}
    path = Path(src)
    if ".." in path.parts or not path.is_file():
        raise UsageError(f"src: expected a file inside the project, or an absolute path of the host, got {src!r}")
    return {path.as_posix(): path.absolute()}
