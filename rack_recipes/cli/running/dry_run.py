# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows what a run would do: the plan, its hosts, the steps that may not run and why, and how long it may take."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import lets_start
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED
from rack_recipes.cli.command_options import Answer
from rack_recipes.cli.inventory_hosts import CANARY, InventoryHosts, asking_for_hosts
from rack_recipes.cli.recipes.plan_notices_and_waivers import planned_waivers, waiver_data, waiver_lines
from rack_recipes.cli.running.duration_forecast import (
    RUN_HOST,
    ExpectedDuration,
    HostSlots,
    Known,
    Results,
    StoredHistory,
    forecast,
    stored_history_of,
)
from rack_recipes.cli.running.prepare_run import PreparedRun, prepare_run
from rack_recipes.cli.terminal import format_table
from rack_recipes.errors import UsageError
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.plan.members.predict_rounds import predicted, variables_needed
from rack_recipes.plan.one_process import is_for_all
from rack_recipes.plan.output_formats import FORMATS, plan_to_data
from rack_recipes.plan.plan_model import Plan
from rack_recipes.recipe.param_values import is_open
from rack_recipes.recipe.recipe_model import BETWEEN, Dependency, Step
from rack_recipes.recipe.waivers import Waiver
from rack_recipes.run.delegates import needs_delegate
from rack_recipes.run.earlier_run import EarlierRun, read_earlier
from rack_recipes.run.extra_vars import masked, secrets_of
from rack_recipes.run.host.host_request import ANSIBLE
from rack_recipes.run.launcher.ansible_playbook import PlaybookCommand, forks_of
from rack_recipes.run.run_folders import journal_of
from rack_recipes.run.unmatched_hosts import no_match

EVERY_HOST = ("", "all")
SKIPPED, BLOCKED = "skipped", "blocked"
Hosts = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class StepWarning:
    """A step, what may happen instead of running it, and why."""

    step: str
    what: str
    why: str


def find_step_warnings(
    plan: Plan,
    hosts: Hosts,
    found: InventoryHosts,
    history: StoredHistory,
    prepared: PreparedRun,
    *,
    is_check: bool = False,
) -> Iterator[StepWarning]:
    """Yield the warnings in the order of the steps. `is_check` says that the run would be in check mode."""
    out = _left_out(plan, hosts, found, is_check=is_check)
    earlier = _earlier(plan, hosts, prepared)
    for step in plan.steps:
        name = step.name
        if name in out:
            yield out[name]
            continue
        yield from _without_place(step, hosts[name], found)
        if why := next((named[name] for named in found.elsewhere if name in named), ""):
            yield StepWarning(name, "not on all its hosts", why)
        if step.when is False:
            yield StepWarning(name, SKIPPED, "when: false")
        elif step.when is not True:
            yield StepWarning(name, "may be skipped", "its `when` is decided while it runs")
        if step.always:  # closing steps never reuse a result
            continue
        if earlier is not None:
            yield from _reused(name, hosts[name], earlier)
        if step.cache_key is not None:
            yield _cached(name, step.cache_key.key, hosts[name], history.cached.get(name, ()))


def _without_place(step: Step, hosts: Sequence[str], found: InventoryHosts) -> Iterator[StepWarning]:
    """Yield a warning for a scriptlet on network devices, for which Ansible would run it on the controller."""
    devices = [host for host in hosts if host in found.devices]
    if devices and not (step.type == ANSIBLE or step.delegate_to):
        connections = ", ".join(dict.fromkeys(found.devices[host] for host in devices))
        yield StepWarning(step.name, f"is an error{_on(devices, hosts)}", needs_delegate(connections))


def _left_out(plan: Plan, hosts: Hosts, found: InventoryHosts, *, is_check: bool) -> dict[str, StepWarning]:
    """Return the steps that are skipped by the user, or blocked by skipped steps or missing hosts, by name."""
    out: dict[str, StepWarning] = {}
    blocking: set[str] = set()
    for step in plan.steps:
        name = step.name
        cause = next((need.step for need in step.depends_on if need.step in blocking), None)
        if step.skip:
            out[name] = StepWarning(name, SKIPPED, step.skip)
        elif cause is not None and not step.always:
            out[name] = StepWarning(name, BLOCKED, f"it needs {cause}, which is {out[cause].what}")
        elif (why := next(_unmet_dependencies(step.depends_on, hosts, found), "")) and not step.always:
            out[name] = StepWarning(name, BLOCKED, f"it needs {why}")
        fields = {"continue_on_fail": step.continue_on_fail}
        if name in out and not lets_start(fields, out[name].what, is_check=is_check):
            blocking.add(name)
    return out


def _unmet_dependencies(needs: Sequence[Dependency], hosts: Hosts, found: InventoryHosts) -> Iterator[str]:
    """Yield why dependencies cannot be met by the hosts here, in the words of the run.

    A step without hosts blocks nothing.
    """
    for need in needs:
        places = hosts[need.step]
        if not (need.is_wide and places) or is_open(need.hosts):
            continue
        chosen = [host for host in places if need.hosts in EVERY_HOST or host in found.of(need.hosts)]
        if reason := need.too_few(len(chosen)):
            yield f"{need.label}: {reason}"


