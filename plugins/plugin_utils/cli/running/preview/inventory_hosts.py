# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts that a run would have, asked of Ansible's inventory; no host is contacted."""

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
    """The names of the hosts of each pattern; `problem` or `refusal` is why there are none, here or in the run too."""

    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problem: str = ""
    refusal: str = ""

    def of(self, pattern: str) -> tuple[str, ...]:
        """The hosts of a pattern that was asked for."""
        return self.hosts.get(pattern, ())


def inventory_hosts(inventories: Sequence[str], limit: str | None, patterns: Iterable[str]) -> InventoryHosts:
    """The hosts of patterns in inventories under --limit; without any inventory there is this machine.

    Asked of a process of its own: Ansible changes how Python imports collections, this one among them.
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
