# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first process of a virtual rack, in namespaces of its own: it starts the nodes and lays the cables.

    unshare --net --mount --pid --fork --kill-child=KILL --mount-proc python rack_process.py SPEC

SPEC is a JSON file, see `start_rack.py`. With the name and the process of a node after it, that node starts anew in the
rack around. What happens is told on stdout, a JSON object a line: `{"up": PIDS}` with the process number of each node,
or `{"error": REASON}`. When the first process ends, the kernel ends all that it has started: nodes, links, mounts, loop
devices. This file imports the standard library only, so that it starts at once.
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
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

SAME_NETWORK = ("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--uts", "--ipc")
NODE = (*SAME_NETWORK, "--net")
FORGET = """
ip link show br0 >/dev/null 2>&1 && ip link del br0
for port in $(ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/\\1/'); do
  ip address flush dev "$port"
  ip link set "$port" down
done
"""
"""What a node's network loses when the node restarts."""

BRIDGE = "br-mgmt"
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
        pids = start(spec)
    except (StartError, OSError, subprocess.SubprocessError) as error:
        tell({"error": str(error)})
        return
    tell({"up": pids})
    leave_streams()
    while True:
        reap()


def restart(spec_file: str, name: str, pid: int) -> None:
    """Start a node anew, whose first process is `pid`, and tell the new number. Its cables stay where they are."""
    spec = json.loads(Path(spec_file).read_text(encoding="utf-8"))
    folder = Path(spec["folder"])
    try:
        with Path(f"/proc/{pid}/ns/net").open("rb") as network:  # while it is open, the network and its cables stay
            end(pid)
            inside = f"--net=/proc/self/fd/{network.fileno()}"
            run("nsenter", inside, "sh", "-c", FORGET, keep=network.fileno())
            (folder / "files" / name / "etc/rack/boot_id").write_text(f"{uuid.uuid4()}\n", encoding="ascii")
            node = start_node(name, folder, spec["init"], ("nsenter", inside, *SAME_NETWORK), network.fileno())
            write_line(node)
            wait_for(name, node)
    except (StartError, OSError, subprocess.SubprocessError) as error:
        tell({"error": str(error)})
        return
    tell({"up": {name: first_child(node.pid)}})


def end(pid: int) -> None:
    """Kill the first process of a node and wait until it is gone, and with it all of the node."""
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.01)


def tell(message: Mapping[str, Any]) -> None:
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


def start(spec: Spec) -> dict[str, int]:
    """Start all nodes and lay all cables. Returns the process number of each node's first process, in this namespace.

    Raises StartError.
    """
    folder = Path(spec["folder"])
    prepare(folder, spec["manager"])
    nodes = {name: start_node(name, folder, spec["init"]) for name in spec["nodes"]}
    run("ip", "-batch", "-", given="\n".join(links(spec, {name: each.pid for name, each in nodes.items()})))
    for each in nodes.values():
        write_line(each)
    for name, each in nodes.items():
        wait_for(name, each)
    return {name: first_child(each.pid) for name, each in nodes.items()}


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


def start_node(
    name: str, folder: Path, init: str, words: Sequence[str] = NODE, keep: int | None = None
) -> subprocess.Popen[str]:
    """Start the first process of a node in new namespaces. It waits for a line before it uses its cables.

    `words` make the namespaces; `keep` is a descriptor that they need.
    """
    root = folder / "roots" / name
    root.mkdir(exist_ok=True)
    command = (*words, "sh", init, name, str(root), str(folder / "files" / name))
    kept = () if keep is None else (keep,)
    with (folder / "rack.log").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, pass_fds=kept
        )


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


def run(*command: str, given: str = "", keep: int | None = None) -> None:
    """Run a command to its end; `keep` is a descriptor that it needs. Raises StartError with what it said."""
    kept = () if keep is None else (keep,)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, pass_fds=kept)
    if done.returncode:
        raise StartError(f"{' '.join(command[:3])}: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        restart(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main(sys.argv[1])
