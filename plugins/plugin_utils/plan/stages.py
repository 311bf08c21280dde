# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the graph is cut: a stage is the longest stretch that a host runs without waiting for another one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.plan.model import PlannedStep, Stage

KEY = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*_v[0-9]+")
CONTEXT = re.compile(r"rack\.recipes\.context|rack_recipes")


@dataclass(slots=True)
class Group:
    """The steps of a stage so far. `undeclared` tells that one of them does not say what it writes."""

    why: str
    steps: list[PlannedStep] = field(default_factory=list)
    hosts: dict[str, str | None] = field(default_factory=dict)
    writes: set[str] = field(default_factory=set)
    undeclared: bool = False

    @property
    def scope(self) -> str:
        """Where it runs."""
        return self.steps[0].step.scope

    def add(self, planned: PlannedStep) -> None:
        """Let a step join."""
        self.steps.append(planned)
        self.hosts[planned.step.name] = planned.step.hosts
        self.writes.update(planned.writes)
        self.undeclared |= not planned.writes


def cut_into_stages(steps: Iterable[PlannedStep]) -> tuple[Stage, ...]:
    """The stages of steps that are in their order."""
    groups: list[Group] = []
    for step in steps:
        why = _cut(groups[-1], step) if groups else "is the first"
        if why:
            groups.append(Group(why))
        groups[-1].add(step)
    return tuple(Stage(number, group.scope, group.why, tuple(group.steps)) for number, group in enumerate(groups, 1))


def _cut(group: Group, step: PlannedStep) -> str | None:
    """Why a stage starts at `step`; None when it joins the group."""
    return next((why for why, holds in CUTS.items() if holds(group, step)), None)


def _waits_for_other_hosts(group: Group, step: PlannedStep) -> bool:
    """A step that does not run on this host gives its verdict on others only."""
    needed = (group.hosts[name] for name in step.depends_on if name in group.hosts)
    return any(hosts not in (None, step.step.hosts) for hosts in needed)


def _templates_what_is_written(group: Group, step: PlannedStep) -> bool:
    """Ansible fills in templates before the stage is sent: it cannot see what the stage itself will write."""
    texts = [text for text in _texts(step.step.args) if "{{" in text or "{%" in text]
    if not any(map(CONTEXT.search, texts)):
        return False
    keys = {key for text in texts for key in KEY.findall(text)}
    return group.undeclared or not keys or not keys.isdisjoint(group.writes)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


CUTS: dict[str, Callable[[Group, PlannedStep], bool]] = {
    "runs once for the run": lambda group, step: (group.scope, step.step.scope) == ("host", "run"),
    "runs on every host again": lambda group, step: (group.scope, step.step.scope) == ("run", "host"),
    "needs a step of other hosts": _waits_for_other_hosts,
    "uses a template over the context": _templates_what_is_written,
}
