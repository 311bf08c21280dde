# SPDX-License-Identifier: GPL-3.0-or-later

"""The first process of a virtual rack, in namespaces of its own: it starts the nodes and lays the cables.

    unshare --net --mount --pid --fork --kill-child=KILL --mount-proc python rack_first_process.py SPEC

SPEC is a JSON file, see `start_rack.py`. What happens is told on stdout, a JSON object a line: `{"up": NAMES}` with the
nodes, or `{"error": REASON}`. When the first process ends, the kernel ends all that it has started: nodes, links,
mounts, loop devices. This file imports the standard library only, so that it starts at once.

The folder `pids` has a file for each node with the number of its first process in this namespace. Each node's network
has a name of its own below /run, so that it and its cables stay while the node is off.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

SAME_NETWORK = ("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--uts", "--ipc")
NODE = (*SAME_NETWORK, "--net")
NETWORKS = Path("/run/rack-networks")
PIDS = "pids"
"""The folder with the number of each node's first process; the file of a node that is off is empty."""

BOOT_ID = "etc/rack/boot_id"  # below the files of a node

BRIDGE = "br-mgmt"
PATIENCE = 30.0  # seconds for the namespaces of a node
MANAGER_CHRONY = """\
local stratum 3
allow
cmdport 0
bindcmdaddress /
pidfile /run/chrony/chronyd.pid
driftfile /run/chrony/drift
"""

Spec = Mapping[str, Any]


class StartError(Exception):
    """The rack cannot be started; its text is the reason."""


def main(spec_file: str) -> None:
    """Start the rack of a spec, say so, and wait for the end."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    spec = json.loads(Path(spec_file).read_text(encoding="utf-8"))
    try:
        nodes = start(spec)
    except (StartError, OSError, subprocess.SubprocessError) as error:
        tell({"error": str(error)})
        return
    tell({"up": nodes})
    leave_streams()
    while True:
        reap()


def tell(message: Mapping[str, object]) -> None:
    """One line for whoever started the rack."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def leave_streams() -> None:
    """Whoever started the rack stops to listen once it is up."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(null, stream)


def reap() -> None:
    """Wait for a process that has ended, or for a signal."""
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        signal.pause()


def start(spec: Spec) -> list[str]:
    """Start all nodes and lay all cables. Returns the nodes; raises StartError."""
    folder = Path(spec["folder"])
    prepare(folder, spec["manager"])
    services = start_services(spec)
    nodes = {name: start_node(name, folder, spec["init"]) for name in spec["nodes"]}
    for name, each in nodes.items():
        wait_for_network(name, each.pid)
    run("ip", "-batch", "-", given="\n".join(links(spec, {name: each.pid for name, each in nodes.items()})))
    for each in nodes.values():
        write_line(each)
    for name, each in nodes.items():
        wait_for(name, each)
    for name, each in services.items():
        wait_for_service(name, each)
    for name, each in nodes.items():
        keep_network(name, each.pid)
        (folder / PIDS / name).write_text(str(first_child(each.pid)), encoding="ascii")
    return [*nodes]


def wait_for_network(name: str, pid: int) -> None:
    """Wait until a node has a network of its own: before, its cables would end in that of the rack.

    Raises StartError where it gets none.
    """
    own, until = Path("/proc/self/ns/net").readlink(), time.monotonic() + PATIENCE
    with contextlib.suppress(FileNotFoundError):  # it has ended, and says itself why
        while Path(f"/proc/{pid}/ns/net").readlink() == own:
            if time.monotonic() > until:
                raise StartError(f"{name}: it gets no network of its own")
            time.sleep(0.002)


def keep_network(name: str, pid: int) -> None:
    """Give the network of a process a name, so that it stays when the process has ended."""
    NETWORKS.mkdir(exist_ok=True)
    (NETWORKS / name).touch()
    run("mount", "--bind", f"/proc/{pid}/ns/net", str(NETWORKS / name))


def prepare(folder: Path, manager: str) -> None:
    """Make the management network and the clock that the nodes follow, and room for the nodes' roots."""
    run("mount", "-t", "tmpfs", "-o", "mode=755", "rack", str(folder / "roots"))
    run("mount", "-t", "tmpfs", "-o", "mode=755", "rack", "/run")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{manager}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    Path("/run/chrony").mkdir(mode=0o750)
    shutil.chown("/run/chrony", "_chrony", "_chrony")
    Path("/run/chrony.conf").write_text(MANAGER_CHRONY, encoding="utf-8")
    run("chronyd", "-x", "-f", "/run/chrony.conf")


def start_services(spec: Spec) -> dict[str, subprocess.Popen[str]]:
    """Start what answers beside the nodes, such as their BMCs, each on an address of the management network."""
    for address in spec["addresses"]:
        run("ip", "address", "add", f"{address}/24", "dev", BRIDGE)
    with (Path(spec["folder"]) / "rack.log").open("ab") as log:
        return {
            name: subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
            for name, command in spec["services"].items()
        }


def wait_for_service(name: str, service: subprocess.Popen[str]) -> None:
    """Wait until a service prints its first line. Raises StartError where it ends without one."""
    if service.stdout and not service.stdout.readline():
        raise StartError(f"{name} does not start, see rack.log")


def start_node(name: str, folder: Path, init: str, words: Sequence[str] = NODE) -> subprocess.Popen[str]:
    """Start the first process of a node in new namespaces, which `words` make.

    It waits for a line before it uses its cables.
    """
    root = folder / "roots" / name
    root.mkdir(exist_ok=True)
    command = (*words, "sh", init, name, str(root), str(folder / "files" / name))
    with (folder / "rack.log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)


def links(spec: Spec, pids: Mapping[str, int]) -> Iterable[str]:
    """The commands of `ip -batch` that make every cable, and a link from each node to the management network."""
    for name, pid in pids.items():
        yield f"link add name m-{name} type veth peer name eth0 netns {pid}"
        yield f"link set m-{name} master {BRIDGE} up"
    for upper, upper_port, lower, lower_port in spec["cables"]:
        yield f"link add name {upper_port} netns {pids[upper]} type veth peer name {lower_port} netns {pids[lower]}"


def write_line(node: subprocess.Popen[str]) -> None:
    """Tell a node that its cables are in."""
    if node.stdin:
        with contextlib.suppress(BrokenPipeError):  # it says itself why it has ended
            node.stdin.write("go\n")
            node.stdin.close()


def wait_for(name: str, node: subprocess.Popen[str]) -> None:
    """Wait until a node is up. Raises StartError with what it said."""
    said = node.stdout.readline().strip() if node.stdout else ""
    if said != "up":
        raise StartError(f"{name}: {said or 'its first process has ended, see rack.log'}")


def first_child(pid: int) -> int:
    """The first process of a node: the only child of the `unshare` that made its namespaces."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0])


def run(*command: str, given: str = "") -> None:
    """Run a command to its end. Raises StartError with what it said."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(f"{' '.join(command[:3])}: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    main(sys.argv[1])
