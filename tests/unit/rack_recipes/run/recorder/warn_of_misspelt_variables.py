# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints the warnings for projects in JSON: `python warn_of_misspelt_variables.py FOLDER ...`.

A process of its own, since Ansible finds collections only where nobody has imported them before.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.manager import VariableManager

init_plugin_loader()

from rack_recipes.run.recorder.ansible_api import ansible_api_of
from rack_recipes.run.recorder.misspelt_variables import misspelt_variables


def warned(folder: Path) -> list[str]:
    """The warnings for the playbook, the inventory and the extra vars in a folder."""
    loader = DataLoader()
    inventory = InventoryManager(loader, [str(folder / "hosts.json")])
    variables = VariableManager(loader, inventory)
    variables._extra_vars = json.loads((folder / "extra_vars.json").read_bytes())
    plays = Playbook.load(str(folder / "site.json"), variable_manager=variables, loader=loader).get_plays()
    return [*misspelt_variables(plays, inventory.hosts, ansible_api_of(plays[0]))]


if __name__ == "__main__":
    print(json.dumps([warned(Path(folder)) for folder in sys.argv[1:]]))
