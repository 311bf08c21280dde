# SPDX-License-Identifier: GPL-3.0-or-later

"""Real SSH hosts on this machine for a first try: an sshd, a loopback address and a home folder for each. No root."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from rack_recipes.errors import RackError

FIRST = IPv4Address("127.0.3.1")
START_LIMIT = 20.0  # seconds
PLACES = "/usr/sbin:/usr/local/sbin:/sbin"  # of sshd, which users' PATH often lacks
OPTIONS = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes"
CONFIG = """\
ListenAddress {address}:{port}
HostKey "{folder}/host_key"
AuthorizedKeysFile "{folder}/id.pub"
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 200
SetEnv "HOME={folder}/{name}"
"""


def find_programs() -> tuple[str, ...]:
    """The paths of sshd and of what goes with it; empty where one of them is not installed."""
    path = f"{os.environ.get('PATH', os.defpath)}:{PLACES}"
    found = [shutil.which(name, path=path) for name in ("sshd", "ssh-keygen", "ssh")]
    return tuple(filter(None, found)) if all(found) else ()


@contextmanager
def ssh_hosts(count: int, programs: Sequence[str]) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    """Start hosts; the variables of each by its name. They end with the block. Raises RackError."""
    with tempfile.TemporaryDirectory(prefix="rack-recipes-demo-") as home, ExitStack() as ending:
        folder = Path(home)
        for name in ("host_key", "id"):
            words = [programs[1], "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        if os.geteuid() == 0:  # root's sshd confines its login there; without the system's sshd nothing has made it
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        hosts = {f"r{number + 1:02}": str(FIRST + number) for number in range(count)}
        ports = {name: _start(name, address, folder, programs[0], ending) for name, address in hosts.items()}
        login = {
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(folder / "id"),
            "ansible_ssh_common_args": OPTIONS,
            "ansible_python_interpreter": sys.executable,
            **({"ansible_ssh_use_tty": False} if os.geteuid() else {}),  # a user's sshd has no right to the group tty
        }
        yield {name: {"ansible_host": address, "ansible_port": ports[name], **login} for name, address in hosts.items()}


def inventory_of(hosts: Mapping[str, Mapping[str, object]]) -> str:
    """The text of an inventory with these hosts and their variables."""
    return json.dumps({"all": {"hosts": hosts}}, indent=1) + "\n"


def _start(name: str, address: str, folder: Path, sshd: str, ending: ExitStack) -> int:
    """Start an sshd and wait for it; its port. It is ended with `ending`."""
    with socket.create_server((address, 0)) as free:
        port = int(free.getsockname()[1])
    (folder / name).mkdir()
    config, log = folder / f"{name}.conf", folder / f"{name}.log"
    config.write_text(CONFIG.format(address=address, port=port, folder=folder, name=name))
    server = subprocess.Popen([sshd, "-D", "-f", str(config), "-E", str(log)], stdin=subprocess.DEVNULL)
    ending.callback(server.wait)
    ending.callback(server.terminate)
    deadline = time.monotonic() + START_LIMIT
    while not _answers(address, port):
        if server.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-500:] if log.exists() else ""
            raise RackError(f"sshd does not answer at {address}:{port}: {said.strip()}")
        time.sleep(0.02)
    return port


def _answers(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), timeout=2) as connection:
        return connection.recv(4) == b"SSH-"
    return False
