# SPDX-License-Identifier: GPL-3.0-or-later

"""The target hosts of a run: what the inventory says of them, and the CPU time of their SSH sessions.

Each host is an sshd on a loopback address of this machine. The sshd adds a session's CPU time to its own account
(`cutime` and `cstime` of /proc/PID/stat) once the session has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import BenchError, Target

LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp."""
PARENT, CHILDREN_USER, CHILDREN_SYSTEM = 1, 13, 14
"""Fields of /proc/PID/stat, counted from the one behind the command's name."""


def described(inventory: Path) -> dict[str, dict[str, Any]]:
    """The hosts of an Ansible inventory and their variables, in the order of their names."""
    ansible = Path(sys.executable).with_name("ansible-inventory")
    done = subprocess.run([ansible, "-i", inventory, "--list"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"ansible-inventory refuses {inventory}: {done.stderr.strip()}")
    hostvars: dict[str, dict[str, Any]] = json.loads(done.stdout)["_meta"]["hostvars"]
    return dict(sorted(hostvars.items()))


def target(name: str, variables: Mapping[str, Any]) -> Target:
    """A target as Ansible's variables describe it."""
    words = f"{variables.get('ansible_ssh_common_args', '')} {variables.get('ansible_ssh_extra_args', '')}"
    return Target(
        name=name,
        address=str(variables.get("ansible_host", name)),
        port=int(variables.get("ansible_port", 22)),
        user=str(variables.get("ansible_user", "")),
        key=str(variables.get("ansible_ssh_private_key_file", "")),
        python=str(variables.get("ansible_python_interpreter", "")),
        ssh_args=tuple(shlex.split(words)),
    )


def write_inventory(path: Path, hosts: Mapping[str, Mapping[str, Any]]) -> None:
    """An inventory of these hosts, as JSON, which Ansible's YAML plugin reads."""
    path.write_text(json.dumps({"all": {"hosts": hosts}}, indent=1) + "\n")


def listeners(targets: Iterable[Target]) -> frozenset[int]:
    """The processes that listen at the targets' addresses."""
    wanted = {endpoint(target) for target in targets}
    sockets = {inode for place, inode in listening() if place in wanted}
    found = frozenset(pid for pid in processes() if holds(pid, sockets))
    if not found:
        raise BenchError("no SSH server of this machine listens at the inventory's addresses")
    return frozenset(pid for pid in found if stat(pid)[PARENT] not in found)


def endpoint(target: Target) -> str:
    """A target's address and port as /proc/net/tcp writes them."""
    (number,) = struct.unpack("=I", socket.inet_aton(socket.gethostbyname(target.address)))
    return f"{number:08X}:{target.port:04X}"


def listening() -> list[tuple[str, str]]:
    """Address and inode of each listening TCP socket."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [(words[1], words[9]) for words in map(str.split, lines) if words[3] == LISTENING]


def processes() -> list[int]:
    """All processes of this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def holds(pid: int, sockets: set[str]) -> bool:
    """Whether a process has one of these sockets open; false if we may not look into the process."""
    try:
        return any(link[8:-1] in sockets for link in links(pid) if link.startswith("socket:["))
    except OSError:
        return False


def links(pid: int) -> Iterator[str]:
    """What the open files of a process are."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield str(entry.readlink())


def stat(pid: int) -> list[int]:
    """The numbers of /proc/PID/stat behind the command's name and the state."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [0, *map(int, words[1:])]


def target_cpu(servers: Iterable[int]) -> float:
    """CPU seconds of all sessions that have ended on these servers."""
    ticks = sum(numbers[CHILDREN_USER] + numbers[CHILDREN_SYSTEM] for numbers in map(stat, servers))
    return ticks / os.sysconf("SC_CLK_TCK")


def wait_until_idle(servers: Iterable[int], timeout: float = 30.0) -> None:
    """Wait until no session is left, so that all CPU time is accounted."""
    deadline = time.monotonic() + timeout
    while any(Path(f"/proc/{pid}/task/{pid}/children").read_text().split() for pid in servers):
        if time.monotonic() > deadline:
            raise BenchError(f"an SSH session did not end within {timeout:.0f} s: {'; '.join(left_of(servers))}")
        time.sleep(0.02)


def left_of(servers: Iterable[int]) -> Iterator[str]:
    """The processes of the sessions that are left, each with its number, state and command line."""
    for server in servers:
        for process in psutil.Process(server).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                told = process.as_dict(["status", "name", "cmdline"])  # of a zombie there is no command line
                yield f"{process.pid} {told['status']} {shlex.join(told['cmdline'] or [told['name']])}"
