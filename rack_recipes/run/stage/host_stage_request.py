# SPDX-License-Identifier: GPL-3.0-or-later

"""A stage on one host, and the request that is sent to the host for it, with the secrets that the host has to hide.

Digests of inputs with secrets have a salt. It is in a file of its own, apart from the results: with a digest alone,
whoever can read the store could try out short passwords. Controllers with different salts do not reuse each other's
results of steps with secrets; copy the file where they should.

Secret for a host are

- the recipe's secret parameters, and what steps of any host have registered by now,
- the values of its variables that came out of a vault, and its passwords for Ansible's connection,
- variables, arguments and keys with the name of a secret (the setting `secret_keys`),
- the values of no_log options, and all arguments where the task itself has no_log,
- those secrets of other hosts that its arguments show.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.constants import LOCALHOST
from ansible.plugins.action import ActionBase
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames, long_texts_of, secrets_in
from rack_recipes.errors import UsageError
from rack_recipes.journal.allowed_records import Sender
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import Record
from rack_recipes.journal.step_results_and_end_status import StepEnd
from rack_recipes.plan.compile.action_names import CONTROLLER, RECIPE_VARIABLE
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.run.current_run import RUN_HOST, Run
from rack_recipes.run.delegates import delegate_of, starts_programs, told_through
from rack_recipes.run.host.bypass_ansible_templating import mark, unmark
from rack_recipes.run.host.host_request import (
    ANSIBLE,
    Program,
    Request,
    StageInputs,
    group_id,
    group_request,
    make_request,
    scriptlet_of,
    stage_id,
)
from rack_recipes.run.host.host_threads import lease_on_hosts
from rack_recipes.run.run_secrets import (
    LOOPS,
    VaultValues,
    literal,
    literal_secrets_of,
    own_variables,
    secrets_shown_in,
)
from rack_recipes.run.stage.startable_steps import blocking_verdicts, halt_reason, time_left

SIZE = 32  # bytes
WHAT = "salt of the digests of secrets"
NAME = "salt"


def salt_beside(runs: Path) -> str:
    """The salt beside the folder of runs, in hexadecimal; it is made where it is missing.

    Raises UsageError where the file cannot be used.
    """
    path = runs.parent / NAME
    try:
        try:
            salt = _read(path)
        except FileNotFoundError:
            _make(path)
            salt = _read(path)
    except OSError as error:
        raise UsageError(f"{path} ({WHAT}): {error.strerror}") from error
    if len(salt) != SIZE:
        raise UsageError(f"{path} ({WHAT}): expected {SIZE} bytes, found {len(salt)}: remove it")
    return salt.hex()


def _read(path: Path) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(file).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(f"{path} ({WHAT}): others can read it: chmod 600, or remove it")
        return os.read(file, SIZE + 1)
    finally:
        os.close(file)


def _make(path: Path) -> None:
    """Make the file complete and once only: several workers may begin at the same time."""
    make_private(path.parent)
    partial = path.with_name(f".{NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        os.write(file, secrets.token_bytes(SIZE))
        os.fsync(file)
        with suppress(FileExistsError):
            path.hardlink_to(partial)
    finally:
        os.close(file)
        partial.unlink()


Steps = Sequence[Mapping[str, Any]]
Locks = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class HostStage:
    """A stage on one host: its steps there, and the locks that these steps share with other hosts.

    `template` fills in the templates of a value with the variables of this host, which are `task_vars`.
    """

    run: Run
    number: int
    host: str
    steps: Steps
    locks: Locks
    action: ActionBase
    task_vars: Mapping[str, Any]
    template: Callable[[Any], Any]

    @property
    def is_module(self) -> bool:
        """Whether its one step is a module of Ansible's; such a step is always a stage of its own."""
        return bool(self.steps[0].get("type") == ANSIBLE)

    @property
    def is_check(self) -> bool:
        """Whether Ansible runs in check mode."""
        return bool(self.action._task.check_mode)

    @property
    def becomes(self) -> bool:
        """Whether its steps run as another user than the one who logs in."""
        return bool(getattr(self.action._connection, "become", None))

    @property
    def starts_programs(self) -> bool:
        """Whether the connection starts programs on its host; those of network devices do it on the controller."""
        return starts_programs(self.action._connection)

    @property
    def tests_from_outside(self) -> bool:
        """Whether a module of Ansible's runs on another machine than the host, such as one that asks a device's API."""
        if self.host in (RUN_HOST, *LOCALHOST):
            return False
        return bool(self.delegate) or self.action._connection.transport == "local" or not self.starts_programs

    @property
    def delegate(self) -> str:
        """The host that runs its steps on behalf of its own one; empty where that one does."""
        return delegate_of(self.action._task.delegate_to, self.host)

    def of_lock(self, name: str) -> Any:
        """The value of which there is one lock each: the host that really runs the steps, or a variable of the host.

        None where the host has no such variable, or where the stage runs once for the run.
        """
        if name == "delegate":
            return self.delegate or self.host or CONTROLLER
        value = None if self.host == RUN_HOST else self.task_vars.get(name)
        return transform_to_native_types(self.template(value))


