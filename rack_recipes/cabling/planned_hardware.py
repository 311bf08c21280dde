# SPDX-License-Identifier: GPL-3.0-or-later

"""The hardware that NetBox or Nautobot has planned, as the golden lists that scriptlets compare hosts with.

`hardware_golden` is for `host.golden`: model, serial number and BIOS of the host, and its network cards by name.
`gpus_planned` is for `gpu.health` and `gpu.rocm`. What the server does not say is left out, and so not compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rack_recipes.cabling.netbox_api import API, DEVICES, fetch_lists
from rack_recipes.errors import UsageError, counted
from rack_recipes.recipe.values_in_messages import shown

INTERFACES, ITEMS, MODULES = "interfaces/", "inventory-items/", "modules/"
LISTS = (DEVICES, INTERFACES, ITEMS)
PARTS = ("model", "serial", "firmware", "interfaces", "gpus")
"""What may be left out."""
BIOS = ("bios_version", "bios")
"""The custom fields of a device that have the version of its firmware; NetBox has no field of its own for it."""
NO_CARDS = frozenset(("virtual", "bridge", "lag"))
GPU = re.compile(r"\b(GPU|graphics card|accelerator)s?\b", re.IGNORECASE)
TEMPLATES = ("{{", "{%", "{#")
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedHardware:
    """The variables of each host, and what was left out, by why, with how many there are."""

    hosts: Mapping[str, Mapping[str, Any]]
    left_out: Mapping[str, int]


def fetch_hardware(url: str, token: str) -> PlannedHardware:
    """What the server at a URL has planned; a filter of devices may stand in it. Raises UsageError.

    Nautobot tells names of related objects only where they are asked for. Servers of 2022 and before have no modules.
    """
    more = ""
    found = fetch_lists(url, token, LISTS)
    if any("model" not in (_entry(device, "device_type") or {"model": ""}) for device in found[0][1]):
        more = "depth=1"
        found = fetch_lists(url, token, LISTS, more)
    root = url.partition(API)[0].partition("?")[0]
    try:
        modules = fetch_lists(root, token, (MODULES,), more)[0][1]
    except UsageError as error:
        if "HTTP 404" not in str(error):
            raise
        modules = []
    devices, interfaces, items = (entries for _address, entries in found)
    return plan_hardware(devices, interfaces, items, modules)


def plan_hardware(
    devices: Sequence[Entry], interfaces: Iterable[Entry], items: Iterable[Entry], modules: Iterable[Entry]
) -> PlannedHardware:
    """The golden lists of devices with a name. Raises UsageError for two devices with one name."""
    named = [device for device in devices if _text(device, "name")]
    twice = [name for name, number in Counter(device["name"] for device in named).items() if number > 1]
    if twice:
        raise UsageError(
            f"{counted(len(twice), 'name')} of several devices each, such as "
            f"{shown(twice[0])}: add a filter, such as ?site="
        )
    cards, gpus = _cards(interfaces), _gpus([*items, *modules])
    hosts = {device["name"]: _variables(device, cards.get(_key(device), {}), gpus[_key(device)]) for device in named}
    without_name = len(devices) - len(named)
    return PlannedHardware(
        {name: own for name, own in sorted(hosts.items()) if own},
        {why: number for why, number in (("no name", without_name), ("nothing planned", _empty(hosts))) if number},
    )


def without_parts(hosts: Mapping[str, Mapping[str, object]], left_out: Collection[str]) -> dict[str, Any]:
    """The hosts without some of PARTS. Raises UsageError for a word that is none of them."""
    if wrong := [part for part in left_out if part not in PARTS]:
        raise UsageError(f"expected one of {', '.join(PARTS)}, got {shown(wrong[0])}")
    return {name: own for name, variables in hosts.items() if (own := _without(variables, left_out))}


def _without(variables: Mapping[str, Any], left_out: Collection[str]) -> dict[str, Any]:
    names = {"model": "product_name", "serial": "product_serial", "firmware": "bios_version"}
    gone = {names[part] for part in left_out if part in names}
    golden = variables.get("hardware_golden", {})
    dmi = {field: value for field, value in golden.get("dmi", {}).items() if field not in gone}
    nics = {} if "interfaces" in left_out else golden.get("nics", {})
    kept = {section: value for section, value in (("dmi", dmi), ("nics", nics)) if value}
    gpus = {} if "gpus" in left_out else {key: variables[key] for key in variables if key != "hardware_golden"}
    return {**({"hardware_golden": kept} if kept else {}), **gpus}


def _variables(device: Entry, cards: Mapping[str, object], gpus: int) -> dict[str, Any]:
    bios = next((text for name in BIOS if (text := _text(_entry(device, "custom_fields") or {}, name))), "")
    said = {
        "product_name": _text(_entry(device, "device_type") or {}, "model"),
        "product_serial": _text(device, "serial"),
        "bios_version": bios,
    }
    dmi = {name: text for name, text in said.items() if text}
    golden = {section: value for section, value in (("dmi", dmi), ("nics", {**cards})) if value}
    return {**({"hardware_golden": golden} if golden else {}), **({"gpus_planned": gpus} if gpus else {})}


def _cards(interfaces: Iterable[Entry]) -> dict[object, dict[str, Any]]:
    """By device, the network cards with their MAC where it is known; without those of the BMC, bonds and bridges."""
    found: dict[object, dict[str, Any]] = {}
    for one in interfaces:
        kind = _entry(one, "type") or {}
        name = _text(one, "name")
        if name and not one.get("mgmt_only") and kind.get("value") not in NO_CARDS:
            mac = _text(one, "mac_address") or _text(_entry(one, "primary_mac_address") or {}, "mac_address")
            found.setdefault(_owner(one), {})[name] = {"mac": mac.lower()} if mac else {}
    return found


def _gpus(parts: Iterable[Entry]) -> Counter[object]:
    """By device, how many of its inventory items and modules are GPUs, by role, name, type or profile."""
    return Counter(_owner(part) for part in parts if any(map(GPU.search, _words(part))))


def _words(part: Entry) -> Iterator[str]:
    kind = _entry(part, "module_type") or {}
    for holder, name in ((part, "name"), (part, "description"), (kind, "model"), (kind, "description")):
        yield _text(holder, name)
    yield _text(_entry(part, "role") or {}, "name")
    yield _text(_entry(kind, "profile") or {}, "name")


def _owner(part: Entry) -> object:
    return _key(_entry(part, "device") or {})


def _key(device: Entry) -> object:
    return device.get("id")


def _entry(holder: Entry, name: str) -> Entry | None:
    value = holder.get(name)
    return value if isinstance(value, Mapping) else None


def _text(holder: Entry, name: str) -> str:
    """A text without blanks around it, empty for none. Raises UsageError for one that Ansible would fill in."""
    value = holder.get(name)
    text = value.strip() if isinstance(value, str) else ""
    if any(sign in text for sign in TEMPLATES):
        raise UsageError(
            f"{name} is {shown(text)}: expected a text without signs of a template ({' '.join(TEMPLATES)})"
        )
    return text


def _empty(hosts: Mapping[str, Mapping[str, object]]) -> int:
    return sum(not own for own in hosts.values())