def _earlier(plan: Plan, hosts: Hosts, prepared: PreparedRun) -> EarlierRun | None:
    """Return the run whose results are reused, None if there is none. Raises UsageError where the run would."""
    if prepared.earlier is None:
        return None
    steps = [
        RunStep(step.name, 0, step.idx, step.scope, tuple(hosts[step.name]), always=step.always)
        for step in plan.recipe.steps
        if step.name in hosts
    ]
    journal = journal_of(Path(prepared.settings.runs), prepared.earlier.run_id)
    return read_earlier(journal, prepared.resume_from, {"options": {"skip": plan.options.skip}}, steps)


def _reused(name: str, hosts: Sequence[str], earlier: EarlierRun) -> Iterator[StepWarning]:
    offered = [host for host in hosts if earlier.offer(name, host)]
    if offered:
        yield StepWarning(
            name, "may be reused", f"it passed in {earlier.run_id}{_on(offered, hosts)}, if its inputs are the same"
        )


def _cached(name: str, key: str, hosts: Sequence[str], results: Results) -> StepWarning:
    there = {result["host"]: result["run"] for result in reversed(results)}
    offered = [host for host in hosts if host in there]
    if not offered:
        return StepWarning(name, "runs", f"nothing that may be used is cached under {key!r}")
    runs = ", ".join(dict.fromkeys(there[host] for host in offered))
    return StepWarning(
        name, "may be cached", f"{key!r} has results of {runs}{_on(offered, hosts)}, if its inputs are the same"
    )


def _on(offered: Sequence[str], hosts: Sequence[str]) -> str:
    return "" if len(offered) == len(hosts) else f" on {len(offered)} of {len(hosts)} hosts"


NAMED = 8  # how many hosts are named


@dataclass(frozen=True, slots=True)
class Preview:
    """All that is shown. `between` has the rounds of each step between hosts.

    `problem` says why the hosts are not known, `refusal` why nothing would be run on them.
    """

    plan: Plan
    hosts: tuple[str, ...]
    problem: str
    refusal: str
    stages: Sequence[ExpectedDuration]
    warnings: Sequence[StepWarning]
    history: StoredHistory
    params: Mapping[str, Any]
    waivers: Sequence[Waiver] = ()
    left_out: Mapping[str, Any] = field(default_factory=dict)
    between: Mapping[str, str] = field(default_factory=dict)


def dry_run(options: argparse.Namespace, prepared: PreparedRun | None = None) -> Answer:
    """Show what `run` would do with the same options. Nothing is run and no host is contacted."""
    prepared = prepared or prepare_run(options)
    preview = _preview(options, prepared)
    if preview.refusal:
        sys.stderr.write(f"nothing would be run: {preview.refusal}\n")
    return (
        _data(preview) if options.json else "".join(_lines(preview))
    ), UsageError.exit_code if preview.refusal else 0


def _preview(options: argparse.Namespace, prepared: PreparedRun) -> Preview:
    plan, settings = prepared.plan, prepared.settings
    needed = dict.fromkeys(name for step in plan.steps for name in variables_needed(step))
    with asking_for_hosts(options.inventory, prepared.limit, _patterns(plan), needed, recipes=[plan.recipe]) as answer:
        history = stored_history_of(options.db or settings.db, plan)
        inventory = answer()
    hosts = {step.name: _hosts_of(plan, step, inventory) for step in plan.steps}
    warnings = [*find_step_warnings(plan, hosts, inventory, history, prepared, is_check=options.check)]
    left_out = {note.step for note in warnings if note.what in NOT_TRIED}
    slots = HostSlots(
        {name: () if name in left_out else where for name, where in hosts.items()},
        _canary(plan, inventory),
        options.parallel or settings.slots,
        forks_of(PlaybookCommand(Path(), "", forks=options.forks, more=options.ansible)).number,
        [stage.number for stage in plan.stages if is_for_all(plan, stage, settings)],
    )
    return Preview(
        plan,
        inventory.of(plan.recipe.hosts),
        inventory.problem,
        "" if options.ansible else _refusal(plan, inventory, hosts),  # they may select other hosts
        forecast(plan, history.seconds, slots),
        warnings,
        history,
        _masked_params(prepared),
        planned_waivers(plan, settings),
        prepared.left_out(),
        {
            step.name: predicted(step, inventory.of_step(plan.recipe.hosts, step.hosts), inventory.variables)
            for step in plan.steps
            if step.scope in BETWEEN
        },
    )


def _masked_params(prepared: PreparedRun) -> dict[str, Any]:
    """Return the given parameters with secrets masked, as a run shows them."""
    declared = {name: {"secret": param.secret} for name, param in prepared.plan.recipe.params.items()}
    secrets = secrets_of(declared, prepared.params, SecretNames(prepared.settings.secret_keys))
    return masked(declared, prepared.params, Mask(secrets))


