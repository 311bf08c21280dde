# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a virtual rack and end it: nothing of it is seen outside of its namespaces but the files in its folder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rack_recipes.errors import RackError, UsageError
from rack_recipes.lab import rack_first_process, rack_pdus
from rack_recipes.lab.bmc import hardware_and_event_log as hardware
from rack_recipes.lab.bmc import ipmi_bmcs, redfish_bmcs
from rack_recipes.lab.faults import remove_groups
from rack_recipes.lab.inventory_and_cabling import write_inventory
from rack_recipes.lab.node_files import FRR, files_of
from rack_recipes.lab.rack_state import FOLDER, SPEC, RackState, load_state, save_state, start_of
from rack_recipes.lab.topology import LEAF, MANAGER, SERVER, SPINE, Topology
from rack_recipes.private_files import FILE_MODE, make_private

INIT = Path(__file__).parent / "static" / "node_init.sh"
OUTER = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
LOG, KEY = "rack.log", "ssh_key"
NEEDED = {
    "ip": "iproute2",
    "unshare": "util-linux",
    "mkfs.ext4": "e2fsprogs",
    "busybox": "busybox",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "nc": "netcat-openbsd",
    "nft": "nftables",
    "tc": "iproute2",
    "ping": "iputils-ping",
    "lldpd": "lldpd",
    "chronyd": "chrony",
    f"{FRR}/bgpd": "frr",
}
"""The programs that a rack is made of, each with its Debian package."""

PATIENCE = 10.0  # seconds in which a killed rack is gone
CONVERGENCE = 30.0  # seconds in which a healthy rack has its routes
IN_FOLDER = 'cd "$1" && shift && exec "$@"'
"""Starts a program in the folder of the rack."""


def up(topology: Topology, folder: Path = FOLDER, *, with_bmcs: bool | None = None) -> RackState:
    """Start a rack and write its inventory and its cabling plan; returns its state.

    `with_bmcs`: whether servers have BMCs; None stands for where that is possible. Raises UsageError where that cannot
    be done here, and RackError where a part of it does not start.
    """
    refuse_what_cannot_be(folder)
    has_bmcs = decide_bmcs(with_bmcs)
    has_ipmi, has_pdus = with_bmcs is not False and not ipmi_bmcs.missing(), not rack_pdus.missing()
    _remove(folder)
    make_private(folder / "files")
    for each in ("roots", rack_first_process.PIDS):
        (folder / each).mkdir()
    folder = folder.absolute()
    write_files(topology, folder)
    write_hardware(topology, folder)
    state = RackState(folder, 0, 0, topology.counts, has_bmcs=has_bmcs, has_ipmi=has_ipmi, has_pdus=has_pdus)
    write_spec(topology, state)
    pid = start_first_process(folder)
    state = replace(state, pid=pid, started=start_of(pid))
    write_inventory(topology, state)
    wait_for_routes(state)
    return save_state(state)


def wait_for_routes(state: RackState) -> None:
    """Wait until each router has all its paths to the servers of each leaf; at most CONVERGENCE seconds.

    A spine has one path to each leaf, and a leaf has one through each spine to each other leaf.
    """
    topology, until = state.topology, time.monotonic() + CONVERGENCE
    spines, leaves = topology.of_role(SPINE), topology.of_role(LEAF)
    paths = {SPINE: len(leaves), LEAF: len(spines) * (len(leaves) - 1)}
    for router in (*spines, *leaves):
        while _paths(state, router.name) < paths[router.role] and time.monotonic() < until:
            time.sleep(0.1)


def _paths(state: RackState, router: str) -> int:
    """How many paths to networks of servers a router has learned."""
    routes = state.run(router, "ip -o route show proto bgp", check=False).splitlines()
    return sum(route.count(" via ") for route in routes if "/24 " in route)


def decide_bmcs(wanted: bool | None) -> bool:
    """Whether servers get BMCs. Raises UsageError where they are wanted and something for them is missing."""
    needed = redfish_bmcs.missing()
    if wanted and needed:
        raise UsageError(f"BMCs need what is not installed: {needed}")
    return wanted is not False and not needed


def refuse_what_cannot_be(folder: Path) -> None:
    """Raise UsageError without root, without a program that is needed, or where a rack runs already."""
    if os.geteuid() != 0:
        raise UsageError(
            "a virtual rack needs root: it makes network namespaces and mounts (sudo rack-recipes rack up)"
        )
    path = os.pathsep.join((*os.get_exec_path(), "/usr/sbin", "/sbin"))
    missing = {package: None for program, package in NEEDED.items() if not shutil.which(program, path=path)}
    if missing:
        raise UsageError(f"packages are missing: apt-get install {' '.join(missing)}")
    state = load_state(folder)
    if state and state.is_alive():
        raise UsageError("a rack is up already: `rack-recipes rack down` ends it")


