# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the graph is cut: a stage is the longest stretch that a host runs without waiting for another one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.plan.model import PlannedStep, Stage

KEY = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*_v[0-9]+")
CONTEXT = re.compile(r"rack\.recipes\.context|rack_recipes")

Cut = Callable[[Sequence[PlannedStep], PlannedStep], bool]


def cut_into_stages(steps: Iterable[PlannedStep]) -> tuple[Stage, ...]:
    """The stages of steps that are in their order."""
    groups: list[tuple[str, list[PlannedStep]]] = []
    for step in steps:
        why = _cut(groups[-1][1], step) if groups else "is the first"
        if why is None:
            groups[-1][1].append(step)
        else:
            groups.append((why, [step]))
    return tuple(
        Stage(number, group[0].step.scope, why, tuple(group)) for number, (why, group) in enumerate(groups, start=1)
    )


def _cut(stage: Sequence[PlannedStep], step: PlannedStep) -> str | None:
    """Why a stage starts at `step`; None when it joins `stage`."""
    return next((why for why, holds in CUTS.items() if holds(stage, step)), None)


def _templates_what_is_written(stage: Sequence[PlannedStep], step: PlannedStep) -> bool:
    """Ansible fills in templates before the stage is sent: it cannot see what the stage itself will write."""
    texts = [text for text in _texts(step.step.args) if "{{" in text or "{%" in text]
    if not any(CONTEXT.search(text) for text in texts):
        return False
    keys = {key for text in texts for key in KEY.findall(text)}
    written = {key for earlier in stage for key in earlier.writes}
    return not keys or bool(keys & written) or any(not earlier.writes for earlier in stage)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [text for item in items for text in _texts(item)]


CUTS: dict[str, Cut] = {
    "runs once for the run": lambda stage, step: (stage[-1].step.scope, step.step.scope) == ("host", "run"),
    "runs on every host again": lambda stage, step: (stage[-1].step.scope, step.step.scope) == ("run", "host"),
    "uses a template over the context": _templates_what_is_written,
}
