#!/usr/bin/python
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_compare
short_description: Which hosts are not made like the others
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
description:
  - Compares the C(host.inventory_v1) of all hosts field by field and sets the run's context key
    C(host.differences_v1). It is meant for a step with C(scope=run) that depends on M(rack.recipes.host_inventory).
  - A field is a dotted path such as C(kernel.release) or C(links.eth0.mtu). A value that more than half of the hosts
    have is the majority's. The hosts that have another value are named under C(differences).
  - If no value has a majority, no host is blamed. The field is listed under C(undecided), with its values and their
    hosts. Of only two hosts that differ, neither is ever the majority.
  - A disk or a link that a host lacks is one difference, V(absent) instead of V(present).
  - One inventory alone cannot be compared. The step passes, so that a recipe also runs on a single machine, and C(note)
    says that nothing was compared. With O(fail=true) that is an error, since a check was asked for and none was made.
  - Hosts without an inventory are named under C(without_inventory); they take no part.
  - Measures C(hosts_compared), C(fields_compared) and C(hosts_differing). With O(fail=true) the last one is a check,
    and so is C(fields_undecided).
options:
  ignore:
    description:
      - Patterns of fields that are not compared. V(*) stands for any text, dots included.
      - By default the fields that differ on every host, and the links that containers and virtual machines make.
    type: list
    elements: str
    default:
      - hostname
      - "*serial*"
      - "*uuid*"
      - links.*.mac
      - links.br-*
      - links.cali*
      - links.docker*
      - links.tap*
      - links.veth*
      - links.vnet*
  tolerance:
    description:
      - How much a number may differ from the majority's, in percent, by pattern of fields.
      - By default only the size of the memory may, since the kernel keeps a little of it for itself.
    type: dict
    default:
      memory.total_bytes: 1
  fail:
    description: Whether hosts that differ make the step fail, and fields without a majority too.
    type: bool
    default: false
notes:
  - As a module in a playbook of your own it has no other host's inventory to compare, and ends with an error.
seealso:
  - module: rack.recipes.host_inventory
"""

EXAMPLES = r"""
- name: Compare the inventories of a recipe's hosts
  rack.recipes.host_compare:
    ignore: [hostname, "links.*.mac", "links.*.state"]
    fail: true
"""

RETURN = r"""
verdict:
  description: How the step ended, V(passed), V(failed) or V(error).
  returned: always
  type: str
  sample: passed
reason:
  description: Why it did not pass.
  returned: always
  type: str
  sample: ""
context:
  description: The context key that was set, with what the hosts differ in.
  returned: always
  type: dict
  sample:
    host.differences_v1:
      hosts: 40
      fields: 61
      differences: [{field: links.eth1.mtu, majority: 9000, share: 0.975, hosts: {r07: 1500}}]
      undecided: [{field: system.firmware_version, distinct: 2, values: [{value: "2.1", hosts: [r01, r02]}]}]
      differing_hosts: [r07]
      without_inventory: []
      note: ""
measurements:
  description: The values measured, each with name, value and unit.
  returned: always
  type: list
  elements: dict
  sample: [{name: hosts_compared, value: 40, unit: hosts}]
stdout:
  description: What the scriptlet printed.
  returned: always
  type: str
  sample: ""
stderr:
  description: Its log.
  returned: always
  type: str
  sample: ""
"""

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet, run_as_module
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.host_differences import (
    compare,
    describe,
    describe_tie,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView

NAMED = 20


class HostCompare(Scriptlet):
    """Which hosts are not made like the others."""

    options = {
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [
                "hostname",
                "*serial*",
                "*uuid*",
                "links.*.mac",
                "links.br-*",
                "links.cali*",
                "links.docker*",
                "links.tap*",
                "links.veth*",
                "links.vnet*",
            ],
        },
        "tolerance": {"type": "dict", "default": {"memory.total_bytes": 1}},
        "fail": {"type": "bool", "default": False},
    }
    reads = ("host.inventory_v1",)
    writes = {
        "host.differences_v1": (
            "`hosts` and `fields` (how many were compared), `differences`, `undecided`, `differing_hosts`, "
            "`without_inventory` and `note`"
        )
    }
    needs = ("host.inventory_v1 of the hosts (rack.recipes.host_inventory)",)
    verdicts = {
        "failed": "a host differs from the others, with `fail: true`",
        "error": "no host has an inventory; with `fail: true` also where nothing could be compared",
    }
    example = """
        - name: take_inventory
          module: rack.recipes.host_inventory
          success: {ctx_has_keys: [host.inventory_v1]}
        - name: compare
          module: rack.recipes.host_compare
          scope: run
          depends_on: [take_inventory]
          args: {fail: true}
    """
    scope = "run"

    def validate(self, ctx: ContextView, params: dict[str, Any]) -> None:
        wrong = [name for name, percent in params["tolerance"].items() if not _is_percent(percent)]
        if wrong:
            raise ValueError(f"tolerance: expected a number of percent for {', '.join(map(str, wrong))}")

    def run(self, ctx: ContextView, params: dict[str, Any]) -> None:
        inventories = ctx.values("host.inventory_v1")
        if not inventories:
            raise ValueError("no host has the key host.inventory_v1")
        found = compare(inventories, params["ignore"], params["tolerance"])
        found["without_inventory"] = sorted(set(ctx.hosts()) - set(inventories))
        found["note"] = note = _note(found)
        ctx.set("host.differences_v1", found)
        ctx.measure("hosts_compared", found["hosts"], "hosts")
        ctx.measure("fields_compared", found["fields"], "fields")
        if params["fail"]:
            _insist(ctx, found, note)
        else:
            ctx.measure("hosts_differing", len(found["differing_hosts"]), "hosts")


def _is_percent(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _note(found: dict[str, Any]) -> str:
    """Why the comparison says nothing; empty where it does."""
    if found["hosts"] < 2:
        return "there is one inventory: nothing was compared"
    return "" if found["fields"] else "every field is ignored: nothing was compared"


def _insist(ctx: ContextView, found: dict[str, Any], note: str) -> None:
    if note:
        raise ValueError(note)
    hosts, ties = found["differing_hosts"], found["undecided"]
    ctx.check("hosts_differing", len(hosts), "hosts", max=0)
    ctx.check("fields_undecided", len(ties), "fields", max=0)
    lines = [describe(found["differences"], host) for host in hosts] + [describe_tie(tie) for tie in ties]
    if lines:
        differing = f"{len(hosts)} of {found['hosts']} hosts differ from the others:"
        head = differing if hosts else "the hosts differ, and there is no majority:"
        more = [f"and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
        raise Failed("\n".join([head, *lines[:NAMED], *more]))


if __name__ == "__main__":
    run_as_module(HostCompare)
