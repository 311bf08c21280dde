# SPDX-License-Identifier: GPL-3.0-or-later

"""Which stages keep a process for each host, and why: one process runs the others on all of their hosts."""

from __future__ import annotations

from collections.abc import Iterator

from rack_recipes.plan.plan_model import Plan, Stage
from rack_recipes.settings import Settings

MODULE = "its step is a module of Ansible's"
LIVE = "a step is on the live bus"
TEMPLATE = "Ansible fills in {name} for each host"
# Keywords of a task whose value is another for each host, or that limit the process of a host.
OF_EACH_HOST = {
    "delegate_to": "it runs through another host",
    **{name: f"its task has {name}" for name in ("when", "loop", "until", "retries", "throttle", "timeout")},
    **{name: f"its task has {name}" for name in ("async_val", "register", "failed_when", "changed_when")},
}


def why_in_no_stage(settings: Settings, *, is_fail_fast: bool) -> str:
    """Why no stage of a run is run by one process; empty where some may be.

    `fail_fast` waits for some hosts before it starts others. Debugging shows each host's lines when it has ended.
    """
    reasons = (
        ("the setting one_process_from is 0", not settings.one_process_from),
        ("the recipe has fail_fast", is_fail_fast),
        ("the setting debug is on", settings.debug),
        ("the setting log_level is set", settings.log_level),
        ("the run serves its context", settings.serve),
    )
    return next((text for text, holds in reasons if holds), "")


def process_lines(plan: Plan, settings: Settings) -> Iterator[str]:
    """Say for people which stages of a plan one process runs on all hosts; nothing where all run once for the run."""
    reasons = {stage.number: _why(plan, stage, settings) for stage in plan.stages if stage.scope == "host"}
    for why in sorted({*reasons.values()}):
        numbers = ", ".join(str(number) for number, reason in reasons.items() if reason == why)
        if why:
            yield f"a process for each host in stage {numbers}: {why}\n"
        else:
            yield f"one process for {settings.one_process_from} or more hosts in stage {numbers}\n"


def is_for_all(plan: Plan, stage: Stage, settings: Settings) -> bool:
    """Whether one process may run a stage on all of its hosts, as far as a plan tells."""
    return stage.scope == "host" and not _why(plan, stage, settings)


def _why(plan: Plan, stage: Stage, settings: Settings) -> str:
    reasons = (
        (MODULE, stage.kind == "ansible"),
        (OF_EACH_HOST["delegate_to"], stage.delegate_to),
        (LIVE, any(step.entry and step.entry.live for step in stage.steps)),
    )
    of_run = why_in_no_stage(settings, is_fail_fast=plan.recipe.fail_fast)
    return of_run or next((text for text, holds in reasons if holds), "")
