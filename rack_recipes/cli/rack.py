# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of a virtual rack: rack up, status, break, heal and down."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    from rack_recipes.lab.rack_state import Broken, RackState


@takes(
    """
    --spines N=2  how many spines (default: 2)
    --leaves N  how many leaves (default: 4, and no more than servers)
    --servers N  how many servers (default: 8, and at least one for each leaf)
    --bmcs  give servers BMCs (default: if sushy-tools is installed)
    examples:
    rack-recipes rack up
    rack-recipes rack up --spines 2 --leaves 2 --servers 4
    rack-recipes run rack.recipes.fabric -i .rack-recipes/rack/inventory.yml
    """,
    leaves={"type": int},
    servers={"type": int},
    bmcs={"action": argparse.BooleanOptionalAction},
)
def up(options: argparse.Namespace) -> Answer:
    """Start a rack of routers and servers in namespaces of its own; it needs root.

    Spines and leaves run FRR (BGP on every link, all paths of equal length), all nodes LLDP and SSH. Servers follow a
    clock, have BMCs (Redfish, IPMI), and hang on PDUs (SNMP). Nothing of it is seen outside of
    its namespaces. Inventory and cabling plan lie in .rack-recipes/rack.
    """
    from rack_recipes.lab.inventory_and_cabling import CABLES, INVENTORY
    from rack_recipes.lab.start_rack import up as start
    from rack_recipes.lab.topology import build

    state = start(build(options.spines, options.leaves, options.servers), with_bmcs=options.bmcs)
    files = {"inventory": _shown(state.folder / INVENTORY), "cabling": _shown(state.folder / CABLES)}
    nodes = [*state.topology.nodes]
    if options.json:
        more = {"bmcs": state.has_bmcs, "ipmi": state.has_ipmi, "pdus": state.has_pdus}
        return {"pid": state.pid, "nodes": nodes, **more, **files}, 0
    lines = [f"{len(nodes)} nodes are up", *_bmcs(state, wanted=options.bmcs is not False), _pdus(state)]
    return "\n".join([*lines, f"inventory  {files['inventory']}", f"cabling    {files['cabling']}"]), 0


def _bmcs(state: RackState, *, wanted: bool) -> Sequence[str]:
    """What the BMCs answer by, and what to install where they could answer by more."""
    from rack_recipes.lab.bmc import ipmi_bmcs, redfish_bmcs
    from rack_recipes.lab.topology import SERVER

    if not wanted:
        return []
    parts = {"Redfish": (state.has_bmcs, redfish_bmcs.missing()), "IPMI": (state.has_ipmi, ipmi_bmcs.missing())}
    there = " and ".join(name for name, (is_there, _command) in parts.items() if is_there)
    lines = [f"no {name}: {command}" for name, (is_there, command) in parts.items() if not is_there]
    count = len(state.topology.of_role(SERVER))
    return [*([f"{_said(count, 'BMC')} by {there}, inside of the rack"] if there else []), *lines]


def _pdus(state: RackState) -> str:
    """A line about the PDUs; what to install where there could be some."""
    from rack_recipes.lab import rack_pdus

    if not state.has_pdus:
        return f"no PDUs: {rack_pdus.missing()}"
    return f"{_said(len(rack_pdus.pdus_of(state.topology)), 'PDU')} by SNMP, inside of the rack"


@takes(
    """
    --svg FILE  also draw it into a file
    examples:
    rack-recipes rack status
    rack-recipes rack status --svg rack.svg
    """
)
def status(options: argparse.Namespace) -> Answer:
    """Show the virtual rack: its cables, which of them are up, and what is broken on purpose."""
    from rack_recipes.lab.rack_state import as_data, as_svg, as_text, load_running, look_at_ports

    state = load_running()
    seen = look_at_ports(state)
    if options.svg:
        try:
            Path(options.svg).write_text(as_svg(state, seen), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{options.svg} cannot be written: {error.strerror}") from error
    return (as_data(state, seen) if options.json else as_text(state, seen)), 0


@takes(
    """
    [FAULT]  which fault; without one they are listed
    --where NODE[:PORT]=  where (default: the first place that fits)
    examples:
    rack-recipes rack break
    rack-recipes rack break swapped-cables --where leaf4:swp3
    """,
    fault=None,
)
def break_(options: argparse.Namespace) -> Answer:
    """Put a fault into the virtual rack."""
    from rack_recipes.lab.faults import FAULTS, break_rack
    from rack_recipes.lab.rack_state import load_running

    if not options.fault:
        listed = {name: fault.about for name, fault in FAULTS.items()}
        return (listed if options.json else "\n".join(f"{name:<20}{about}" for name, about in listed.items())), 0
    broken = break_rack(load_running(), options.fault, options.where)[1]
    return (_data([broken]) if options.json else f"broken: {broken.fault} at {broken.where}"), 0


@takes(
    """
    [FAULT]  which fault (default: all)
    examples:
    rack-recipes rack heal
    rack-recipes rack heal swapped-cables
    """
)
def heal(options: argparse.Namespace) -> Answer:
    """Undo the faults in the virtual rack, or those of one kind."""
    from rack_recipes.lab.faults import heal_rack
    from rack_recipes.lab.rack_state import load_running

    healed = heal_rack(load_running(), options.fault)[1]
    if options.json:
        return _data(healed), 0
    return "\n".join(f"healed: {each.fault} at {each.where}" for each in healed) or "nothing is broken", 0


@takes(
    """
    examples:
    rack-recipes rack down
    """
)
def down(options: argparse.Namespace) -> Answer:
    """End the virtual rack, and remove all that it has left."""
    from rack_recipes.lab.start_rack import down as end

    was_up = end()
    return ({"was_up": was_up} if options.json else "the rack is down" if was_up else "no rack was up"), 0


def _said(count: int, what: str) -> str:
    return f"{count} {what} answers" if count == 1 else f"{count} {what}s answer"


def _data(broken: Sequence[Broken]) -> dict[str, object]:
    return {"faults": [{"fault": each.fault, "where": each.where} for each in broken]}


def _shown(path: Path) -> str:
    """A path as people type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
