# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that another host runs on behalf of their own one (`delegate_to`).

Which one it is, for which hosts it runs a stage, and what records say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from rack_recipes.journal.record_fields import Record
from rack_recipes.plan.compile.action_names import CONTROLLER

THROUGH = "through"  # the field of a step record: the host that ran the step on behalf of its own one


def delegate_of(delegate_to: object, host: str) -> str:
    """The delegate of a task whose `delegate_to` is filled in; empty where `host` runs the step itself.

    `host` is empty for a step of the run, which the controller runs itself.
    """
    name = str(delegate_to or "")
    return "" if name == (host or CONTROLLER) else name


def told_through(records: Sequence[Record], delegate: str) -> Sequence[Record]:
    """The records of a stage that ran through `delegate`, which steps that were tried name, bad ones in their reason.

    Without a delegate they stay as they are.
    """
    return [_told(record, delegate) for record in records] if delegate else records


def _told(record: Record, delegate: str) -> Record:
    if record["kind"] != "step" or record["verdict"] in NOT_TRIED:
        return record
    if record["verdict"] in PASSING:
        return {**record, THROUGH: delegate}
    return {**record, THROUGH: delegate, "reason": f"{record.get('reason', '')} (through {delegate})".lstrip()}


def group_problem(name: str) -> str:
    """Why a name of a group cannot be that of a delegate: Ansible would try to reach a host of that name."""
    return f"delegate_to: {name!r} is a group and no host: name one host, such as {{{{ groups[{name!r}] | first }}}}"


def starts_programs(connection: object) -> bool:
    """Whether a connection, or a class of connections, starts programs on its host.

    For a network device Ansible silently starts them on the controller.
    """
    return not any(getattr(connection, flag, False) for flag in ("force_persistence", "_remote_is_local"))


def needs_delegate(connection: str) -> str:
    """Why a scriptlet cannot run on a network device with a connection of that name."""
    return (
        f"the connection {connection} starts no programs on a device, so this step would run on the controller: "
        "name a host that runs it (delegate_to: HOST), or use a module of Ansible's (type: ansible)"
    )


Variables = Mapping[str, Any]
# For a stage and its hosts: of each host its name, its delegate's, and its variables. The second one is empty where
# the host has none or none can be found.
FindDelegates = Callable[[int, Sequence[str]], Iterable[tuple[str, str, Variables]]]


@dataclass(frozen=True, slots=True)
class DelegateGroup:
    """The hosts for which `delegate` runs a stage, each with all of its variables."""

    delegate: str
    hosts: Mapping[str, Variables]


@dataclass(slots=True)
class DelegateGroups:
    """The groups of the stage that runs now, by the host that stands for its group in the play.

    `find` finds the delegates. Of earlier stages only the names of the hosts are kept.
    """

    find: FindDelegates = lambda _number, _hosts: ()
    _groups: dict[tuple[int, str], DelegateGroup] = field(default_factory=dict)
    _formed: dict[int, dict[str, frozenset[str]]] = field(default_factory=dict)

    def form(self, number: int, hosts: Sequence[str]) -> list[str]:
        """Put the hosts of a stage into groups; returns the host that stands for each.

        A host without a delegate stands for itself only, and Ansible says what is wrong where something is. The
        variables of the stage before are forgotten.
        """
        members: dict[str, dict[str, Variables]] = {}
        alone: list[str] = []
        for host, delegate, variables in self.find(number, hosts):
            if delegate:
                members.setdefault(delegate, {})[host] = variables
            else:
                alone.append(host)
        self._groups = {(number, next(iter(own))): DelegateGroup(name, own) for name, own in members.items()}
        self._formed[number] = {name: frozenset(own) for name, own in members.items()}
        return [*(host for _number, host in self._groups), *alone]

    def of(self, number: int, host: str) -> DelegateGroup | None:
        """The group that a host of the play stands for; None where its task is for this host only."""
        return self._groups.get((number, host))

    def before(self, number: int, delegate: str) -> dict[int, frozenset[str]]:
        """The hosts for which a delegate has run stages before this one, by the number of the stage."""
        formed = self._formed.items()
        return {earlier: groups[delegate] for earlier, groups in formed if earlier < number and delegate in groups}
