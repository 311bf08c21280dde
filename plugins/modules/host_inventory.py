#!/usr/bin/python
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_inventory
short_description: What a host is made of
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
description:
  - Sets the context key C(host.inventory_v1) to the host's system, operating system, kernel, CPU, memory, disks and
    links, as C(/proc), C(/sys) and C(/etc/os-release) give them. It runs no command and needs no privilege.
  - It holds only what stays the same while the machine does. So inventories can be compared from run to run and, by
    M(rack.recipes.host_compare), from host to host.
  - What a machine does not have, or does not tell, is V(null) or an empty list.
  - Loop, RAM, optical and floppy drives and logical volumes are no disks here. All network interfaces but the loopback
    are links; one without a device of its own has no C(driver).
  - Measures C(memory_total) in bytes, and the numbers of C(cpu_threads), C(disks) and C(links).
options:
  root:
    description: The folder that holds C(proc), C(sys) and C(etc), for a tree captured from another machine.
    type: path
    default: /
"""

EXAMPLES = r"""
- name: Take the inventory
  rack.recipes.host_inventory:
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
  description: The context key that was set, with what the host is made of.
  returned: always
  type: dict
  sample:
    host.inventory_v1:
      hostname: r07
      system: {vendor: Acme, product: Server 1, firmware_version: "2.1", firmware_date: 01/31/2026}
      os: {id: debian, version: "13", name: Debian GNU/Linux 13 (trixie)}
      kernel: {release: 6.12.48-amd64, version: "#1 SMP Debian 6.12.48-1"}
      cpu: {model: AMD EPYC 9354P, sockets: 1, cores: 32, threads: 64, architecture: x86_64, microcode: "0xa101154"}
      memory: {total_bytes: 405211000832, swap_bytes: 0, numa_nodes: 1}
      disks: [{name: nvme0n1, size_bytes: 960197124096, rotational: false, model: Acme SSD, firmware: "1.0"}]
      links: [{name: eth0, mac: "02:00:00:00:00:07", mtu: 9000, speed_mbps: 25000, state: up, driver: mlx5_core}]
measurements:
  description: The values measured, each with name, value and unit.
  returned: always
  type: list
  elements: dict
  sample: [{name: cpu_threads, value: 64, unit: threads}]
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

from ansible_collections.rack.recipes.plugins.module_utils.read_proc_and_sys import HostFiles
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet, run_as_module
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.hardware_inventory import inventory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView


class HostInventory(Scriptlet):
    """What a host is made of: system, kernel, CPU, memory, disks, links."""

    options = {"root": {"type": "path", "default": "/"}}
    reads = ()
    writes = {"host.inventory_v1": "hostname, `system`, `kernel`, `cpu`, `memory` (total_bytes), `disks` and `links`"}
    needs = ()
    verdicts = {"error": "the kernel does not show its files"}
    example = """
        - name: take_inventory
          module: rack.recipes.host_inventory
          success: {ctx_has_keys: [host.inventory_v1]}
    """

    def validate(self, ctx: ContextView, params: dict[str, Any]) -> None:
        if not HostFiles(params["root"]).is_host():
            raise ValueError(f"{params['root']}: expected a folder that holds proc and sys")

    def run(self, ctx: ContextView, params: dict[str, Any]) -> None:
        found = inventory(HostFiles(params["root"]))
        ctx.set("host.inventory_v1", found)
        measured = (
            ("memory_total", found["memory"]["total_bytes"], "bytes"),
            ("cpu_threads", found["cpu"]["threads"], "threads"),
            ("disks", len(found["disks"]), "disks"),
            ("links", len(found["links"]), "links"),
        )
        for name, value, unit in measured:
            if value is not None:
                ctx.measure(name, value, unit)


if __name__ == "__main__":
    run_as_module(HostInventory)
