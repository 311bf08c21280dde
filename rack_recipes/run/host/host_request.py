# SPDX-License-Identifier: GPL-3.0-or-later

"""The request to a host.

It has the messages of the stage's steps, with the arguments as Ansible has filled them in for this host. A delegate
gets one request for all hosts that it stands for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import mark_if_long
from rack_recipes.errors import CatalogError, UsageError
from rack_recipes.recipe.catalog.find_scriptlet import find_scriptlet
from rack_recipes.recipe.recipe_model import Lock
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.steps_to_and_from_data import (
    COMPILED_FIELDS,
    check_hook,
    check_step,
    from_data,
    label_of,
    number,
)
from rack_recipes.run.host.project_files import check_known, digest_of, project_files, runs_files
from rack_recipes.run.host.zip_payload import (
    INSIDE,
    digest_with_imports,
    executor_code,
    is_code,
    library_of,
    pack_payload,
    sandbox_code,
)

Data = Mapping[str, Any]
ANSIBLE = "ansible"  # the type of a step that is a module of Ansible's
# Fields of a compiled step that are not sent: the controller acts on them, or they choose the program.
NOT_SENT = frozenset(
    (
        *("idx", "hosts", "writes", "module", "type", "function", "envelope", "reads", "cache_key", "members"),
        *("serve", "isolate"),
    )
)
SENT = COMPILED_FIELDS - NOT_SENT
SERVING = ("name", "idx", "limits", "sandbox", "reads")  # what a serving side has of its step
# The fields that count even where a step cannot be run.
OF_INVALID = frozenset(
    ("name", "depends_on", "after", "scope", "continue_on_fail", "always", "priority", "skip", "invalid", "when")
)
REQUIRED = frozenset(("name", "module"))
UNMET = "unmet"  # of a `when`: a template that came out as false
TRUTH_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def check_stage(arguments: Data) -> None:
    """Raise UsageError for arguments of a stage task that no compiled recipe has."""
    number, steps, locks = (arguments.get(name) for name in ("number", "steps", "locks"))
    is_stage = isinstance(number, int) and isinstance(steps, list) and steps and isinstance(locks or {}, Mapping)
    if not is_stage or not all(isinstance(step, Mapping) and step.keys() >= REQUIRED for step in steps or ()):
        raise UsageError("a stage needs its number and its steps, as a compiled recipe has them")


def to_message(step: Data, program: Data) -> dict[str, Any]:
    """A step in the recipe's words, for the executor, with its program. A dependency is there by its label.

    Of a step that is `invalid` only its place among the others is sent. Raises UsageError for a field that no step
    has, for a `when` that is neither true nor false, and for a `sandbox` that is neither true nor a mapping.
    """
    is_invalid = "invalid" in step
    if not is_invalid:
        check_step(step)
    sent = OF_INVALID if is_invalid else SENT
    found = {name: READ[name](value) if name in READ else value for name, value in step.items() if name in sent}
    return found if is_invalid else {**found, **program}


def is_true(value: object) -> bool:
    """What the Jinja expression of a `when` came out as. Raises UsageError where that is neither true nor false."""
    found = value if isinstance(value, bool) else TRUTH_WORDS.get(str(value).strip().lower())
    if found is None:
        raise UsageError(f"when: expected true or false, got {mark_if_long(repr(value))}")
    return found


def _when(written: object) -> Any:
    """Conditions, true, false, or the template that came out as false."""
    if isinstance(written, Mapping):
        return f"{written[UNMET]} is false" if UNMET in written else written
    return written if isinstance(written, (list, tuple)) else is_true(written)


def _sandbox(written: object) -> Any:
    """What the sandbox allows. Any other value must not mean that there is none."""
    if written is None or isinstance(written, (bool, Mapping)):
        return written
    raise UsageError(f"sandbox: expected true or a mapping, got {mark_if_long(repr(written))}")


READ: Mapping[str, Callable[[Any], Any]] = {
    "when": _when,
    "sandbox": _sandbox,
    "depends_on": lambda needs: [*map(label_of, needs or ())],
}
FIRST_WAIT = 5.0  # seconds that the first answer may wait for the stage's end; a longer stage is polled
HOOKS = ("pre_step", "post_step")
Keys = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class StageInputs:
    """What a stage gets beside its steps: of the run, the settings, the earlier stages and the context.

    `lease`, `step_timeout` and `time_left` are in seconds; `step_timeout` is of steps that have no timeout, None for no
    limit; `time_left` is None without a time box. `settled` has the dependencies on earlier stages that block steps.
    `own`, `run` and `hosts` hold the context of this host, of the run and of other hosts. `soon` is whether somebody
    looks on, so that the host tells each result soon. `collected` names the stages that the host may forget. `recipe`
    is what the compiled play says of the whole recipe. `halted` is why nothing may start, empty where it may. `offers`
    has earlier results by step. `waivers` are those in force on this host. `attributes` are what the `inventory` says
    of the host: the recipe has limits by them.
    """

    run_id: str
    host: str
    folders: tuple[Path, ...]
    slots: int
    lease: float
    step_timeout: float | None = None
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
    soon: bool = False
    offers: Mapping[str, Sequence[Data]] = field(default_factory=dict)
    waivers: Sequence[Data] = ()
    attributes: Data = field(default_factory=dict)
    inventory: tuple[str, ...] = ()


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
    limits = _limits_of_host(recipe.get("limits") or (), inputs.attributes)
    locks = {name: lock for name, lock in (recipe.get("locks") or {}).items() if lock.get("of") == "host"}
    message = {
        "id": stage_id(inputs.run_id, number, inputs.host),
        "run": inputs.run_id,
        "stage": number,
        "host": inputs.host,
        "offset": 0,
        "attach": wait_of(inputs.lease, FIRST_WAIT),
        **({"soon": True} if inputs.soon else {}),
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
        **({"inventory": list(inputs.inventory)} if inputs.inventory else {}),
        "offers": dict(inputs.offers),
        **({"waivers": list(inputs.waivers)} if inputs.waivers else {}),
        "locks": {name: _lock_message(name, lock) for name, lock in locks.items()},
        "collected": list(inputs.collected),
        "code": dict(zip(("digest", "files"), executor_code(), strict=True)),
        "steps": [
            _with_limits(_bounded(_step_message(step, program, payload_files), inputs.step_timeout), limits)
            for step in steps
        ],
        "hooks": _hooks(recipe, inputs.folders, payload_files),
        "digests": payload_files.digests,
        "files": [name for name in payload_files.files if not is_code(name)],
    }
    return Request(message, tuple(sorted(payload_files.files.items())))


def _bounded(message: dict[str, object], timeout: float | None) -> dict[str, Any]:
    """The message of a step with `timeout` where the recipe gives none."""
    return message if message.get("timeout") or not timeout else {**message, "timeout": timeout}


def _step_message(step: Data, program: Program, payload_files: PayloadFiles) -> dict[str, Any]:
    """The message of a step. Where it cannot be run, it says why, and the other steps of the stage run."""
    if "invalid" in step:
        return to_message(step, {})
    try:
        return to_message(step, program(step, payload_files))
    except (UsageError, CatalogError) as error:
        return to_message({**step, "invalid": str(error)}, {})


def _limits_of_host(limits: Sequence[Data], attributes: Data) -> list[dict[str, Any]]:
    """The recipe's limits for a host with these attributes, in their order."""
    if not limits:
        return []
    # a recipe without limits does not pay for this import
    from ansible_collections.rack.recipes.plugins.module_utils.language.limits_of_measurements import is_where

    own = (limit for limit in limits if is_where(limit.get("where") or {}, attributes))
    return [{word: value for word, value in limit.items() if word != "where"} for limit in own]


