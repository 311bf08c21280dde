# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible offers a run that begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.template import Templar

from ansible_collections.rack.recipes.plugins.plugin_utils.run.secrecy.vaulted import Vault

Resolve = Callable[[Any], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Means:
    """Extra vars, the names of the hosts of this run that match a pattern, and how templates are filled in.

    `vaulted` has the texts of each host's variables that came out of a vault, and why they may not be all; `vars_of`
    has all variables of a host, at a millisecond each.
    """

    extra_vars: Mapping[str, Any]
    resolve: Resolve
    fill: Callable[[Any], Any]
    vaulted: Callable[[Iterable[str]], tuple[Mapping[str, Sequence[str]], str]] = lambda _hosts: ({}, "")
    vars_of: Callable[[str], Mapping[str, Any]] = lambda _host: {}


def means_of(play: Any) -> Means:
    """Those of a play that starts."""
    variables = play.get_variable_manager()

    def fill(value: Any) -> Any:
        return Templar(loader=play.get_loader(), variables=variables.get_vars(play=play)).template(value)

    def resolve(pattern: Any) -> list[str]:
        """The hosts of all batches: Ansible restricts its inventory to the one that starts."""
        filled = fill(pattern) if "{{" in str(pattern) else pattern
        return [host.name for host in variables._inventory.get_hosts(filled, ignore_restrictions=True)]

    def vaulted(hosts: Iterable[str]) -> tuple[dict[str, list[str]], str]:
        vault = Vault(play.get_loader())
        found: dict[str, list[str]] = {}
        for name in hosts if vault.is_open else ():
            host = variables._inventory.get_host(name)
            found[name] = vault.values_in(variables.get_vars(play=play, host=host, include_hostvars=False))
        return found, vault.problem

    def vars_of(name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = variables.get_vars(play=play, host=variables._inventory.get_host(name))
        return found

    return Means(variables.extra_vars, resolve, fill, vaulted, vars_of)
