# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run was to do, as the store keeps it: the hosts of each step, and the numbers that its recipe derives.

Most steps have the same hosts, so each list of hosts is kept once: 100 steps on 1,000 hosts take 20 kB instead of 1 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rack_recipes.store.writing.record_to_rows import name


def packed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The plan in a run record: `hosts` are lists, `steps` has by name the place of its list.

    Names are those of the rows of results, where a long one is cut. `derived` has the definitions by name, where the
    recipe has some. What is wrong is left out.
    """
    lists: dict[tuple[str, ...], int] = {}
    steps: dict[str, int] = {}
    for step in _entries(record.get("steps")):
        hosts = step.get("hosts")
        if isinstance(step.get("name"), str) and isinstance(hosts, list):
            known = (*(str(name(host)) for host in hosts if isinstance(host, str)),)
            steps[str(name(step["name"]))] = lists.setdefault(known, len(lists))
    derived = record.get("derived")
    return {
        "hosts": [*map(list, lists)],
        "steps": steps,
        **({"derived": derived} if derived and isinstance(derived, dict) else {}),
    }


def unpacked(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with the hosts of each step: `steps` has them by name, `derived` the definitions."""
    steps = {name: plan["hosts"][place] for name, place in plan["steps"].items()}
    return {"steps": steps, "derived": plan.get("derived") or {}}


def _entries(steps: Any) -> list[Mapping[str, Any]]:
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