@dataclass(frozen=True, slots=True)
class StageTask:
    """What one task of Ansible's runs: a stage on one host or, through `delegate`, on all hosts of a group."""

    stages: tuple[HostStage, ...]
    delegate: str = ""

    @property
    def first(self) -> HostStage:
        """The stage of the host that the task is for."""
        return self.stages[0]

    @property
    def run(self) -> Run:
        """The run."""
        return self.first.run

    @property
    def number(self) -> int:
        """The number of the stage."""
        return self.first.number

    @property
    def id(self) -> str:
        """The name of its folder on the host that runs it."""
        return self.id_of(self.run.run_id, self.number)

    def id_of(self, run_id: str, number: int) -> str:
        """The name of the folder of another stage, or of another run, for the same hosts."""
        if self.delegate:
            return group_id(run_id, number, self.delegate)
        return stage_id(run_id, number, self.first.host)

    def sender(self) -> Sender:
        """Who answers: the host, or the delegate of several, with the steps that it may speak of."""
        return Sender(self.number, {stage.host: [str(step["name"]) for step in stage.steps] for stage in self.stages})

    def request(self) -> Request:
        """The request for the stage, by the results and the context of now. Raises RackError."""
        requests = [request_of(stage, None) for stage in self.stages]
        return group_request(self.id, requests, self._collected()) if self.delegate else requests[0]

    def told(self, records: Sequence[Record]) -> list[Record]:
        """The records of these hosts, which say through which host each step ran."""
        delegates = {stage.host: stage.delegate for stage in self.stages}
        if not any(delegates.values()):
            return [*records]
        return [each for record in records for each in told_through([record], delegates.get(record["host"], ""))]

    def _collected(self) -> list[str]:
        """The earlier stages of the delegate that it may forget: the journal has the results of all of their hosts."""
        run, earlier = self.run, self.run.delegates.before(self.number, self.delegate)
        ended = {number: _are_sure(run, number, hosts) for number, hosts in earlier.items()}
        return [self.id_of(run.run_id, number) for number, is_sure in ended.items() if is_sure]


def _are_sure(run: Run, number: int, hosts: Collection[str]) -> bool:
    steps = [step for step in run.steps.values() if step.stage == number and step.name not in run.left_out]
    return all(_is_sure(run.end_of(step.name, host)) for step in steps for host in step.hosts if host in hosts)


def request_of(stage: HostStage, program: Program | None) -> Request:
    """The request for the stage, by the results and the context of now.

    `program` runs a module of Ansible's, None for other stages. Raises RackError where an argument is wrong.
    """
    run, host, settings = stage.run, stage.host, stage.run.settings
    inputs = StageInputs(
        run_id=run.run_id,
        host=host,
        folders=tuple(Path(folder) for folder in settings.scriptlets),
        slots=settings.slots,
        lease=lease_on_hosts(settings.reconnect_timeout),
        step_timeout=settings.step_timeout or None,
        settled=blocking_verdicts(run, stage.steps, host),
        own=run.context.held(host),
        run=run.context.held(),
        hosts=_others(stage),
        collected=_collected(run, stage.number, host),
        recipe=_recipe(stage, with_hooks=not stage.is_check),
        params=run.inputs.params,
        time_left=time_left(run),
        halted=halt_reason(run, host),
        check=stage.is_check and not stage.is_module,  # Ansible's modules have a check mode of their own
        debug=settings.debug,
        log_level=settings.log_level,
        soon=settings.are_results_wanted_soon,
        offers=run.reusable.offers(stage.steps, host, stage.delegate),
        waivers=run.inputs.waivers.of(host),
        attributes=run.inputs.attributes.get(host, {}),
        inventory=run.inputs.inventory,
    )
    request = make_request(stage.number, stage.steps, inputs, program)
    for step in request.message["steps"]:
        if "invalid" in step:
            step["invalid"] = run.hidden(step["invalid"])  # the reason shows a wrong argument as it is
    if any("reads_results" in step or "reads_history" in step for step in request.message["steps"]):
        _add_analysis(stage, request.message)
    add_secrets(stage, request.message)
    return request


def _add_analysis(stage: HostStage, message: dict[str, Any]) -> None:
    # only scriptlets that analyse their run pay for this import
    from rack_recipes.run.stage.analysis_data import analysis_data

    message["analysis"], problem = analysis_data(stage.run, message["steps"])
    if problem:
        text = stage.run.hidden(problem)
        append(stage.run.path, [{"kind": "warning", "time": now(), "text": text}])
        stage.action._display.warning(f"rack.recipes.stage: {text}")


def _collected(run: Run, number: int, host: str) -> tuple[str, ...]:
    """The stages before this one that the host may forget: the journal has all of their results."""
    mine = (step for step in run.steps.values() if host in step.hosts and step.name not in run.left_out)
    open_stages = {step.stage for step in mine if step.stage < number and not _is_sure(run.end_of(step.name, host))}
    return tuple(stage_id(run.run_id, stage, host) for stage in range(1, number) if stage not in open_stages)


def _is_sure(end: StepEnd | None) -> bool:
    return end is not None and end.sure


