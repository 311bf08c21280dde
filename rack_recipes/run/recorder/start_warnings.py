# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users should know of a run when it begins, although nothing is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import few
from rack_recipes.errors import MOST_NAMED
from rack_recipes.run.current_run import Run

ADDRESS = ("ansible_host", "ansible_ssh_host")
PORT = ("ansible_port", "ansible_ssh_port", "ansible_httpapi_port")


def start_warnings(run: Run, hosts: Iterable[Any]) -> Iterator[str]:
    """The warnings, a line each; `hosts` are Ansible's hosts of the run."""
    yield from run.inputs.warnings
    if names := [step.name for step in run.steps.values() if not step.hosts]:
        yield f"left out, as no host of this run is theirs: {few(names, MOST_NAMED)}"
    if run.inputs.unknown_hosts:
        yield f"the given context has keys of hosts not in this run: {few(run.inputs.unknown_hosts, MOST_NAMED)}"
    if run.inputs.recipe.get("canary") and not (run.inputs.canary or run.meeting):
        yield "no host of this run is its canary, so none goes first"
    if over := run.inputs.waivers.over:
        named = ", ".join(f"{waiver.step} ({waiver.until})" for waiver in over)
        yield f"waivers of this recipe are over and change nothing: {named}"
    for address, same in aliases_of_one_host(hosts):
        yield f"{few(same, MOST_NAMED)} are one host, {address}: their steps run beside each other"


def aliases_of_one_host(hosts: Iterable[Any]) -> Iterator[tuple[str, list[str]]]:
    """Each address (`address` or `address:port`) that several of these hosts have, with their names.

    Only the inventory's own variables of a host count. Variables of groups, in files of `host_vars`, and templates are
    not looked up, which would take milliseconds a host.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for host in hosts:
        address, port = _variable(host, ADDRESS) or host.name, _variable(host, PORT)
        if "{{" not in address + port and host.vars.get("ansible_connection") != "local":
            found.setdefault((address, port), []).append(host.name)
    for (address, port), names in found.items():
        if len(names) > 1:
            yield f"{address}:{port}" if port else address, names


def _variable(host: Any, names: tuple[str, ...]) -> str:
    return next((str(host.vars[name]) for name in names if host.vars.get(name)), "")
