# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of the virtual rack of a project: where its files are, which process it is, what is broken in it.

The state is a JSON file in the rack's folder. A rack that was killed leaves this file behind. So the process is known
by its number and its start, and a state without this process is stale.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rack_recipes.errors import RackError, UsageError
from rack_recipes.lab.rack_first_process import BOOT_ID, PIDS
from rack_recipes.lab.topology import PLURALS, Topology, build
from rack_recipes.private_files import FILE_MODE

FOLDER = Path(".rack-recipes/rack")
STATE, SPEC = "state.json", "spec.json"
TIME_LIMIT = 60.0  # seconds for a command in a node


@dataclass(frozen=True, slots=True)
class Broken:
    """One fault that is in the rack: its name, and the port or node that it is at.

    `boot` is the boot id of the node that the fault ends with; empty for what is not in a node.
    """

    fault: str
    where: str
    boot: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RackState:
    """A rack: its folder, its first process with the start of that in clock ticks, the number of nodes of each role."""

    folder: Path
    pid: int
    started: int
    counts: Mapping[str, int]
    broken: Sequence[Broken] = field(default_factory=tuple)
    has_bmcs: bool = False
    has_ipmi: bool = False
    has_pdus: bool = False

    @property
    def topology(self) -> Topology:
        """Its nodes and cables."""
        return build(**{PLURALS[role]: count for role, count in self.counts.items()})

    def pid_of(self, node: str) -> int:
        """The first process of a node, as it is numbered inside of the rack. Raises RackError where the node is off."""
        try:
            return int((self.folder / PIDS / node).read_text(encoding="ascii"))
        except (OSError, ValueError):
            raise RackError(f"{node} is off") from None

    def boot_of(self, node: str) -> str:
        """The boot id of a node, another one after each start; empty while the node is off."""
        try:
            self.pid_of(node)
            return (self.folder / "files" / node / BOOT_ID).read_text(encoding="ascii").strip()
        except (OSError, RackError):
            return ""

    def is_alive(self) -> bool:
        """Whether its first process still runs."""
        return bool(self.pid) and start_of(self.pid) == self.started

    def run(self, node: str, script: str, *, check: bool = True) -> str:
        """Run a shell script in a node, or beside all nodes if `node` is empty; returns what it printed.

        Raises RackError where the node is off, and where the script fails unless `check` is false.
        """
        inside = ("nsenter", "-t", str(self.pid_of(node)), "--all", "--") if node else ()
        command = ("nsenter", "-t", str(self.pid), "--mount", "--pid", "--net", "--", *inside, "sh", "-c", script)
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            raise RackError(f"{node or 'the rack'}: no answer within {TIME_LIMIT:g} s") from None
        if check and done.returncode:
            raise RackError(f"{node or 'the rack'}: {done.stderr.strip() or f'exit code {done.returncode}'}")
        return done.stdout


def start_of(pid: int) -> int:
    """When a process started, in clock ticks since the machine's; 0 if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def load(folder: Path = FOLDER) -> RackState | None:
    """The rack of a folder, also a stale one; None where there is none. Raises UsageError for a damaged state."""
    try:
        held: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
        broken = tuple(Broken(**each) for each in held.pop("broken"))
        return RackState(folder=folder.absolute(), broken=broken, **held)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{folder / STATE} cannot be read: {error}; `rack-recipes rack down` removes it") from error


def running(folder: Path = FOLDER) -> RackState:
    """The rack of a folder that is up, with the faults that are still in it. Raises UsageError where there is none."""
    state = load(folder)
    if state is None:
        raise UsageError("there is no rack here: `rack-recipes rack up` starts one")
    if not state.is_alive():
        raise UsageError("the rack here has ended: `rack-recipes rack up` starts a new one")
    return without_ended(state)


def without_ended(state: RackState) -> RackState:
    """The same rack without the faults that have ended with a node: one that lost its power comes back without them."""
    holds = (each.boot in ("", state.boot_of(each.where.partition(":")[0])) for each in state.broken)
    return replace(state, broken=tuple(each for each, is_there in zip(state.broken, holds, strict=True) if is_there))


def save(state: RackState) -> RackState:
    """Write the state; returns it."""
    held = {name: value for name, value in asdict(state).items() if name != "folder"}
    path = state.folder / STATE
    made = path.with_suffix(".new")
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(held, file)
    made.replace(path)
    return state


def with_broken(state: RackState, broken: Sequence[Broken]) -> RackState:
    """The same rack with other faults in it, saved."""
    return save(replace(state, broken=tuple(broken)))