def _with_limits(message: dict[str, Any], limits: Sequence[Data]) -> dict[str, Any]:
    """The message with the host's limits for this step beside its criteria."""
    if not limits or "invalid" in message:
        return message
    from ansible_collections.rack.recipes.plugins.module_utils.language.limits_of_measurements import may_be_step

    found = [limit for limit in limits if may_be_step(limit.get("step", "*"), message["name"])]
    said = message.get("success") or {}
    success = {"none": True} if said == "none" else said
    return {**message, "success": {**success, "limits": found}} if found else message


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
    pack_payload(files_of(steps, folders, recipe))
    executor_code()


def files_of(steps: Sequence[Data], folders: tuple[Path, ...], recipe: Data) -> tuple[tuple[str, Path], ...]:
    """The scriptlets and files of a stage's steps and hooks, as far as no template decides on them."""
    payload_files = PayloadFiles()
    for user in (each for step in steps for each in ((step, serving_step(step)) if step.get("serve") else (step,))):
        args = user.get("args") or {}
        _scriptlet({**user, "args": {} if "{{" in str(args.get("src", "")) else args}, folders, payload_files)
    _hooks(recipe, folders, payload_files)
    return tuple(sorted(payload_files.files.items()))


def serving_step(step: Data) -> Data:
    """The step that the serving side of a step between hosts is: its own scriptlet, and nothing that judges it."""
    kept = {name: step[name] for name in SERVING if name in step}
    return {**kept, **step["serve"], "success": "none"}


