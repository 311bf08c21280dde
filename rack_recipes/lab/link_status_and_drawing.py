# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a virtual rack is just now: which ports are up, and a drawing of it as text and as SVG."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from rack_recipes.errors import RackError
from rack_recipes.lab.rack_state import RackState
from rack_recipes.lab.topology import LEAF, PLURALS, SERVER, SPINE, Cable, Port, Topology

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


def look(state: RackState) -> RackStatus:
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
