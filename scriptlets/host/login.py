# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether somebody who logs in anew by SSH gets a shell."""

from __future__ import annotations

import shlex
import shutil
import time

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.commands import completed, last_line

OWN_CONNECTION = ("-o", "ControlPath=none", "-o", "ControlMaster=no", "-o", "BatchMode=yes", "-T")
WORD = "rack-recipes-login"
NOT_LET_IN = ("Permission denied", "Host key verification failed", "Too many authentication failures")


class HostLogin(Scriptlet):
    """Opens an SSH connection of its own from another machine, and waits until the host has run a command.

    A test keeps its connection open. So a host on which new logins hang, by its accounts, its home folders or its start
    files, passes all other steps.
    """

    options = {
        "host": {
            "type": "str",
            "required": True,
            "description": "The name or address of the host",
        },
        "port": {
            "type": "str",
            "default": "",
            "description": "The port at which it answers; empty for what SSH takes",
            "unit": "TCP port",
        },
        "user": {
            "type": "str",
            "default": "",
            "description": "Who logs in; empty for what SSH takes",
        },
        "key": {
            "type": "path",
            "default": "",
            "description": "The file with the private key; empty for what SSH takes, such as those of ssh-agent",
        },
        "arguments": {
            "type": "str",
            "default": "",
            "description": "Further arguments of ssh, as in ansible_ssh_common_args",
        },
        "max_seconds": {
            "type": "float",
            "default": 20,
            "description": "How long it may take until the command has run",
            "unit": "s",
            "source": "our choice: a login waits some seconds for a name server that is away",
        },
    }
    reads = ()
    writes = {"host.login_v1": "`seconds` until a new login has run a command (s); null where it has not"}
    needs = ("OpenSSH's ssh, and a key for the host", "it runs on another machine")
    verdicts = {
        "failed": "no connection is made, or a new login does not run a command, or not in time",
        "skipped": "this machine has no ssh, or no key that lets it in without a password",
    }
    example = """
        - name: login
          module: host.login
          args: {host: "{{ ansible_host | default(inventory_hostname) }}", user: "{{ ansible_user | default('') }}"}
          delegate_to: localhost
          timeout: 60
    """

    def run(self, ctx, params):
        if not shutil.which("ssh"):
            raise Skipped("ssh is not installed on the machine that asks")
        started = time.monotonic()
        try:
            done = completed(command(params), seconds=params["max_seconds"])
        except ValueError:
            ctx.set("host.login_v1", {"seconds": None})
            raise Failed(
                f"a new login has run no command within {params['max_seconds']:g} s: look at name server, home folders "
                "and start files of the host"
            ) from None
        seconds = round(time.monotonic() - started, 2)
        if WORD in done.stdout.split():
            ctx.set("host.login_v1", {"seconds": seconds})
            ctx.check("login", seconds, "s", max=params["max_seconds"])
            return
        if any(said in done.stderr for said in NOT_LET_IN):
            raise Skipped(f"a new login is not let in without a password: {last_line(done)}")
        ctx.set("host.login_v1", {"seconds": None})
        raise Failed(f"a new login does not run a command: {last_line(done) or f'exit code {done.returncode}'}")


def command(params):
    """The command that opens a connection of its own; of an option that is given twice, ssh takes the first one."""
    named = (("-p", params["port"]), ("-l", params["user"]), ("-i", params["key"]))
    given = [word for option, value in named if value for word in (option, value)]
    return ["ssh", *OWN_CONNECTION, *given, *shlex.split(params["arguments"]), "--", params["host"], f"echo {WORD}"]