def scriptlet_of(user: Data, folders: tuple[Path, ...]) -> ScriptletEntry:
    """The scriptlet that a step or hook uses. Raises CatalogError."""
    return _found(*_named(user), folders)[0]


def _named(user: Data) -> tuple[str, str, str, str]:
    """What a step or hook says of its scriptlet: module, function, type, and the word for no envelope."""
    return user["module"], user.get("function", ""), user.get("type", "python"), user.get("envelope", "")


def _scriptlet(user: Data, folders: tuple[Path, ...], payload_files: PayloadFiles) -> Data:
    """The program of a step or hook that uses a scriptlet."""
    entry, program = _found(*_named(user), folders)
    payload_files.add(entry, user.get("args") or {})
    if user.get("sandbox") not in (None, False):
        payload_files.files.update(sandbox_code())
    if user.get("envelope"):
        program = {**program, "patterns": {**(entry.patterns or {}), **(user.get("writes") or {})}}
    return program if user.get("reads") is None else {**program, "reads": _reads(user["reads"], entry)}


@cache
def _found(
    module: str, function: str, kind: str, envelope: str, folders: tuple[Path, ...]
) -> tuple[ScriptletEntry, Data]:
    """The scriptlet and its program. They are the same on all hosts of a run, and workers inherit this cache."""
    entry = find_scriptlet(module, function, kind, folders, envelope)
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
    patterns = {} if entry.patterns is None else {"patterns": dict(entry.patterns)}
    return {"file": entry.inside, "flags": list(entry.flags), **library, **patterns}


def _analyses(entry: ScriptletEntry) -> dict[str, Any]:
    """What the scriptlet reads of the run as a whole, and whether it does while others run; nothing for most."""
    found = {"reads_results": entry.reads_results, "reads_history": list(entry.reads_history), "live": entry.live}
    return {name: value for name, value in found.items() if value}


def _lock_message(name: str, data: Data) -> dict[str, Any]:
    lock = from_data(Lock, data, name=name)
    return {"capacity": lock.capacity, "settle_sec": number(lock.settle_sec)}


AT_ONCE = 32  # hosts that a delegate tests at the same time: most of them wait for their device
OWN = frozenset(("id", "host", "collected"))  # never shared, since each host has its own


def group_id(run_id: str, number: int, delegate: str) -> str:
    """The name of the folder of a stage that `delegate` runs for many hosts. No stage of one host has it."""
    return stage_id(run_id, number, f"\0{delegate}")


def group_request(name: str, requests: Sequence[Request], collected: Sequence[str]) -> Request:
    """One request, with the id `name`, for the stage of several hosts.

    `collected` names the folders that the delegate may forget.
    """
    messages = [request.message for request in requests]
    texts = [{field: json.dumps(value) for field, value in message.items()} for message in messages]
    shared = {
        field: value
        for field, value in messages[0].items()
        if field not in OWN and all(text.get(field) == texts[0][field] for text in texts)
    }
    hosts = [_own(message, shared) for message in messages]
    files = {name: path for request in requests for name, path in request.files}
    message = {**shared, "id": name, "collected": [*collected], "hosts": hosts, "at_once": AT_ONCE}
    return Request(message, tuple(sorted(files.items())))


def _own(message: dict[str, object], shared: dict[str, object]) -> dict[str, Any]:
    return {field: value for field, value in message.items() if field not in shared and field not in OWN - {"host"}}
