# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the hosts that are not like the others: on every field of a nested value, the majority of hosts decides."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Union

    Part = Union[str, int, tuple[str]]  # a name in a mapping, the index of a list's item, or the item's own name
    Path = tuple[Part, ...]
    Key = tuple[Path, str]
    Flat = dict[Key, "Field"]

PRESENT, ABSENT = "present", "absent"
VALUE, ITEM, CONTAINER = "value", "item", "container"  # kinds of fields
LISTED = 10
SHOWN = 4


class Field:
    """One field of one host. `item` is the path of the list item in which it lies, () outside of lists."""

    def __init__(self, value: object, item: Path = ()) -> None:
        self.value: Any = value
        self.item = item


def flatten(value: object, path: Path = (), item: Path = ()) -> Iterator[tuple[Key, Field]]:
    """Yield the fields of a nested value, each with a key of its own. Together they are the whole value.

    A list item is a field itself, so that a missing disk is one difference, not one for each of its properties. A
    mapping or a list is a field too. That field matters only where it is empty: otherwise the fields inside show all
    differences.
    """
    if isinstance(value, dict):
        yield (path, CONTAINER), Field(value, item)
        for name, inner in value.items():
            yield from flatten(inner, (*path, name), item)
    elif isinstance(value, list):
        yield (path, CONTAINER), Field(value, item)
        for part, inner in zip(parts(value), value):
            yield from _flatten_item(inner, (*path, part), item)
    else:
        yield (path, VALUE), Field(value, item)


def _flatten_item(value: object, path: Path, item: Path) -> Iterator[tuple[Key, Field]]:
    if not isinstance(value, (dict, list)):
        yield (path, VALUE), Field(value, item)
        return
    yield (path, ITEM), Field(PRESENT, item)
    if isinstance(value, dict) and isinstance(path[-1], tuple):  # its name is its part of the path
        for name, inner in value.items():
            if name != "name":
                yield from flatten(inner, (*path, name), path)
    else:
        yield from flatten(value, path, path)


def parts(items: list[object]) -> list[Part]:
    """What stands in a path for each item of a list.

    It is the item's `name`, or its index if it has no name or an earlier item has the same one.
    """
    found: dict[Part, None] = {}
    for index, inner in enumerate(items):
        name = inner.get("name") if isinstance(inner, dict) else None
        found[index if not isinstance(name, str) or (name,) in found else (name,)] = None
    return list(found)


def dotted(path: Path) -> str:
    """A path as users read it. Two different paths may have the same text."""
    text = ".".join(part[0] if isinstance(part, tuple) else str(part) for part in path)
    return text if not path or isinstance(path[0], str) else f".{text}"


def compare(values: dict[str, object], ignore: list[str], tolerance: dict[str, float]) -> dict[str, Any]:
    """Compare the hosts' values, given by host name, and return what `host.differences_v1` holds of them.

    `ignore` and the names in `tolerance` are patterns of fields. A tolerance is in percent of the majority's value.
    More than half of the hosts make a majority; a field without one is `undecided`, and no host is blamed for it. A
    field that a host lacks counts as null. The order of items with names does not matter.
    """
    flats = {host: dict(flatten(value)) for host, value in sorted(values.items())}
    compared = [key for key in _keys(flats) if not any(fnmatchcase(dotted(key[0]), pattern) for pattern in ignore)]
    ballots = [(key, _ballot(key, flats)) for key in compared]
    votes = {key: _vote(dotted(key[0]), ballot, _percent(dotted(key[0]), tolerance)) for key, ballot in ballots}
    differences = [vote for vote in votes.values() if vote and "majority" in vote]
    return {
        "hosts": len(flats),
        "fields": len([key for key, vote in votes.items() if vote or key[1] != CONTAINER]),
        "differences": differences,
        "undecided": [vote for vote in votes.values() if vote and "majority" not in vote],
        "differing_hosts": sorted({host for difference in differences for host in difference["hosts"]}),
    }


def describe_tie(undecided: dict[str, Any]) -> str:
    """One line with the values of a field without a majority, and their hosts."""
    parts = [f"{json.dumps(one['value'])} on {first_few(one['hosts'], SHOWN)}" for one in undecided["values"]]
    return f"{undecided['field']} has no majority: {first_few(parts, SHOWN, '; ')}"


def describe(differences: list[dict[str, Any]], host: str) -> str:
    """One line with the fields in which `host` differs."""
    own = [difference for difference in differences if host in difference["hosts"]]
    parts = [
        f"{one['field']} is {json.dumps(one['hosts'][host])} instead of {json.dumps(one['majority'])}"
        for one in own[:LISTED]
    ]
    more = [f"and {len(own) - LISTED} more"] if len(own) > LISTED else []
    return f"{host}: {'; '.join(parts + more)}"


def _percent(name: str, tolerance: dict[str, float]) -> float:
    return max([float(percent) for pattern, percent in tolerance.items() if fnmatchcase(name, pattern)], default=0.0)


def _keys(flats: dict[str, Flat]) -> list[Key]:
    """The keys of all hosts' fields, sorted by name.

    Mappings and lists are among them only where one of them is empty.
    """
    found = {key for flat in flats.values() for key, field in flat.items() if key[1] != CONTAINER or not field.value}
    return sorted(found, key=lambda key: (dotted(key[0]), repr(key)))


def _ballot(key: Key, flats: dict[str, Flat]) -> dict[str, Any]:
    """Each host's value of a field. A host that lacks the whole list item does not vote on the item's properties."""
    known = next(flat[key] for flat in flats.values() if key in flat)
    missing = Field(ABSENT if key[1] == ITEM else None)
    voters = {host: flat for host, flat in flats.items() if not known.item or (known.item, ITEM) in flat}
    ballot = {host: flat.get(key, missing).value for host, flat in voters.items()}
    # Of a mapping or list only the type is compared here; its content has fields of its own.
    return {host: type(value)() for host, value in ballot.items()} if key[1] == CONTAINER else ballot


def _vote(name: str, ballot: dict[str, object], percent: float) -> dict[str, Any] | None:
    """The outcome for one field; None if all hosts agree."""
    groups: dict[str, list[str]] = {}
    for host, value in ballot.items():
        groups.setdefault(json.dumps(value, sort_keys=True), []).append(host)
    if len(groups) < 2:
        return None
    ranked = sorted(groups.values(), key=len, reverse=True)
    majority = _majority(ballot, ranked[0], percent)
    others = {host: value for host, value in ballot.items() if not _alike(value, majority, percent)}
    if 2 * len(others) < len(ballot):
        share = round(1 - len(others) / len(ballot), 4)
        return {"field": name, "majority": majority, "share": share, "hosts": others} if others else None
    listed = [{"value": ballot[hosts[0]], "hosts": hosts} for hosts in ranked[:LISTED]]
    return {"field": name, "distinct": len(ranked), "values": listed}


def _majority(ballot: dict[str, Any], largest: list[str], percent: float) -> Any:
    """The value of the largest group of hosts. With a tolerance, and without a majority, the median of the numbers."""
    numbers = [value for value in ballot.values() if _is_number(value)]
    if percent and 2 * len(largest) <= len(ballot) and numbers:
        return sorted(numbers)[(len(numbers) - 1) // 2]
    return ballot[largest[0]]


def _alike(value: object, majority: Any, percent: float) -> bool:
    if percent and _is_number(value) and _is_number(majority):
        return bool(abs(value - majority) <= abs(majority) * percent / 100)
    return json.dumps(value, sort_keys=True) == json.dumps(majority, sort_keys=True)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
