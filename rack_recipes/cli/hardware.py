# SPDX-License-Identifier: GPL-3.0-or-later

"""The command hardware import: what NetBox or Nautobot has planned, as golden lists of hosts."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.terminal import printable
from rack_recipes.errors import counted


@takes(
    """
    URL as url  the URL of NetBox or Nautobot, or of its list of devices with a filter
    --leave-out PART...  without this part: model, serial, firmware, interfaces or gpus
    --token-env NAME=NETBOX_TOKEN  the environment variable with the token (default: NETBOX_TOKEN)
    -o, --output FILE=planned-hardware.yml  where the inventory is written (default: planned-hardware.yml)
    --overwrite  write a file that is there already and would change, too
    examples:
    rack-recipes hardware import https://netbox.example.com
    rack-recipes hardware import 'https://netbox.example.com/api/dcim/devices/?site=hall-b' --leave-out model
    """
)
def import_(options: argparse.Namespace) -> Answer:
    """Write the planned hardware of each device as variables of an inventory: `hardware_golden` and `gpus_planned`.

    host.golden compares a host with `hardware_golden`; with `serials: true` its serial number and the MAC addresses
    count as well. gpu.health takes `gpus_planned`. What the server does not say is not compared. The BIOS is the custom
    field `bios_version`, GPUs are inventory items and modules with that word in role, name or type.

    A file that is there and would change is only written with --overwrite; the difference is shown on stderr in any
    case. Without it the exit code is 1.
    """
    from rack_recipes.cabling.planned_hardware import fetch_hardware, without_parts
    from rack_recipes.cabling.write_plan_and_inventory import change, hosts_text, write

    planned = fetch_hardware(options.url, os.environ.get(options.token_env, ""))
    hosts = without_parts(planned.hosts, options.leave_out)
    told = change(Path(options.output), hosts_text(hosts))
    for why, number in planned.left_out.items():
        sys.stderr.write(f"left out: {counted(number, 'device')} with {printable(why)}\n")
    is_refused = not told.is_none and not told.is_new and not options.overwrite
    if not told.is_none and not told.is_new and not options.json:
        sys.stderr.writelines(f"{printable(line)}\n" for line in told.diff.splitlines())
    if not is_refused:
        write(told)
    state = "would change" if is_refused else "unchanged" if told.is_none else "written"
    if options.json:
        files = {str(told.path): state}
        return {"hosts": len(hosts), "files": files, "left_out": dict(planned.left_out)}, int(is_refused)
    refusal = "\nnothing is written: --overwrite writes what is shown above" if is_refused else ""
    return f"{counted(len(hosts), 'host')}\n{told.path}  {state}{refusal}\n", int(is_refused)
