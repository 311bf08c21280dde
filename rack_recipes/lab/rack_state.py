# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of the virtual rack of a project.

Its files, its process, what is broken in it, which ports are up, and a drawing of it.

The state is a JSON file in the rack's folder. A rack that was killed leaves this file behind. So the process is known
by its number and its start, and a state without this process is stale.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

from rack_recipes.errors import RackError, UsageError
from rack_recipes.lab.rack_first_process import BOOT_ID, PIDS
from rack_recipes.lab.topology import LEAF, PLURALS, SERVER, SPINE, Cable, Port, Topology, build
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


def load_state(folder: Path = FOLDER) -> RackState | None:
    """The rack of a folder, also a stale one; None where there is none. Raises UsageError for a damaged state."""
    try:
        held: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
        broken = tuple(Broken(**each) for each in held.pop("broken"))
        return RackState(folder=folder.absolute(), broken=broken, **held)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{folder / STATE} cannot be read: {error}; `rack-recipes rack down` removes it") from error


def load_running(folder: Path = FOLDER) -> RackState:
    """The rack of a folder that is up, with the faults that are still in it. Raises UsageError where there is none."""
    state = load_state(folder)
    if state is None:
        raise UsageError("there is no rack here: `rack-recipes rack up` starts one")
    if not state.is_alive():
        raise UsageError("the rack here has ended: `rack-recipes rack up` starts a new one")
    return without_ended(state)


def without_ended(state: RackState) -> RackState:
    """The same rack without the faults that have ended with a node: one that lost its power comes back without them."""
    holds = (each.boot in ("", state.boot_of(each.where.partition(":")[0])) for each in state.broken)
    return replace(state, broken=tuple(each for each, is_there in zip(state.broken, holds, strict=True) if is_there))


def save_state(state: RackState) -> RackState:
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
    return save_state(replace(state, broken=tuple(broken)))


UP, DOWN = "✓", "✗"
LINKS = "ip -j link"
STEP, HEIGHT, MARGIN = 110, 110, 60  # of the SVG, in its units
ROWS = (SPINE, LEAF, SERVER)


@dataclass(frozen=True, slots=True)
class RackStatus:
    """The nodes that do not answer, and the ports that are not up."""

    silent: frozenset[str]
    down: frozenset[Port]

    def is_up(self, cable: Cable) -> bool:
        """Whether both ends of a cable are up."""
        return not {cable.upper, cable.lower} & self.down and not {cable.upper.node, cable.lower.node} & self.silent


def look_at_ports(state: RackState) -> RackStatus:
    """Ask every node for its ports."""
    silent: set[str] = set()
    down: set[Port] = set()
    for node in state.topology.nodes:
        try:
            held = {link["ifname"]: link["operstate"] for link in json.loads(state.run(node, LINKS))}
        except (RackError, ValueError):
            silent.add(node)
            continue
        down |= {port for port in state.topology.ports_of(node) if held.get(port.name) != "UP"}
    return RackStatus(frozenset(silent), frozenset(down))


def as_text(state: RackState, status: RackStatus) -> str:
    """The rack as a table of leaves and spines, the servers under their leaves, and what is broken."""
    topology = state.topology
    counts = ", ".join(f"{count} {_counted(role, count)}" for role, count in topology.counts.items())
    return "\n".join([counts, "", *_table(topology, status), "", *_faults(state, status)])


def _counted(role: str, count: int) -> str:
    return role if count == 1 else PLURALS[role]


def _table(topology: Topology, status: RackStatus) -> Iterator[str]:
    leaves, spines = topology.of_role(LEAF), topology.of_role(SPINE)
    yield "        ".ljust(10) + "".join(f"{spine.name:<11}" for spine in spines) + "servers"
    by_leaf = {leaf.name: [cable for cable in topology.cables if cable.end_at(leaf.name)] for leaf in leaves}
    for leaf in leaves:
        above = [cable for cable in by_leaf[leaf.name] if cable.lower.node == leaf.name]
        below = [cable for cable in by_leaf[leaf.name] if cable.upper.node == leaf.name]
        cells = "".join(f"{_mark(cable, status)} {cable.lower.name:<9}" for cable in above)
        servers = "  ".join(f"{_mark(cable, status)} {cable.upper.name} {cable.lower.node}" for cable in below)
        yield f"{leaf.name:<10}{cells}{servers}".rstrip()


def _mark(cable: Cable, status: RackStatus) -> str:
    return UP if status.is_up(cable) else DOWN


def _faults(state: RackState, status: RackStatus) -> Iterator[str]:
    yield from (f"broken: {each.fault} at {each.where}" for each in state.broken)
    yield from (f"does not answer: {node}" for node in sorted(status.silent))
    if not state.broken:
        yield "nothing is broken on purpose"


def as_data(state: RackState, status: RackStatus) -> dict[str, object]:
    """The same for programs."""
    topology = state.topology
    return {
        "pid": state.pid,
        "folder": str(state.folder),
        "nodes": {
            node.name: {
                "role": node.role,
                "rack": node.rack,
                "address": node.management,
                "answers": node.name not in status.silent,
            }
            for node in topology.nodes.values()
        },
        "cables": [{"a": str(each.upper), "b": str(each.lower), "up": status.is_up(each)} for each in topology.cables],
        "broken": [{"fault": each.fault, "where": each.where} for each in state.broken],
    }


def as_svg(state: RackState, status: RackStatus) -> str:
    """A picture: spines above, leaves below them, servers at the bottom; cables that are down are red and broken."""
    topology = state.topology
    places = _places(topology)
    width = max(x for x, _y in places.values()) + MARGIN
    lines = [_line(each, places, status) for each in topology.cables]
    nodes = [_box(name, places[name], is_bad=name in status.silent) for name in topology.nodes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {MARGIN * 2 + HEIGHT * 2}" role="img" '
        f'font-family="sans-serif" font-size="13"><title>{escape(as_text(state, status))}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(lines)}{"".join(nodes)}</svg>\n'
    )


def _places(topology: Topology) -> Mapping[str, tuple[float, float]]:
    widest = max(topology.counts.values())
    found: dict[str, tuple[float, float]] = {}
    for row, role in enumerate(ROWS):
        nodes: Sequence[object] = topology.of_role(role)
        gap = STEP * widest / len(nodes)
        for number, node in enumerate(topology.of_role(role)):
            found[node.name] = MARGIN + gap * (number + 0.5) - STEP / 2, MARGIN + HEIGHT * row
    return found


def _line(cable: Cable, places: Mapping[str, tuple[float, float]], status: RackStatus) -> str:
    (x1, y1), (x2, y2) = places[cable.upper.node], places[cable.lower.node]
    look_of = 'stroke="#0d854a"' if status.is_up(cable) else 'stroke="#8d1c06" stroke-width="3" stroke-dasharray="6 4"'
    ends = f'x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"'
    return f"<line {ends} {look_of}><title>{escape(f'{cable.upper} - {cable.lower}')}</title></line>"


def _box(name: str, place: tuple[float, float], *, is_bad: bool) -> str:
    x, y = place
    colour = "#8d1c06" if is_bad else "#31435c"
    return (
        f'<rect x="{x - 45:g}" y="{y - 16:g}" width="90" height="32" rx="4" fill="#ffffff" stroke="{colour}"/>'
        f'<text x="{x:g}" y="{y + 5:g}" text-anchor="middle" fill="{colour}">{escape(name)}</text>'
    )
