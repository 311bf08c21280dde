# SPDX-License-Identifier: GPL-3.0-or-later

"""A persistent connection like ansible.netcommon.network_cli: commands to the command line of a device, over SSH."""

from __future__ import annotations

import subprocess

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import NetworkConnectionBase

DOCUMENTATION = """
name: cli
short_description: Commands to the command line of a device
description: [Commands to the command line of a device.]
author: [rack.recipes contributors]
options:
  host: {description: [Address.], default: inventory_hostname, vars: [{name: ansible_host}]}
  port: {description: [Port.], type: int, default: 22, vars: [{name: ansible_port}]}
  key: {description: [Private key.], vars: [{name: ansible_ssh_private_key_file}]}
  persistent_connect_timeout:
    {description: [Idle time.], type: int, default: 30, vars: [{name: ansible_connect_timeout}]}
  persistent_command_timeout: {description: [Time for an answer.], type: int, default: 30}
  persistent_log_messages: {description: [Logging.], type: boolean, default: false}
"""
OPTIONS = ("-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")


class Connection(NetworkConnectionBase):
    """Sends each command to the program `cli` of the device."""

    transport = "test.net.cli"

    def _connect(self):
        self._connected = True
        return self

    def get(self, command):
        """Return what the device answers."""
        options = ("-p", str(self.get_option("port")), "-i", self.get_option("key"))
        line = ["ssh", *OPTIONS, *options, self.get_option("host"), "sh", "$HOME/cli", *command.split()]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode == 255:
            raise AnsibleConnectionFailure(f"ssh connection failed: ssh connect failed: {done.stderr.strip()}")
        return done.stdout.strip()
