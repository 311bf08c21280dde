# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks Ansible's inventory for the hosts of a run; no host is contacted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.run.launcher.ansible_playbook import environment

PROGRAM = Path(__file__).with_name("match_hosts.py")


@dataclass(frozen=True, slots=True)
class InventoryHosts:
    """The host names of each pattern, or why there are none. `devices` has the connections of network devices.

    `problem` says why they are not known here, `refusal` why the run would have none either.
    """

    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    refusal: str = ""

    def of(self, pattern: str) -> tuple[str, ...]:
        """Return the hosts of a pattern, none for a pattern that was not asked for."""
        return self.hosts.get(pattern, ())


def inventory_hosts(inventories: Sequence[str], limit: str | None, patterns: Iterable[str]) -> InventoryHosts:
    """Return the hosts of patterns in inventories under --limit; without an inventory it is this machine.

    This runs in a process of its own, because Ansible changes how Python imports collections.
    """
    wanted = {"sources": [*inventories], "limit": limit, "patterns": sorted({*patterns})}
    env = environment("", inventories)
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], input=json.dumps(wanted), env=env, capture_output=True, text=True, check=False
    )
    sys.stderr.write(done.stderr)
    answer = json.loads(done.stdout)
    hosts = {pattern: tuple(names) for pattern, names in answer.pop("hosts", {}).items()}
    return InventoryHosts(hosts, **answer)
