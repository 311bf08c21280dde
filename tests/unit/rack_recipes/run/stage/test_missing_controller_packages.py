# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said where Ansible lacks something for a network device: what to install, or which variable to correct.

The messages are those of ansible-core 2.21.5, ansible.netcommon 8.7.1 and their plugins, as they came out of runs.
"""

from __future__ import annotations

import pytest

from rack_recipes.run.stage.module_answers import missing_on_controller, unknown_module

SSH = (
    "network_cli needs an SSH library: install ansible-pylibssh for the Python that runs Ansible "
    "(pip install ansible-pylibssh)"
)
PYLIBSSH = "Failed to import the required Python library (ansible-pylibssh) on vm's Python /usr/bin/python3. Please"
INSTALL = "install its collection on the machine that runs Ansible (ansible-galaxy collection install {})"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "Task failed: the connection plugin 'ansible.netcommon.network_cli' was not found",
            f"there is no connection ansible.netcommon.network_cli: {INSTALL.format('ansible.netcommon')}",
        ),
        ("ConnectionError: paramiko is not installed: No module named 'paramiko'", SSH),
        (PYLIBSSH, SSH),
        (
            "ncclient is not installed",
            "netconf needs the library ncclient: install it for the Python that runs Ansible (pip install ncclient)",
        ),
        (
            (
                "Task failed: Unable to automatically determine host network os. Please manually configure "
                "ansible_network_os value for this host"
            ),
            "the host needs the variable ansible_network_os, such as arista.eos.eos or cisco.nxos.nxos",
        ),
        (
            "Task failed: network os arista.eos.oes is not supported",
            (
                "there is no network OS arista.eos.oes here: correct the variable ansible_network_os of the host, or "
                "install the collection that it names on the machine that runs Ansible"
            ),
        ),
        ("ssh connection failed: ssh connect failed: Connection refused", ""),
        ("Failed to import the required Python library (psycopg2) on r01's Python /usr/bin/python3.", ""),
        ("", ""),
    ],
)
def test_what_to_do_where_something_is_missing(message: str, said: str):
    assert missing_on_controller(message) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no.such.module_command", f"there is no module no.such.module_command: {INSTALL.format('no.such')}"),
        (
            "rack.recipes.number_stats",
            "there is no module rack.recipes.number_stats, did you mean rack.recipes.numbers_stats?",
        ),
        ("ansible.builtin.comand", "there is no module ansible.builtin.comand, did you mean ansible.builtin.command?"),
        ("rack.recipes.zzz", "there is no module rack.recipes.zzz in its collection"),
    ],
)
def test_a_module_that_is_not_there(name: str, said: str):
    assert unknown_module(name) == said
