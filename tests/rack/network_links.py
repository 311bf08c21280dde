# SPDX-License-Identifier: GPL-3.0-or-later

"""A host behind a link of its own, which its steps can take down: sshd in a network namespace. Needs root.

with Link() as link, link.rack() as rack: ...
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from dataclasses import replace
from types import TracebackType
from typing import Self

from service_supervisor import ServiceError, program
from ssh_hosts import Rack

PORT = 22022
DEVICE = "uplink"  # the host's end of the link, in its namespace


def objection() -> str:
    """Return why this machine cannot make such a link; an empty text if it can."""
    if os.geteuid():
        return "a network namespace needs root"
    if not shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
        return "ip is not installed: install the package iproute2 (apt-get install iproute2)"
    try:
        with Link():
            return ""
    except ServiceError as error:
        return str(error)


class Link:
    """A namespace, and the two ends of its link: 198.18.N.1 here, 198.18.N.2 there."""

    def __init__(self) -> None:
        self._ip = program("ip", "iproute2")
        number = secrets.randbelow(254) + 1
        self.name = f"rack-{secrets.token_hex(3)}"
        self._here, self.address = f"198.18.{number}.1", f"198.18.{number}.2"

    def rack(self) -> Rack:
        """A rack of one host, r01, that can be reached over the link only."""
        made = Rack(1, within=(self._ip, "netns", "exec", self.name))
        made.members["r01"] = replace(made.members["r01"], address=self.address, port=PORT)
        return made

    def up(self) -> None:
        """Bring the host's end up."""
        self._run(f"-n {self.name} link set {DEVICE} up")

    def _run(self, words: str) -> None:
        done = subprocess.run([self._ip, *words.split()], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceError(f"ip {words}: {done.stderr.strip()}")

    def __enter__(self) -> Self:
        self._run(f"netns add {self.name}")
        try:
            self._run(f"link add {self.name} type veth peer name {DEVICE} netns {self.name}")
            self._run(f"addr add {self._here}/24 dev {self.name}")
            self._run(f"link set {self.name} up")
            self._run(f"-n {self.name} addr add {self.address}/24 dev {DEVICE}")
            self.up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(f"netns del {self.name}")  # the link goes with it
