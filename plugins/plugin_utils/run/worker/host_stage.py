# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stage on one host, and the request that is sent to the host for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.plugin_utils.compile.task_names import CONTROLLER, RECIPE_VARIABLE
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.step_results import StepEnd
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current_run import RUN_HOST, Run
from ansible_collections.rack.recipes.plugins.plugin_utils.run.delegates import delegate_of
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.host_secrets import add_secrets
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.readiness import (
    blocking_verdicts,
    halt_reason,
    time_left,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.request import (
    Program,
    Request,
    StageInputs,
    make_request,
    stage_id,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.templating import ANSIBLE, mark, unmark

Steps = Sequence[Mapping[str, Any]]
Locks = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class HostStage:
    """A stage on one host: its steps there, and the locks that these steps share with other hosts."""

    run: Run
    number: int
    host: str
    steps: Steps
    locks: Locks
    action: ActionBase
    task_vars: Mapping[str, Any]

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
        return transform_to_native_types(self.action._templar.template(value))


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
        lease=settings.reconnect_timeout,
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
        offers=run.reusable.offers(stage.steps, host, stage.delegate),
    )
    request = make_request(stage.number, stage.steps, inputs, program)
    for step in request.message["steps"]:
        if "invalid" in step:
            step["invalid"] = run.hidden(step["invalid"])  # the reason shows a wrong argument as it is
    add_secrets(stage, request.message)
    return request


def _collected(run: Run, number: int, host: str) -> tuple[str, ...]:
    """The stages before this one that the host may forget: the journal has all of their results."""
    ended = run.results.ended
    mine = (step for step in run.steps.values() if host in step.hosts and step.name not in run.left_out)
    open_stages = {step.stage for step in mine if step.stage < number and not _is_sure(ended.get((step.name, host)))}
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
    hooks = stage.action._templar.template(mark(stage.task_vars[RECIPE_VARIABLE]["hooks"]))
    return {**recipe, "hooks": unmark(transform_to_native_types(hooks))}