def write_files(topology: Topology, folder: Path) -> None:
    """Write the keys for SSH and the files of every node."""
    public_key = _new_key(folder / KEY)
    for name, node in topology.nodes.items():
        own = folder / "files" / name
        host_key = own / "key"
        own.mkdir()
        _new_key(host_key)
        private = host_key.read_text(encoding="ascii")
        for each in (host_key, host_key.with_suffix(".pub")):
            each.unlink()
        for path, text in files_of(node, topology, public_key, private).items():
            _write(own / path, text)


def write_hardware(topology: Topology, folder: Path) -> None:
    """Write what the BMCs watch, the password of their user, which IPMI can take (16 bytes), and the PDUs' files."""
    for server in topology.of_role(SERVER):
        hardware.make_hardware(folder / hardware.FOLDER / server.name)
    password = folder / hardware.FOLDER / hardware.PASSWORD
    _write(password, secrets.token_hex(8) + "\n")
    password.chmod(FILE_MODE)
    ipmi_bmcs.write_files(topology, folder, password.read_text(encoding="ascii").strip())
    rack_pdus.write_files(topology, folder)


def write_spec(topology: Topology, state: RackState) -> None:
    """Write the spec of the rack's first process."""
    any_bmcs = state.has_bmcs or state.has_ipmi
    bmcs = {server.name: server.bmc for server in topology.of_role(SERVER)} if any_bmcs else {}
    pdus = {pdu.name: pdu.address for pdu in rack_pdus.pdus_of(topology)} if state.has_pdus else {}
    spec = {
        "folder": str(state.folder),
        "init": str(INIT),
        "manager": MANAGER,
        "nodes": [*topology.nodes],
        "cables": [(each.upper.node, each.upper.name, each.lower.node, each.lower.name) for each in topology.cables],
        "bmcs": bmcs,
        "outlets": rack_pdus.spec_of(topology),
        "addresses": [*bmcs.values(), *pdus.values()],
        "services": services(topology, state),
    }
    _write(state.folder / SPEC, json.dumps(spec))


def services(topology: Topology, state: RackState) -> dict[str, Sequence[str]]:
    """The commands of what answers beside the nodes, by their names. Each prints a line."""
    redfish = (sys.executable, "-I", "-m", redfish_bmcs.__name__, str(state.folder / SPEC))
    others = {
        **(ipmi_bmcs.services(topology) if state.has_ipmi else {}),
        **(rack_pdus.services(topology) if state.has_pdus else {}),
    }
    inside = {name: ("sh", "-c", IN_FOLDER, "sh", str(state.folder), *command) for name, command in others.items()}
    return {**({"redfish": redfish} if state.has_bmcs else {}), **inside}


def _new_key(path: Path) -> str:
    """Make a key pair for SSH; returns the public key."""
    subprocess.run(
        ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "virtual rack", "-f", str(path)),
        check=True, stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    return path.with_suffix(".pub").read_text(encoding="ascii")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(FILE_MODE if "key" in path.name else 0o644)


def start_first_process(folder: Path) -> int:
    """Start the first process of a rack and wait until all nodes are up; returns its number.

    Raises RackError with the reason where it does not start.
    """
    command = (*OUTER, sys.executable, "-I", rack_first_process.__file__, str(folder / SPEC))
    path = os.pathsep.join((*os.get_exec_path(), "/usr/sbin", "/sbin"))
    with (folder / LOG).open("ab") as log:
        outer = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            env={"PATH": path, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    said = _first_line(outer)
    answer: dict[str, Any] = json.loads(said) if said else {"error": (folder / LOG).read_text(errors="replace").strip()}
    if "up" not in answer:
        outer.kill()
        outer.wait()
        raise RackError(f"the rack does not start: {answer['error']} (see {folder / LOG})")
    first = rack_first_process.first_child(outer.pid)
    outer.returncode = 0  # it goes on after this command, which must not wait for it
    return first


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """The first line that a process prints; empty if it ends before."""
    if process.stdout is None:
        return b""
    with process.stdout:
        return process.stdout.readline()


def down(folder: Path = FOLDER) -> bool:
    """End the rack of a folder and remove the folder; returns whether a rack was up. Raises RackError if it stays."""
    try:
        state = load_state(folder)
    except UsageError:  # its state is damaged
        state = None
    was_up = state is not None and state.is_alive()
    if state and was_up:
        os.kill(state.pid, signal.SIGKILL)
        _wait_for_end(state)
    _remove(folder)
    return was_up


def _remove(folder: Path) -> None:
    """Remove what a rack that has ended leaves behind."""
    remove_groups(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _wait_for_end(state: RackState) -> None:
    until = time.monotonic() + PATIENCE
    while state.is_alive():
        if time.monotonic() > until:
            raise RackError(f"the rack's process {state.pid} does not end")
        time.sleep(0.02)
