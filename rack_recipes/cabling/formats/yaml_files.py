# SPDX-License-Identifier: GPL-3.0-or-later

"""Cables in YAML files: our own format cabling.yml, and the topology of containerlab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rack_recipes.cabling.plan_model import Cable, Draft, End, Position
from rack_recipes.errors import Place, RecipeErrors, UsageError
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.values_in_messages import closest, listed, shown
from rack_recipes.recipe.yaml.decode import decode
from rack_recipes.recipe.yaml.reader import Builder
from rack_recipes.recipe.yaml.values_and_positions import KEY, NodePositions


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The data of a file and the places of its values by their paths."""

    data: Any
    places: Mapping[Path, Place]

    def where(self, *path: str | int) -> str:
        """The place of a value as text."""
        return str(self.places[path])


def read_yaml(text: str, name: str) -> YamlFile:
    """Read a file. Raises UsageError with all that is wrong with it as YAML."""
    try:
        builder = Builder(decode(text.encode(), name))
        builder.build()
    except RecipeErrors as error:
        raise UsageError(str(error)) from error
    if builder.errors:
        raise UsageError(str(RecipeErrors(builder.errors)))
    data = builder.top.data[0] if builder.top.data else None
    return YamlFile(data, NodePositions(name, builder.spots))


FIELDS = ("a", "b", "label", "review")
TOP = ("cables", "devices")
OF_DEVICE = ("rack", "position")
EXAMPLE = "NODE:PORT, such as leaf1:swp1"
ValuePath = tuple[str | int, ...]


def is_own(data: object) -> bool:
    """Whether this is a plan of ours."""
    if isinstance(data, dict):
        return "cables" in data
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and bool({"a", "b"} & {*data[0]})


def read_own(file: YamlFile) -> Draft:
    """The cables and positions of a plan."""
    draft, data = Draft(), file.data
    path: ValuePath = ()
    if isinstance(data, dict):
        _unknown(draft, file, data, TOP, ())
        _read_devices(draft, file, data.get("devices") or {})
        path = ("cables",) if "cables" in data else ()
        data = data.get("cables")
    if not isinstance(data, list):
        draft.wrong(file.where(*path), "a list of cables", shown(data))
        return draft
    for number, entry in enumerate(data):
        _read_cable(draft, file, entry, (*path, number))
    return draft


def _read_cable(draft: Draft, file: YamlFile, entry: object, path: ValuePath) -> None:
    if not isinstance(entry, dict):
        draft.wrong(file.where(*path), "a cable, such as {a: leaf1:swp1, b: server1:eth1}", shown(entry))
        return
    _unknown(draft, file, entry, FIELDS, path)
    ends = [_own_end(draft, file, entry, side, path) for side in ("a", "b")]
    label, review = (_text(draft, file, entry, name, path) for name in ("label", "review"))
    if ends[0] and ends[1]:
        draft.cables.append(Cable(ends[0], ends[1], label, review, file.where(*path)))


def _own_end(draft: Draft, file: YamlFile, entry: dict[str, object], side: str, path: ValuePath) -> End | None:
    value = entry.get(side)
    found = End.of(value) if isinstance(value, str) else None
    if found is None:
        where = file.where(*path, side) if side in entry else file.where(*path)
        draft.wrong(where, f"`{side}`, {EXAMPLE}", shown(value))
    return found


def _text(draft: Draft, file: YamlFile, entry: dict[str, object], name: str, path: ValuePath) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        draft.wrong(file.where(*path, name), "text", shown(value))
        return ""
    return str(value)


def _read_devices(draft: Draft, file: YamlFile, devices: object) -> None:
    if not isinstance(devices, dict):
        draft.wrong(file.where("devices"), "a mapping of devices", shown(devices))
        return
    for name, entry in devices.items():
        path: ValuePath = ("devices", name)
        if not isinstance(entry, dict) or not isinstance(entry.get("rack"), str | int):
            draft.wrong(file.where(*path), "a position, such as {rack: r1, position: 12}", shown(entry))
            continue
        _unknown(draft, file, entry, OF_DEVICE, path)
        unit = entry.get("position")
        if unit is not None and (not isinstance(unit, int | float) or isinstance(unit, bool)):
            draft.wrong(file.where(*path, "position"), "a height unit, a number", shown(unit))
            unit = None
        draft.positions[name] = Position(str(entry["rack"]), unit)


def _unknown(draft: Draft, file: YamlFile, entry: dict[str, object], known: tuple[str, ...], path: ValuePath) -> None:
    for name in entry:
        if name not in known:
            draft.wrong(file.where(*path, name, KEY), f"one of {listed(known)}", shown(name), closest(name, known))


ELSEWHERE = ("host", "macvlan", "mgmt-net", "dummy", "vxlan", "vxlan-stitch")
"""What is at the other end of a link that joins no two nodes: node names of the brief form, types of the other."""
BRIDGES = ("bridge", "ovs-bridge")
VETH = "veth"
TYPES = (VETH, *ELSEWHERE)


def is_containerlab(data: object) -> bool:
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
        path: ValuePath = ("topology", "links") if "links" in topology else ("topology",)
        draft.wrong(file.where(*path), "a list `links`", shown(links))
        return draft
    for number, link in enumerate(links):
        _read_link(draft, file, link, nodes, ("topology", "links", number))
    return draft


def _read_link(draft: Draft, file: YamlFile, link: object, nodes: dict[str, object], path: ValuePath) -> None:
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


def _ends(draft: Draft, file: YamlFile, link: dict[str, object], path: ValuePath) -> list[End]:
    """Both ends of a link; none where something is wrong with them."""
    found = link.get("endpoints")
    if not isinstance(found, list) or len(found) != 2:
        near = "" if "endpoints" in link else closest("endpoints", tuple(link))
        where = file.where(*path, "endpoints") if "endpoints" in link else file.where(*path)
        draft.wrong(where, "`endpoints`, a list of two", shown(found), near)
        return []
    ends = [_link_end(entry) for entry in found]
    for number, (entry, end) in enumerate(zip(found, ends, strict=True)):
        if end is None:
            expected = "NODE:INTERFACE, or a mapping with node and interface"
            draft.wrong(file.where(*path, "endpoints", number), expected, shown(entry))
    return [end for end in ends if end] if all(ends) else []


def _link_end(entry: object) -> End | None:
    if isinstance(entry, str):
        return End.of(entry)
    parts = (entry.get("node"), entry.get("interface")) if isinstance(entry, dict) else ("", "")
    return End(*map(str, parts)) if all(isinstance(part, str | int) and part != "" for part in parts) else None