def _others(stage: HostStage) -> dict[str, Any]:
    """The context of other hosts that the steps read: all of it for a step of the run, else the keys named with @."""
    context, planned = stage.run.context, stage.run.steps
    if stage.host == RUN_HOST:
        return {name: context.held(name) for name in context.hosts() if name}
    keys = frozenset().union(*(planned[step["name"]].elsewhere for step in stage.steps))
    return {name: context.held(name, keys) for name in context.hosts() if name} if keys else {}


def _recipe(stage: HostStage, *, with_hooks: bool) -> Mapping[str, Any]:
    """The fields of the recipe; templates in the arguments of hooks are filled in, as in those of steps."""
    recipe = stage.run.inputs.recipe
    if not recipe.get("hooks"):
        return recipe
    if not with_hooks:
        return {**recipe, "hooks": {}}
    hooks = stage.template(mark(stage.task_vars[RECIPE_VARIABLE]["hooks"]))
    return {**recipe, "hooks": unmark(transform_to_native_types(hooks))}


PASSWORDS = ("password", "become_pass")  # as Ansible's own options name them


def add_secrets(stage: HostStage, message: dict[str, Any]) -> None:
    """Add the secrets and the salt of digests to the message for a host; put in the real values of masked keys."""
    registry, names = stage.run.secret_registry, SecretNames(stage.run.settings.secret_keys)
    hooks = [hook for found in (message.get("hooks") or {}).values() for hook in found]
    literals = [
        secret
        for each in (*message["steps"], *hooks)
        for secret in literal_secrets_of(each, each.get("options"), names)
    ]
    registry.hide(stage.host, [*_of_host(stage, names), *literals])
    registry.hide(stage.host, _of_others(stage, hooks))
    found = {*stage.run.inputs.secrets, *registry.secrets_for(stage.host, _declared(stage)), *_of_task(stage)}
    found.update(_revealed(stage, message["context"]))
    message["secrets"] = sorted(found)
    message["secret_keys"] = list(stage.run.settings.secret_keys)
    if found:
        message["salt"] = salt_beside(Path(stage.run.settings.runs))


def _declared(stage: HostStage) -> Iterator[str]:
    """The keys that the scriptlets of a stage declare to write: everybody can read them in their files."""
    folders = tuple(map(Path, stage.run.settings.scriptlets))
    for step in stage.steps:
        if step.get("type") != ANSIBLE:
            yield from scriptlet_of(step, folders).writes


def has_secrets(stage: HostStage) -> bool:
    """Whether a module that runs as this stage must log nothing."""
    names = SecretNames(stage.run.settings.secret_keys)
    values = {"steps": [{word: step.get(word) for word in ("args", *LOOPS)} for step in stage.steps]}
    known = stage.run.inputs.secrets or stage.run.secret_registry.secrets_for(stage.host) or _of_others(stage)
    return bool([*secrets_in(None, values, names)] or known or [*_of_host(stage, names)] or stage.action._task.no_log)


def _of_host(stage: HostStage, names: SecretNames) -> Iterator[str]:
    """The secrets among the host's variables and passwords, and vault values in its arguments, also of other hosts."""
    variables = own_variables(stage.task_vars)
    yield from VaultValues(stage.action._loader).values_in([variables, stage.steps])
    variables.pop(RECIPE_VARIABLE, None)  # its declarations of parameters have such names, but no values
    yield from literal(secrets_in(None, variables, names))
    yield from literal(_passwords(stage.action))


def _of_others(stage: HostStage, hooks: Sequence[Mapping[str, object]] = ()) -> list[str]:
    """The secrets of other hosts that a template has brought into this host's arguments."""
    return secrets_shown_in(stage.run.secret_registry.others_of(stage.host), [*stage.steps, *hooks])


def _passwords(action: ActionBase) -> Iterator[str]:
    """The passwords with which Ansible logs in and becomes another user, wherever it has them from."""
    connection = action._connection
    plugins: tuple[Any, ...] = (connection, getattr(connection, "become", None))
    for plugin, name in zip(plugins, PASSWORDS, strict=True):
        try:
            yield from long_texts_of(plugin.get_option(name))
        except (AttributeError, KeyError):  # it has no such option
            continue
    context = action._play_context
    yield from long_texts_of([getattr(context, name, None) for name in PASSWORDS])


def _of_task(stage: HostStage) -> list[str]:
    """The arguments of the stage, if its task has no_log."""
    if not stage.action._task.no_log:
        return []
    return [*literal(text for step in stage.steps for text in long_texts_of(step.get("args") or {}))]


def _revealed(stage: HostStage, context: Mapping[str, Any]) -> Iterator[str]:
    """Put the real values of masked keys into `context`; returns secrets of other hosts that come with their keys."""
    registry = stage.run.secret_registry
    registry.reveal(stage.host, context["own"])
    registry.reveal("", context["run"])
    for host, held in context["hosts"].items():
        if registry.reveal(host, held):
            text = json.dumps(held)
            yield from (secret for secret in registry.secrets_for(host) if json.dumps(secret)[1:-1] in text)
