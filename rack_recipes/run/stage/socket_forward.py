# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Unix socket on a host that leads to one on the controller, through the SSH connection that Ansible has there.

It is asked of Ansible's ControlMaster (`ssh -O forward`), which says whether it worked; no port is opened. On the host
the socket lies in a new folder of the user who logs in. sshd does not remove a socket whose connection has ended, so
each connection binds a fresh name, which then takes the place of the one before.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleError

from rack_recipes.errors import RackError

LIMIT = 20  # seconds for the ControlMaster to answer
MARK = "rack.recipes folder "
# /tmp, since the path of a socket may have 107 bytes only.
MAKE = f'umask 077; d=$(mktemp -d /tmp/rack-recipes.XXXXXXXXXX) && echo "{MARK}$d"'
NO_MASTER = (
    "this needs a ControlMaster, which Ansible's own ssh_args have (ControlMaster=auto, ControlPersist=60s): they are "
    "set to something else here"
)
REFUSED = (
    "the SSH server of this host does not forward Unix sockets: its sshd_config needs AllowStreamLocalForwarding yes, "
    "and the user's key no `restrict` ({})"
)
TRANSPORT = "the live bus goes through SSH or a local connection, and this host is reached by {}"

Run = Callable[[str], dict[str, Any]]


class NoForward(RackError):
    """The host cannot be given the socket; the text says why."""


class SocketForward:
    """One forwarded socket. `run` runs a shell command on the host as the user who logs in, as Ansible does.

    `target` is the path of the socket on the controller. With `for_others` another user of the host may use it, too.
    """

    def __init__(self, connection: Any, run: Run, target: str, *, for_others: bool) -> None:
        self._connection = connection
        self._run = run
        self._target = target
        self._for_others = for_others
        self._folder = ""
        self._number = 0
        self._forwarded = ""

    @property
    def path(self) -> str:
        """Where the host finds the socket."""
        return f"{self._folder}/live"

    def open(self) -> None:
        """Make the socket. Raises NoForward, and AnsibleError where the host cannot be reached."""
        done = self._run(MAKE)
        self._folder = str(done["stdout"]).partition(MARK)[2].split("\n")[0].strip()
        if not self._folder:
            raise NoForward(f"no folder for the socket could be made in /tmp: {done['stderr'].strip()[:200]}")
        self.renew()

    def renew(self) -> None:
        """Make the socket for the connection of now, where the one before has ended. Raises as `open` does."""
        self._number += 1
        fresh = f"{self._folder}/{self._number}.sock"
        self._ask("forward", fresh)
        self._forwarded = fresh
        allowed = f"chmod 711 {self._folder} && chmod 666 {fresh} && " if self._for_others else ""
        done = self._run(f"{allowed}mv -f {fresh} {self.path}")
        if done["rc"]:
            raise NoForward(f"the socket cannot be put in its place: {done['stderr'].strip()[:200]}")

    def close(self) -> None:
        """End the forwarding, and remove what is left on the host, as far as it can be reached."""
        with suppress(RackError, AnsibleError):
            if self._forwarded:
                self._ask("cancel", self._forwarded)
        with suppress(RackError, AnsibleError):
            if self._folder:
                self._run(f"rm -rf {self._folder}")

    def _ask(self, what: str, path: str) -> None:
        """Tell the ControlMaster what to do. Raises NoForward."""
        words = self._command("-O", what, "-R", f"{path}:{self._target}")
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoForward(f"ssh -O {what}: {error}") from error
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
            raise NoForward(NO_MASTER if "ControlPath" in said or "Control socket" in said else REFUSED.format(said))

    def _command(self, *more: str) -> list[bytes]:
        """The command line of Ansible's ssh for this host, which names the ControlMaster, with these words more."""
        program = self._connection.get_option("ssh_executable")
        host = self._connection.get_option("host") or self._connection._play_context.remote_addr
        words: list[bytes] = self._connection._build_command(program, "ssh", *more, host)
        for number in getattr(self._connection, "sshpass_pipe", None) or ():  # it needs no password
            os.close(number)
        self._connection.sshpass_pipe = None
        return words[words.index(os.fsencode(program)) :]


def run_by(action: Any, within_limits: Callable[[Callable[[], dict[str, Any]]], dict[str, Any]]) -> Run:
    """The function that runs a command on the host of an action, as the user who logs in, by `within_limits`."""

    def run(command: str) -> dict[str, Any]:
        words = f"/bin/sh -c {shlex.quote(command)}"
        return within_limits(lambda: action._low_level_execute_command(words, sudoable=False))

    return run