def _refusal(plan: Plan, inventory: InventoryHosts, hosts: Mapping[str, Sequence[str]]) -> str:
    """Return why no host would run anything, or an empty string.

    Patterns that only the run can resolve are no reason.
    """
    if inventory.problem or inventory.refusal or is_open(plan.recipe.hosts):
        return inventory.refusal
    if not inventory.of(plan.recipe.hosts):
        return no_match(repr(plan.recipe.hosts), inventory.whole, inventory.groups)
    if not any(hosts.values()):
        return f"no host of this run matches the hosts of any step: {', '.join(hosts)}"
    return next((named[CANARY] for named in inventory.elsewhere if CANARY in named), "")


def _patterns(plan: Plan) -> Iterator[str]:
    yield plan.recipe.hosts
    yield from (step.hosts for step in plan.steps if step.hosts is not None)
    yield from (need.hosts for step in plan.steps for need in step.depends_on if need.hosts)
    if plan.recipe.canary is not None and plan.recipe.canary.hosts:
        yield plan.recipe.canary.hosts


def _hosts_of(plan: Plan, step: Step, inventory: InventoryHosts) -> tuple[str, ...]:
    return (RUN_HOST,) if step.runs_once else inventory.of_step(plan.recipe.hosts, step.hosts)


def _canary(plan: Plan, inventory: InventoryHosts) -> tuple[str, ...]:
    canary = plan.recipe.canary
    if canary is None:
        return ()
    return inventory.of(canary.hosts) if canary.hosts else inventory.of(plan.recipe.hosts)[: canary.count]


def _data(preview: Preview) -> dict[str, Any]:
    stages = [
        {
            "number": stage.number,
            "hosts": list(stage.hosts),
            "seconds": _known_seconds(stage, preview.history.seconds),
            "never_run": list(stage.unknown),
        }
        for stage in preview.stages
    ]
    told = {
        "params": dict(preview.params),
        "hosts": list(preview.hosts),
        "problem": preview.problem or preview.refusal,
        "history": preview.history.problem or f"median of the last {preview.history.runs} runs",
        "seconds": _total_seconds(preview),
        "stages": stages,
        **({"left_out": preview.left_out} if preview.left_out else {}),
        **({"between": dict(preview.between)} if preview.between else {}),
        "notes": [{"step": note.step, "what": note.what, "why": note.why} for note in preview.warnings],
    }
    return {**plan_to_data(preview.plan), "preview": {**told, **waiver_data(preview.waivers)}}


def _known_seconds(stage: ExpectedDuration, known: Known) -> float | None:
    """Return the seconds of a stage, None if no duration of its steps is known."""
    return round(stage.seconds, 3) if known and stage.seconds else None


def _total_seconds(preview: Preview) -> float | None:
    seconds = [stage.seconds for stage in preview.stages]
    return round(sum(seconds), 3) if preview.history.seconds and any(seconds) else None


def _lines(preview: Preview) -> Iterator[str]:
    yield FORMATS["tree"](preview.plan)
    if preview.left_out:
        yield f"\n{preview.left_out['words']}\n"
    if preview.params:
        yield f"\ngiven: {', '.join(f'{name} = {json.dumps(value)}' for name, value in preview.params.items())}\n"
    yield f"\nhosts: {_hosts_text(preview)}\n"
    yield from (f"{name}: {rounds}\n" for name, rounds in preview.between.items())
    if preview.warnings:
        yield "\n" + format_table(
            ("step", "may not run", "why"), [(note.step, note.what, note.why) for note in preview.warnings]
        )
    yield from waiver_lines(preview.waivers)
    yield "\n" + format_table(("stage", "hosts", "may take", ""), [*_stage_rows(preview)])
    yield f"in all {_duration_text(_total_seconds(preview))} ({preview.history.source_text()})\n"
    yield from _over_time(preview)


def _hosts_text(preview: Preview) -> str:
    unknown = f"those of {preview.plan.recipe.hosts!r}, which only the run knows"
    return preview.problem or first_few(preview.hosts, NAMED) or preview.refusal or unknown


def _stage_rows(preview: Preview) -> Iterator[tuple[str, str, str, str]]:
    for stage in preview.stages:
        where = "the controller" if stage.hosts == (RUN_HOST,) else str(len(stage.hosts))
        unknown = f"never run: {', '.join(stage.unknown)}" if stage.unknown and preview.history.seconds else ""
        yield str(stage.number), where, _duration_text(_known_seconds(stage, preview.history.seconds)), unknown


def _over_time(preview: Preview) -> Iterator[str]:
    box, total = preview.plan.recipe.time_box, _total_seconds(preview)
    if box is not None and total is not None and total > box:
        yield f"its time box is {_duration_text(box)}: steps of the lowest priorities may be skipped\n"


def _duration_text(seconds: float | None) -> str:
    """Return a duration as text."""
    if seconds is None:
        return "unknown"
    if seconds < 0.05:
        return "under 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
