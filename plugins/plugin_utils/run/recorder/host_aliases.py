# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts of a run that are one machine under several names: their steps disturb each other, and few mean that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

ADDRESS = ("ansible_host", "ansible_ssh_host")
PORT = ("ansible_port", "ansible_ssh_port")


def aliases_of_one_host(hosts: Iterable[Any]) -> Iterator[tuple[str, list[str]]]:
    """Each address (`address` or `address:port`) that several of these hosts have, with their names.

    It is what the inventory itself says of a host: a variable of a group, of a file in `host_vars` or with a template
    is not looked up, since that takes milliseconds a host.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for host in hosts:
        address, port = _said(host, ADDRESS) or host.name, _said(host, PORT)
        if "{{" not in address + port and host.vars.get("ansible_connection") != "local":
            found.setdefault((address, port), []).append(host.name)
    for (address, port), names in found.items():
        if len(names) > 1:
            yield f"{address}:{port}" if port else address, names


def _said(host: Any, names: tuple[str, ...]) -> str:
    return next((str(host.vars[name]) for name in names if host.vars.get(name)), "")
