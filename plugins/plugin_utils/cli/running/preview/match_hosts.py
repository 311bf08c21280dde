# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that finds the hosts of Ansible's inventory that match patterns; it reads JSON on stdin and writes JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader

VAULT = b"$ANSIBLE_VAULT"
UNREADABLE = "the inventory cannot be read: {}"
ENCRYPTED = "{} is encrypted; only the run itself asks for the vault password"


def answer(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the hosts of each pattern, or why there are none.

    A `problem` says why only the run can know them, a `refusal` why the run cannot know them either.
    """
    try:
        init_plugin_loader()
        sources = wanted["sources"] or configured() or ["localhost,"]
        encrypted = next(filter(is_encrypted, filter(os.path.isfile, sources)), None)
        if encrypted:
            return {"problem": UNREADABLE.format(ENCRYPTED.format(encrypted))}
        inventory = InventoryManager(DataLoader(), sources)
        inventory.subset(wanted["limit"])
        found = {pattern: [host.name for host in inventory.get_hosts(pattern)] for pattern in wanted["patterns"]}
    except AnsibleError as error:
        return {"refusal": UNREADABLE.format(error)}
    return {"hosts": found}


def is_encrypted(path: str) -> bool:
    """Whether a source is encrypted, so that only the run can read it."""
    return Path(path).read_bytes().startswith(VAULT)


def configured() -> list[str]:
    """Return Ansible's own setting of the inventory, an empty list if nobody has set it."""
    value, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    return [] if origin == "default" else list(value)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(json.load(sys.stdin))))
