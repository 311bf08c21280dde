# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module of Ansible's needs on the machine that runs Ansible, and what to do where that is missing there."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from rack_recipes.errors import nearest
from rack_recipes.recipe.catalog.builtin_modules import COLLECTION, nearest_builtin

INSTALL = "install its collection on the machine that runs Ansible (ansible-galaxy collection install {collection})"
# What Ansible and its connections say, as of ansible-core 2.21 and ansible.netcommon 8.7; and what to do about it.
ADVICE = (
    (
        r"the connection plugin '(?P<name>(?P<collection>\w+\.\w+)\.\w+)' was not found",
        f"there is no connection {{name}}: {INSTALL}",
    ),
    (
        r"paramiko is not installed|required Python library \(ansible-pylibssh\)",
        (
            "network_cli needs an SSH library: install ansible-pylibssh for the Python that runs Ansible "
            "(pip install ansible-pylibssh)"
        ),
    ),
    (
        r"required Python library \(ncclient\)|ncclient is (not installed|required)",
        "netconf needs the library ncclient: install it for the Python that runs Ansible (pip install ncclient)",
    ),
    (
        r"Unable to automatically determine host network os",
        "the host needs the variable ansible_network_os, such as arista.eos.eos or cisco.nxos.nxos",
    ),
    (
        r"network os (?P<name>\S+) is not supported",
        (
            "there is no network OS {name} here: correct the variable ansible_network_os of the host, or install the "
            "collection that it names on the machine that runs Ansible"
        ),
    ),
)


def missing_on_controller(message: str) -> str:
    """What is missing where Ansible runs and what to do, by a message of Ansible's; empty for any other message."""
    found = ((re.search(pattern, message), advice) for pattern, advice in ADVICE)
    return next((advice.format(**match.groupdict()) for match, advice in found if match), "")


def unknown_module(name: str) -> str:
    """That there is no module of this full name, with the nearest one of its collection or how to get that."""
    collection, _dot, last = name.rpartition(".")
    if collection == COLLECTION:
        near = nearest_builtin(name)
    elif (folder := _modules_of(collection)) is None:
        return f"there is no module {name}: {INSTALL.format(collection=collection)}"
    else:
        known = {path.stem: f"{collection}.{path.stem}" for path in sorted(folder.glob("[a-z]*.py"))}
        near = known.get(nearest(last, [*known]), "")
    return f"there is no module {name}" + (f", did you mean {near}?" if near else " in its collection")


def _modules_of(collection: str) -> Path | None:
    """The folder of a collection's modules; None where the collection is not installed."""
    try:
        spec = find_spec(f"ansible_collections.{collection}.plugins")
    except (ImportError, ValueError):
        return None
    place = next(iter(spec.submodule_search_locations or ()), "") if spec else ""
    return Path(place, "modules") if place else None
