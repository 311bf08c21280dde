# SPDX-License-Identifier: GPL-3.0-or-later

"""NetBox's lists of cables and devices as its REST API answers with them, and the variables of its inventory plugin.

The fields are those of NetBox 3.3 and newer (netbox/dcim/api/serializers_/cables.py, devices.py), and of the plugin
netbox.netbox.nb_inventory with `interfaces: true`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rack_recipes.cabling.plan_model import Cable, Draft, End, Position
from rack_recipes.recipe.values_in_messages import closest, shown

INTERFACE = "dcim.interface"
CONNECTED = "connected"
SIDES = ("a_terminations", "b_terminations")


def pages(data: object) -> list[tuple[str, Any]]:
    """The entries of a saved answer, of several of them, or of a bare list: each with its path."""
    if isinstance(data, dict):
        return _entries("results", data.get("results"))
    if isinstance(data, list) and data and all(isinstance(page, dict) and "results" in page for page in data):
        return [one for number, page in enumerate(data) for one in _entries(f"[{number}].results", page["results"])]
    return _entries("", data)


def _entries(path: str, found: object) -> list[tuple[str, Any]]:
    return [(f"{path}[{number}]", entry) for number, entry in enumerate(found if isinstance(found, list) else ())]


def is_cable_list(data: object) -> bool:
    """Whether this is a list of cables."""
    return any(isinstance(entry, dict) and {*SIDES} & {*entry} for _path, entry in pages(data)[:1])


def is_device_list(data: object) -> bool:
    """Whether this is a list of devices."""
    return any(isinstance(entry, dict) and "device_type" in entry for _path, entry in pages(data)[:1])


def is_inventory(data: object) -> bool:
    """Whether this is what `ansible-inventory --list` prints."""
    return isinstance(data, dict) and isinstance(data.get("_meta"), dict)


def read_cables(data: object, name: str) -> Draft:
    """The cables between interfaces that are connected."""
    draft = Draft()
    _check_whole(data, name, draft)
    for path, entry in pages(data):
        _add_cable(draft, entry, f"{name}: {path}")
    return draft


def read_devices(data: object, name: str) -> Draft:
    """The names and positions of the devices."""
    draft = Draft(listed_in=[name])
    _check_whole(data, name, draft)
    for path, entry in pages(data):
        where = f"{name}: {path}"
        device = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(device, str):
            continue  # NetBox allows devices without a name
        draft.devices.setdefault(device, where)
        if position := _position(entry.get("rack"), entry.get("position")):
            draft.positions[device] = position
    return draft


def read_inventory(data: Any, name: str) -> Draft:
    """The cables in the variables of hosts; each is there twice, once for each end."""
    draft, known = Draft(), set()
    for host, own in _mapping(_mapping(data["_meta"]).get("hostvars")).items():
        where = f"{name}: _meta.hostvars.{host}"
        if position := _position(own.get("racks") or own.get("rack"), own.get("rack_position", own.get("position"))):
            draft.positions[host] = position
        for number, interface in enumerate(_list(own.get("interfaces"))):
            for cable in _cables_of(host, interface, f"{where}.interfaces[{number}]"):
                if frozenset(cable.ends) not in known:
                    known.add(frozenset(cable.ends))
                    draft.cables.append(cable)
    if not draft.cables:
        draft.wrong(f"{name}: _meta.hostvars", "hosts with interfaces (nb_inventory with `interfaces: true`)", "none")
    return draft


def _cables_of(host: str, interface: object, where: str) -> Iterator[Cable]:
    """The cables of an interface of a host."""
    entry = _mapping(interface)
    ends = [_mapping(end) for end in _list(entry.get("connected_endpoints"))]
    if len(ends) == 1 and entry.get("connected_endpoints_type", INTERFACE) == INTERFACE:
        far = End(str(_mapping(ends[0].get("device")).get("name") or ""), str(ends[0].get("name") or ""))
        if far.device and far.port:
            label = str(_mapping(entry.get("cable")).get("label") or "")
            yield Cable(End(host, str(entry.get("name") or "")), far, label, where=where)


def _add_cable(draft: Draft, entry: object, where: str) -> None:
    if not isinstance(entry, dict):
        draft.wrong(where, "a cable of NetBox", shown(entry))
        return
    missing = next((side for side in SIDES if not isinstance(entry.get(side), list)), None)
    if missing:
        near = "" if missing in entry else closest(missing, tuple(map(str, entry)))
        draft.wrong(where, f"{missing}, a list (NetBox 3.3 or newer)", shown(entry.get(missing)), near)
        return
    if reason := _is_left_out(entry):
        draft.left_out[reason] += 1
        return
    ends = [_end(draft, entry[side][0], f"{where}.{side}[0]") for side in SIDES]
    if ends[0] and ends[1]:
        draft.cables.append(Cable(ends[0], ends[1], str(entry.get("label") or ""), where=where))


def _is_left_out(entry: Mapping[str, Any]) -> str:
    """Why an entry is no cable between two ports of a network; empty where it is one."""
    kinds = [_mapping(end).get("object_type", INTERFACE) for side in SIDES for end in entry[side]]
    other = next((kind for kind in kinds if kind != INTERFACE), None)
    if other:
        return f"ends at {other}"
    status = _mapping(entry.get("status")).get("value", CONNECTED)
    if status != CONNECTED:
        return f"status {status}"
    counts = {len(entry[side]) for side in SIDES}
    if counts != {1}:
        return "an open end" if 0 in counts else "several ports at one end"
    devices = [_mapping(_mapping(_mapping(entry[side][0]).get("object")).get("device")) for side in SIDES]
    return "a device without a name" if any("name" in own and own["name"] is None for own in devices) else ""


def _end(draft: Draft, termination: object, where: str) -> End | None:
    found = _mapping(_mapping(termination).get("object"))
    device, port = _mapping(found.get("device")).get("name"), found.get("name")
    for path, value in ((".object.device.name", device), (".object.name", port)):
        if not isinstance(value, str) or not value:
            draft.wrong(f"{where}{path}", "a name", shown(value))
            return None
    return End(str(device), str(port))


def _check_whole(data: object, name: str, draft: Draft) -> None:
    """Note where a saved answer is only the first page of several."""
    answers = data if isinstance(data, list) else [data]
    counts = {page["count"] for page in answers if isinstance(page, dict) and isinstance(page.get("count"), int)}
    found = len(pages(data))
    if counts and max(counts) > found:
        draft.wrong(f"{name}: count", f"all {max(counts)} entries: save all pages, or give the URL", f"{found} of them")


def _position(rack: object, unit: Any) -> Position | None:
    """A position, from a rack with its name, a name, or a list with one."""
    first = rack[0] if isinstance(rack, list) and rack else rack
    name = first.get("name") if isinstance(first, dict) else first
    if not isinstance(name, str | int) or name == "":
        return None
    try:
        return Position(str(name), None if unit in (None, "") else float(unit))
    except (TypeError, ValueError):
        return Position(str(name))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
