# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program by itself: which hosts of Ansible's inventory match patterns. A question on stdin, an answer on stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader


def answer(wanted: dict[str, Any]) -> dict[str, Any]:
    """The hosts of each pattern, or the problem that keeps an inventory from being read."""
    try:
        init_plugin_loader()
        inventory = InventoryManager(DataLoader(), wanted["sources"] or configured() or ["localhost,"])
        inventory.subset(wanted["limit"])
        found = {pattern: [host.name for host in inventory.get_hosts(pattern)] for pattern in wanted["patterns"]}
    except AnsibleError as error:
        return {"hosts": {}, "problem": f"the inventory cannot be read: {error}"}
    return {"hosts": found, "problem": ""}


def configured() -> list[str]:
    """Ansible's own setting, if somebody has set it."""
    value, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    return [] if origin == "default" else list(value)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(json.load(sys.stdin))))
