# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the steps of a stage may start on a host, by the results of the stages before."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.journal.step_results_and_end_status import Cell, StepEnd
from rack_recipes.recipe.recipe_model import Dependency
from rack_recipes.recipe.steps_to_and_from_data import from_data, label_of
from rack_recipes.run.current_run import Run
from rack_recipes.run.host.host_answer import WRONG_PASSWORD
from rack_recipes.run.host.host_request import UNMET

UNREACHABLE = "unreachable"

Steps = Iterable[Mapping[str, Any]]


def blocking_verdicts(run: Run, steps: Steps, host: str) -> dict[str, str]:
    """The dependencies on earlier stages that block: by their labels, the verdict or the reason."""
    steps = list(steps)
    here = {step["name"] for step in steps}
    said = (said for step in steps for said in step.get("depends_on") or ())
    outside = {label_of(need): need for need in said if not (isinstance(need, str) and need in here)}
    found = ((label, _blocking(run, from_data(Dependency, need), host)) for label, need in outside.items())
    return {label: verdict for label, verdict in found if verdict}


def _blocking(run: Run, needed: Dependency, host: str) -> str:
    """The verdict of the first result that blocks, or why there can never be enough; empty where nothing blocks.

    A step that is left out by its tags, or has no host in this run, blocks nothing, as in any playbook.
    """
    planned = run.steps.get(needed.step)
    if planned is None or needed.step in run.left_out or not run.peers.of_step(needed.step, planned.hosts):
        return ""
    ends = dict(_ends(run, needed, planned, host))
    if reason := needed.too_few(len(ends)):
        return reason
    bad = [place for place, end in ends.items() if end is None or end.blocks]
    if len(ends) - len(bad) >= needed.enough_of(len(ends)):
        return ""
    shown = next((place for place in bad if ends[place]), bad[0])
    return run.peers.why(shown, ends[shown])


def _ends(run: Run, needed: Dependency, planned: RunStep, host: str) -> Iterator[tuple[str, StepEnd | None]]:
    """How the needed step ended: on this host, on all of its hosts, or on those of a pattern; None without a result.

    The hosts of all parts count where the run is a part of a group that meets at a server.
    """
    if not needed.is_wide and host in planned.hosts:
        yield host, run.end_of(needed.step, host)
        return
    chosen = run.inputs.patterns.get(needed.hosts)
    if chosen is not None:
        chosen = chosen.union(run.peers.patterns.get(needed.hosts, ()))
    for place in run.peers.of_step(needed.step, planned.hosts):
        if chosen is None or place in chosen:
            yield place, run.ended_anywhere(needed.step, place)


def halt_reason(run: Run, host: str) -> str:
    """Why nothing may start on this host any more; empty where it may."""
    if run.inputs.recipe.get("fail_fast"):
        for (step, place), end in run.results.ended.items():
            if end.blocks and end.verdict not in NOT_TRIED:
                return f"fail_fast: {step} did not pass on {place or 'the controller'}"
    if host in run.inputs.canary:
        return ""
    canary = (*run.inputs.canary, *run.peers.canary)
    bad = (place for place in canary for step in run.steps if _blocks(run.ended_anywhere(step, place)))
    return next((f"canary {_named(run, place)} did not pass" for place in bad), run.peers.halted)


def _named(run: Run, host: str) -> str:
    """A host, with the part that it is in if that is another one."""
    return " ".join(filter(None, (host, run.peers.places.get(host))))


def wrong_password_reason(run: Run, host: str, delegate: str = "") -> str:
    """Why no step should try to become another user there; empty where none has shown a wrong password.

    `delegate` is the host that runs steps on behalf of `host`, and maybe of others. Each try with a wrong password
    counts against the account, which may be locked for it.
    """
    ended = run.results.ended
    cells = ended if delegate else (Cell(name, host) for name in run.steps)
    ends = ((cell.step, ended.get(cell)) for cell in cells)
    wrong = (name for name, end in ends if end and end.through == delegate and end.reason.startswith(WRONG_PASSWORD))
    place = delegate or host
    return next((f"{name} has shown that {WRONG_PASSWORD}: not tried again on {place}" for name in wrong), "")


def was_reached(run: Run, host: str, delegate: str) -> bool:
    """Whether a stage before was answered by the machine that runs the host's steps, and none found it lost since.

    The machine is the host's `delegate`, or the host itself where that is empty.
    """
    last = _last_contact(run, host, delegate)
    return last is not None and last.verdict != UNREACHABLE


def was_given_up(run: Run, host: str, delegate: str) -> str:
    """Why the last stage before that tried that machine did not reach it; empty where it did."""
    last = _last_contact(run, host, delegate)
    return last.reason or UNREACHABLE if last is not None and last.verdict == UNREACHABLE else ""


def _last_contact(run: Run, host: str, delegate: str) -> StepEnd | None:
    """The end of the last step for which the machine was tried or has answered."""
    found = ((step, run.end_of(step.name, host)) for step in run.steps.values())
    tried = ((step, end) for step, end in found if end and end.through == delegate and end.verdict not in NOT_TRIED)
    known = [end for step, end in tried if (step.stage, host) in run.answered or end.verdict == UNREACHABLE]
    return known[-1] if known else None


def _blocks(end: StepEnd | None) -> bool:
    return end is not None and end.blocks


def startable(run: Run, steps: Steps, host: str) -> list[Mapping[str, Any]]:
    """The steps that may start by what is known now; the stage waits for the locks of these only."""
    steps = list(steps)
    blocking, reason = blocking_verdicts(run, steps, host), halt_reason(run, host)
    return [step for step in steps if step.get("always") or not (reason or _cannot_start(step, blocking))]


def _cannot_start(step: Mapping[str, Any], blocking: Mapping[str, str]) -> bool:
    needed = map(label_of, step.get("depends_on") or ())
    when = step.get("when")
    is_unmet = when is False or (isinstance(when, Mapping) and UNMET in when)
    return bool(step.get("skip")) or is_unmet or any(label in blocking for label in needed)


def time_left(run: Run) -> float | None:
    """Seconds until the recipe's time box is over; None where it has none."""
    time_box = run.inputs.recipe.get("time_box")
    return None if time_box is None else max(0.0, round(run.started + time_box - time.monotonic(), 3))
