# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts a delegate runs a stage for. The play of such a stage has one host for each delegate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
