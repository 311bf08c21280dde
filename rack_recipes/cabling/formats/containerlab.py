# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links of a containerlab topology, in the brief and the extended form (containerlab.dev/manual/topo-def-file)."""

from __future__ import annotations

from typing import Any

from rack_recipes.cabling.build_plan import Draft
from rack_recipes.cabling.formats.yaml_with_places import YamlFile
from rack_recipes.cabling.plan_model import Cable, End
from rack_recipes.recipe.yaml.values_in_messages import closest, listed, shown

ELSEWHERE = ("host", "macvlan", "mgmt-net", "dummy", "vxlan", "vxlan-stitch")
"""What is at the other end of a link that joins no two nodes: node names of the brief form, types of the other."""

BRIDGES = ("bridge", "ovs-bridge")
VETH = "veth"
TYPES = (VETH, *ELSEWHERE)

Path = tuple[str | int, ...]


def is_containerlab(data: Any) -> bool:
    """Whether this is a topology of containerlab."""
    return isinstance(data, dict) and isinstance(data.get("topology"), dict)


def read_containerlab(file: YamlFile) -> Draft:
    """The links between two nodes."""
    topology = file.data["topology"]
    nodes = topology.get("nodes") if isinstance(topology.get("nodes"), dict) else {}
    listed_in = [file.where("topology", "nodes")] if nodes else []
    draft = Draft(listed_in=listed_in, devices={name: file.where("topology", "nodes", name) for name in nodes})
    links = topology.get("links")
    if not isinstance(links, list):
        path: Path = ("topology", "links") if "links" in topology else ("topology",)
        draft.wrong(file.where(*path), "a list `links`", shown(links))
        return draft
    for number, link in enumerate(links):
        _read_link(draft, file, link, nodes, ("topology", "links", number))
    return draft


def _read_link(draft: Draft, file: YamlFile, link: Any, nodes: dict[str, Any], path: Path) -> None:
    if not isinstance(link, dict):
        draft.wrong(file.where(*path), "a link with `endpoints`", shown(link))
        return
    kind = link.get("type", VETH)
    if kind in ELSEWHERE:
        draft.left_out[f"a link of the type {kind}"] += 1
        return
    if kind != VETH:
        near = closest(str(kind), TYPES)
        draft.wrong(file.where(*path, "type"), f"one of {listed(TYPES)}", shown(kind), near)
        return
    ends = _ends(draft, file, link, path)
    if ends:
        _add(draft, ends, nodes, file.where(*path))


def _add(draft: Draft, ends: list[End], nodes: dict[str, Any], where: str) -> None:
    outside = next((end.device for end in ends if end.device in ELSEWHERE and end.device not in nodes), "")
    kinds = [nodes[end.device].get("kind") for end in ends if isinstance(nodes.get(end.device), dict)]
    if outside:
        draft.left_out[f"a link to {outside}"] += 1
    elif any(kind in BRIDGES for kind in kinds):
        draft.left_out["a link to a bridge"] += 1
    else:
        draft.cables.append(Cable(ends[0], ends[1], where=where))


def _ends(draft: Draft, file: YamlFile, link: dict[str, Any], path: Path) -> list[End]:
    """Both ends of a link; none where something is wrong with them."""
    found = link.get("endpoints")
    if not isinstance(found, list) or len(found) != 2:
        near = "" if "endpoints" in link else closest("endpoints", tuple(link))
        where = file.where(*path, "endpoints") if "endpoints" in link else file.where(*path)
        draft.wrong(where, "`endpoints`, a list of two", shown(found), near)
        return []
    ends = [_end(entry) for entry in found]
    for number, (entry, end) in enumerate(zip(found, ends, strict=True)):
        if end is None:
            expected = "NODE:INTERFACE, or a mapping with node and interface"
            draft.wrong(file.where(*path, "endpoints", number), expected, shown(entry))
    return [end for end in ends if end] if all(ends) else []


def _end(entry: Any) -> End | None:
    if isinstance(entry, str):
        return End.of(entry)
    parts = (entry.get("node"), entry.get("interface")) if isinstance(entry, dict) else ("", "")
    return End(*map(str, parts)) if all(isinstance(part, str | int) and part != "" for part in parts) else None
