# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows what a run would do: the plan, its hosts, the steps that may not run, and how long it may take."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED
from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.running.preview.duration_forecast import RUN_HOST, ExpectedDuration, HostSlots, Known, forecast
from rack_recipes.cli.running.preview.inventory_hosts import InventoryHosts, asking_for_hosts
from rack_recipes.cli.running.preview.step_warnings import StepWarning, warnings_of
from rack_recipes.cli.running.preview.stored_history import StoredHistory, stored_history_of
from rack_recipes.cli.running.read_run_options import PreparedRun, prepare
from rack_recipes.cli.terminal.text_table import to_text
from rack_recipes.cli.waivers.planned_waivers import planned_waivers, waiver_data, waiver_lines
from rack_recipes.errors import UsageError
from rack_recipes.plan.output_formats import FORMATS, plan_to_data
from rack_recipes.plan.plan_model import Plan, PlannedStep
from rack_recipes.recipe.param_values import is_open
from rack_recipes.recipe.waivers import Waiver
from rack_recipes.run.extra_vars import masked, secrets_of
from rack_recipes.run.launcher.ansible_playbook import PlaybookCommand, forks_of

NAMED = 8  # how many hosts are named


@dataclass(frozen=True, slots=True)
class Preview:
    """All that is shown. `problem` says why the hosts are not known, `refusal` why nothing would be run on them."""

    plan: Plan
    hosts: tuple[str, ...]
    problem: str
    refusal: str
    stages: Sequence[ExpectedDuration]
    warnings: Sequence[StepWarning]
    history: StoredHistory
    params: Mapping[str, Any]
    waivers: Sequence[Waiver] = ()


def dry_run(options: argparse.Namespace) -> Answer:
    """Show what `run` would do with the same options. Nothing is run and no host is contacted."""
    prepared = prepare(options)
    preview = _preview(options, prepared)
    if preview.refusal:
        sys.stderr.write(f"nothing would be run: {preview.refusal}\n")
    return (
        _data(preview) if options.json else "".join(_lines(preview))
    ), UsageError.exit_code if preview.refusal else 0


def _preview(options: argparse.Namespace, prepared: PreparedRun) -> Preview:
    plan, settings = prepared.plan, prepared.settings
    with asking_for_hosts(options.inventory, prepared.limit, _patterns(plan)) as answer:
        history = stored_history_of(options.db or settings.db, plan)
        inventory = answer()
    hosts = {planned.step.name: _hosts_of(plan, planned, inventory) for planned in plan.steps}
    warnings = [*warnings_of(plan, hosts, inventory, history, prepared, is_check=options.check)]
    left_out = {note.step for note in warnings if note.what in NOT_TRIED}
    slots = HostSlots(
        {name: () if name in left_out else where for name, where in hosts.items()},
        _canary(plan, inventory),
        options.parallel or settings.slots,
        forks_of(PlaybookCommand(Path(), "", forks=options.forks, more=options.ansible)).number,
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
        return f"no host matches {plan.recipe.hosts!r} here, see the inventory and --limit"
    if not any(hosts.values()):
        return f"no host of this run matches the hosts of any step: {', '.join(hosts)}"
    return ""


def _patterns(plan: Plan) -> Iterator[str]:
    yield plan.recipe.hosts
    yield from (planned.step.hosts for planned in plan.steps if planned.step.hosts is not None)
    yield from (need.hosts for planned in plan.steps for need in planned.depends_on if need.hosts)
    if plan.recipe.canary is not None and plan.recipe.canary.hosts:
        yield plan.recipe.canary.hosts


def _hosts_of(plan: Plan, planned: PlannedStep, inventory: InventoryHosts) -> tuple[str, ...]:
    if planned.step.scope == "run":
        return (RUN_HOST,)
    everywhere = inventory.of(plan.recipe.hosts)
    if planned.step.hosts is None:
        return everywhere
    named = inventory.of(planned.step.hosts)
    return tuple(host for host in everywhere if host in named)


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
    if preview.params:
        yield f"\ngiven: {', '.join(f'{name} = {json.dumps(value)}' for name, value in preview.params.items())}\n"
    yield f"\nhosts: {_hosts_text(preview)}\n"
    if preview.warnings:
        yield "\n" + to_text(
            ("step", "may not run", "why"), [(note.step, note.what, note.why) for note in preview.warnings]
        )
    yield from waiver_lines(preview.waivers)
    yield "\n" + to_text(("stage", "hosts", "may take", ""), [*_stage_rows(preview)])
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
