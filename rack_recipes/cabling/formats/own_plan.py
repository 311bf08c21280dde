# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our own format, cabling.yml: a list of cables, or a mapping that also has the positions of the devices."""

from __future__ import annotations

from typing import Any

from rack_recipes.cabling.build_plan import Draft
from rack_recipes.cabling.formats.yaml_with_places import YamlFile
from rack_recipes.cabling.plan_model import Cable, End, Position
from rack_recipes.recipe.yaml.node_positions import KEY
from rack_recipes.recipe.yaml.values_in_messages import closest, listed, shown

FIELDS = ("a", "b", "label", "review")
TOP = ("cables", "devices")
OF_DEVICE = ("rack", "position")
EXAMPLE = "NODE:PORT, such as leaf1:swp1"

Path = tuple[str | int, ...]


def is_own(data: Any) -> bool:
    """Whether this is a plan of ours."""
    if isinstance(data, dict):
        return "cables" in data
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and bool({"a", "b"} & {*data[0]})


def read_own(file: YamlFile) -> Draft:
    """The cables and positions of a plan."""
    draft, data = Draft(), file.data
    path: Path = ()
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


def _read_cable(draft: Draft, file: YamlFile, entry: Any, path: Path) -> None:
    if not isinstance(entry, dict):
        draft.wrong(file.where(*path), "a cable, such as {a: leaf1:swp1, b: server1:eth1}", shown(entry))
        return
    _unknown(draft, file, entry, FIELDS, path)
    ends = [_end(draft, file, entry, side, path) for side in ("a", "b")]
    label, review = (_text(draft, file, entry, name, path) for name in ("label", "review"))
    if ends[0] and ends[1]:
        draft.cables.append(Cable(ends[0], ends[1], label, review, file.where(*path)))


def _end(draft: Draft, file: YamlFile, entry: dict[str, Any], side: str, path: Path) -> End | None:
    value = entry.get(side)
    found = End.of(value) if isinstance(value, str) else None
    if found is None:
        where = file.where(*path, side) if side in entry else file.where(*path)
        draft.wrong(where, f"`{side}`, {EXAMPLE}", shown(value))
    return found


def _text(draft: Draft, file: YamlFile, entry: dict[str, Any], name: str, path: Path) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        draft.wrong(file.where(*path, name), "text", shown(value))
        return ""
    return str(value)


def _read_devices(draft: Draft, file: YamlFile, devices: Any) -> None:
    if not isinstance(devices, dict):
        draft.wrong(file.where("devices"), "a mapping of devices", shown(devices))
        return
    for name, entry in devices.items():
        path: Path = ("devices", name)
        if not isinstance(entry, dict) or not isinstance(entry.get("rack"), str | int):
            draft.wrong(file.where(*path), "a position, such as {rack: r1, position: 12}", shown(entry))
            continue
        _unknown(draft, file, entry, OF_DEVICE, path)
        unit = entry.get("position")
        if unit is not None and (not isinstance(unit, int | float) or isinstance(unit, bool)):
            draft.wrong(file.where(*path, "position"), "a height unit, a number", shown(unit))
            unit = None
        draft.positions[name] = Position(str(entry["rack"]), unit)


def _unknown(draft: Draft, file: YamlFile, entry: dict[str, Any], known: tuple[str, ...], path: Path) -> None:
    for name in entry:
        if name not in known:
            draft.wrong(file.where(*path, name, KEY), f"one of {listed(known)}", shown(name), closest(name, known))
