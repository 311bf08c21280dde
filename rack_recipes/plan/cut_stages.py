# SPDX-License-Identifier: GPL-3.0-or-later

"""Cuts the ordered steps into stages. A stage is the longest stretch that a host runs without waiting for others."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from rack_recipes.plan.plan_model import Stage
from rack_recipes.recipe.recipe_model import BETWEEN, Step

KEY = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*_v[0-9]+")
OTHER_HOST = re.compile(r"\bhostvars\b|\bhost *=")


@dataclass(slots=True)
class Group:
    """The steps of a stage so far, with what decides whether another one may join.

    `why` is the reason for the cut before the stage. `declared` are the keys that any step of the plan declares to
    write, `shared` the locks that hosts share. `undeclared` is whether a step of this stage declares no keys.
    `elsewhere` are the keys that are read of other hosts.
    """

    why: str
    declared: Collection[str]
    shared: Collection[str]
    steps: list[Step] = field(default_factory=list)
    hosts: dict[str, str | None] = field(default_factory=dict)
    writes: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    undeclared: bool = False
    wide: bool = False

    @property
    def first(self) -> Step:
        """The step that the stage starts with."""
        return self.steps[0]

    @property
    def held(self) -> set[str]:
        """The locks that the stage holds: those of its steps that hosts share."""
        return self.shared_of(self.first)

    def shared_of(self, step: Step) -> set[str]:
        """The locks of a step that hosts share."""
        return {lock for lock in step.locks if lock in self.shared}

    def add(self, planned: Step, *, wide: bool) -> None:
        """Add a step; `wide` is whether it looks at other hosts."""
        self.steps.append(planned)
        self.hosts[planned.name] = planned.hosts
        self.writes.update(planned.keys.writes)
        self.elsewhere.update(planned.keys.elsewhere)
        self.undeclared |= not planned.keys.writes
        self.wide |= wide


def cut_into_stages(
    steps: Sequence[Step], shared: Collection[str] = (), *, stepwise: bool = False, batched: bool = False
) -> tuple[Stage, ...]:
    """The stages of steps that are in order. With `stepwise`, each step has a stage of its own.

    `shared` are the locks that hosts share.
    `batched` is whether hosts go in batches. Then steps that all hosts have to wait for get stages of their own.
    """
    declared = {key for step in steps for key in step.keys.writes}
    hosts = {step.name: step.hosts for step in steps if step.hosts is not None}
    groups: list[Group] = []
    for step in steps:
        wide = _is_wide(step, hosts)
        why = _cut(groups[-1], step) if groups else "is the first"
        why = why or (_changes_batching(groups[-1], step, wide) if batched else "") or ("stepwise" if stepwise else "")
        if why:
            groups.append(Group(why, declared, shared))
        groups[-1].add(step, wide=wide)
    return tuple(_stage(number, group) for number, group in enumerate(groups, 1))


def _stage(number: int, group: Group) -> Stage:
    first = group.first
    return Stage(
        number=number,
        scope=first.scope,
        why=group.why,
        steps=tuple(group.steps),
        become=first.become,
        delegate_to=first.delegate_to,
        locks=tuple(sorted(group.held)),
        kind="" if first.entry else "ansible",
        always=first.always,
        wide=group.wide,
    )


def _cut(group: Group, step: Step) -> str:
    """Why a stage starts at `step`; empty when it joins the group."""
    return next(filter(None, (cut(group, step) for cut in CUTS)), "")


def _changes_batching(group: Group, step: Step, wide: bool) -> str:
    """Why batches of hosts start or end at `step`. They do not matter to what runs once for the run, or at its end."""
    if group.wide is wide or step.runs_once or step.always:
        return ""
    return "waits for all hosts" if wide else "runs in batches again"


def _closes(group: Group, step: Step) -> str:
    return "closes the run" if step.always and not group.first.always else ""


def _moves(group: Group, step: Step) -> str:
    if step.scope in BETWEEN:
        return "runs between hosts"
    if group.first.scope in BETWEEN:
        return "follows a step between hosts"
    return MOVES.get((group.first.scope, step.scope), "")


def _is_ansible(group: Group, step: Step) -> str:
    if step.entry is None:
        return "is an Ansible module"
    return "follows an Ansible module" if group.first.entry is None else ""


def _changes_user(group: Group, step: Step) -> str:
    return "runs as another user" if step.become != group.first.become else ""


def _changes_delegate(group: Group, step: Step) -> str:
    if step.delegate_to == group.first.delegate_to:
        return ""
    return "runs through another host" if step.delegate_to else "runs on its own host again"


def _changes_locks(group: Group, step: Step) -> str:
    held, wanted = group.held, group.shared_of(step)
    if wanted - held:
        return "takes a lock that hosts share"
    return "gives back a lock that hosts share" if held - wanted else ""


def _needs_many(group: Group, step: Step) -> str:
    """A step that has to pass on other hosts, too, must have ended on all of them before a stage starts."""
    wide = (need for need in step.depends_on if need.is_wide and need.step in group.hosts)
    return next((f"needs {need.label}" for need in wide), "")


def _needs_other_hosts(group: Group, step: Step) -> str:
    """The verdicts of a step that does not run on this host come from other hosts."""
    return "needs a step of other hosts" if _looks_at_others(step, group.hosts) else ""


def _reads_elsewhere(group: Group, step: Step) -> str:
    """A stage gets the keys of other hosts when it starts, so no step of it may have written them."""
    if step.runs_once:
        return ""
    written = (key in group.writes or (group.undeclared and key not in group.declared) for key in step.keys.elsewhere)
    return "reads other hosts' keys" if any(written) else ""


def _overwrites(group: Group, step: Step) -> str:
    """A host may have ended a stage before another host starts it, which still needs the old value."""
    if step.runs_once or group.elsewhere.isdisjoint(step.keys.writes):
        return ""
    return "writes what other hosts read"


def _uses_template(group: Group, step: Step) -> str:
    """Ansible fills in templates before a stage is sent, when nothing that the stage writes is known."""
    keys = {key for text in step.keys.templates for key in KEY.findall(text)}
    if not step.keys.templates or (keys and not group.undeclared and keys.isdisjoint(group.writes)):
        return ""
    return "uses a template over the context"


def _is_wide(step: Step, hosts: Mapping[str, str | None]) -> bool:
    return (
        bool(step.keys.elsewhere)
        or any(need.is_wide for need in step.depends_on)
        or _looks_at_others(step, hosts)
        or any(map(OTHER_HOST.search, step.keys.templates))
    )


def _looks_at_others(step: Step, hosts: Mapping[str, str | None]) -> bool:
    """Whether it needs a step that runs on other hosts than it does."""
    return any(hosts.get(need.step) not in (None, step.hosts) for need in step.depends_on)


MOVES = {("host", "run"): "runs once for the run", ("run", "host"): "runs on every host again"}
CUTS: tuple[Callable[[Group, Step], str], ...] = (
    _closes,
    _moves,
    _is_ansible,
    _changes_delegate,
    _changes_user,
    _changes_locks,
    _needs_many,
    _needs_other_hosts,
    _reads_elsewhere,
    _overwrites,
    _uses_template,
)
