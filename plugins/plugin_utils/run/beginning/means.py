# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible offers a run that begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.template import Templar

Resolve = Callable[[Any], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Means:
    """Extra vars, the names of the hosts of this run that match a pattern, and how templates are filled in."""

    extra_vars: Mapping[str, Any]
    resolve: Resolve
    fill: Callable[[Any], Any]


def means_of(play: Any) -> Means:
    """Those of a play that starts."""
    variables = play.get_variable_manager()

    def fill(value: Any) -> Any:
        return Templar(loader=play.get_loader(), variables=variables.get_vars(play=play)).template(value)

    def resolve(pattern: Any) -> list[str]:
        """The hosts of all batches: Ansible restricts its inventory to the one that starts."""
        filled = fill(pattern) if "{{" in str(pattern) else pattern
        return [host.name for host in variables._inventory.get_hosts(filled, ignore_restrictions=True)]

    return Means(variables.extra_vars, resolve, fill)
