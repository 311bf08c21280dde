# SPDX-License-Identifier: GPL-3.0-or-later

"""The power of a node of a virtual rack: what a BMC's or an outlet's switch does. It runs inside of the rack.

    python -I -m rack_recipes.lab.bmc.power SPEC NODE ACTION

SPEC is the file that the rack was started by, ACTION one of `state`, `on`, `off` and `cycle`. One line of JSON tells
how the node is then, `{"power": "on"}` or `{"power": "off"}`, or `{"error": REASON}`.

A node that is off has no process. Its network and its cables stay, but its ports are down. It comes back as a machine
does: new processes, a new root, a new boot id. So what was broken in it is healed. This file and what it imports need
the standard library only, so that it starts at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from rack_recipes.lab.rack_first_process import (
    BOOT_ID,
    NETWORKS,
    PIDS,
    SAME_NETWORK,
    Spec,
    StartError,
    first_child,
    run,
    start_node,
    tell,
    wait_for,
    write_line,
)

ON, OFF = "on", "off"
FORGET = """
ip link show br0 >/dev/null 2>&1 && ip link del br0
nft flush ruleset
for port in $(ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/\\1/'); do
  tc qdisc del dev "$port" root 2>/dev/null
  ip address flush dev "$port"
  ip link set "$port" down
done
"""
"""What the network of a node loses when the node goes off."""


class PowerError(Exception):
    """The power cannot be switched; its text is the reason."""


def state(spec_file: Path, node: str) -> str:
    """Whether a node is `on` or `off`, also while it is being switched.

    Raises PowerError for a node that the rack does not have.
    """
    with _opened(spec_file, node) as (_spec, file):
        return ON if _pid(file) else OFF


def turn_on(spec_file: Path, node: str) -> str:
    """Start a node that is off, and wait until it is up; one that is on stays as it is. Raises PowerError."""
    with _held(spec_file, node) as (spec, file):
        if not _pid(file):
            _start(spec, node, file)
    return ON


def turn_off(spec_file: Path, node: str) -> str:
    """End a node at once, as a switch does; one that is off stays as it is. Raises PowerError."""
    with _held(spec_file, node) as (_spec, file):
        _end(node, file)
    return OFF


def cycle(spec_file: Path, node: str) -> str:
    """End a node, start it again, and wait until it is up; one that is off starts. Raises PowerError."""
    with _held(spec_file, node) as (spec, file):
        _end(node, file)
        _start(spec, node, file)
    return ON


ACTIONS: Mapping[str, Callable[[Path, str], str]] = {"state": state, ON: turn_on, OFF: turn_off, "cycle": cycle}


@contextlib.contextmanager
def _held(spec_file: Path, node: str) -> Iterator[tuple[Spec, IO[str]]]:
    """As `_opened`; nobody else switches this node meanwhile."""
    with _opened(spec_file, node) as (spec, file):
        fcntl.flock(file, fcntl.LOCK_EX)
        yield spec, file


@contextlib.contextmanager
def _opened(spec_file: Path, node: str) -> Iterator[tuple[Spec, IO[str]]]:
    """The spec of the rack and the file with the node's first process."""
    try:
        spec = json.loads(spec_file.read_text(encoding="utf-8"))
        with (Path(spec["folder"]) / PIDS / node).open("r+", encoding="ascii") as file:
            yield spec, file
    except FileNotFoundError:
        raise PowerError(f"the rack has no node {node!r}") from None
    except (StartError, OSError, subprocess.SubprocessError) as error:
        raise PowerError(f"{node}: {error}") from error


def _pid(file: IO[str]) -> int:
    """The node's first process; 0 for a node that is off, also for one that has ended by itself."""
    file.seek(0)
    pid = int(file.read() or 0)
    return pid if pid and Path(f"/proc/{pid}/ns").exists() else 0


def _write_pid(file: IO[str], pid: int) -> None:
    file.seek(0)
    file.truncate()
    file.write(str(pid or ""))
    file.flush()


def _end(node: str, file: IO[str]) -> None:
    """Kill the first process of a node, wait until all of the node is gone, and take its ports down."""
    pid = _pid(file)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)
    _write_pid(file, 0)
    run("nsenter", _network(node), "sh", "-c", FORGET)


def _start(spec: Spec, node: str, file: IO[str]) -> None:
    """Start a node in its old network, and wait until it is up."""
    run("nsenter", _network(node), "sh", "-c", FORGET)  # a node that has ended by itself has left its addresses
    folder = Path(spec["folder"])
    (folder / "files" / node / BOOT_ID).write_text(f"{uuid.uuid4()}\n", encoding="ascii")
    process = start_node(node, folder, spec["init"], ("nsenter", _network(node), *SAME_NETWORK))
    write_line(process)
    wait_for(node, process)
    _write_pid(file, first_child(process.pid))


def _network(node: str) -> str:
    return f"--net={NETWORKS / node}"


def main(spec_file: str, node: str, action: str) -> None:
    """Do one action and tell how the node is then."""
    try:
        tell({"power": ACTIONS[action](Path(spec_file), node)})
    except PowerError as error:
        tell({"error": str(error)})


if __name__ == "__main__":
    main(*sys.argv[1:4])
