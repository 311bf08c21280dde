# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts are not like the others: a vote on every field of a nested value."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Flat = dict[str, "Field"]

PRESENT, ABSENT = "present", "absent"
LISTED = 10
SHOWN = 4


class Field:
    """One field of one host. `item` is the list item that it belongs to, "" for none; `is_item` marks the item."""

    def __init__(self, value: Any, item: str, *, is_item: bool = False) -> None:
        self.value = value
        self.item = item
        self.is_item = is_item


def flatten(value: Any, path: str = "", item: str = "") -> Iterator[tuple[str, Field]]:
    """The fields of a nested value by dotted path; a list's items go by their `name`, or else by their index.

    A list item is a field itself, so that a missing disk is one difference and not one for each of its properties.
    """
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flatten(inner, f"{path}.{name}" if path else str(name), item)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            named = isinstance(inner, dict) and isinstance(inner.get("name"), str)
            place = f"{path}.{inner['name'] if named else index}"
            yield place, Field(PRESENT, item, is_item=True)
            rest = {key: part for key, part in inner.items() if key != "name"} if named else inner
            yield from flatten(rest, place, place) if isinstance(rest, (dict, list)) else [(place, Field(rest, item))]
    else:
        yield path, Field(value, item)


def compare(values: dict[str, Any], ignore: list[str], tolerance: dict[str, float]) -> dict[str, Any]:
    """What the hosts differ in.

    `ignore` and the names in `tolerance` are patterns of fields; a tolerance is in percent of the majority's value.
    More than half of the hosts make a majority. Without one nobody is blamed: the field is `undecided`.
    """
    flats = {host: dict(flatten(value)) for host, value in sorted(values.items())}
    fields = sorted({name for flat in flats.values() for name in flat})
    compared = [name for name in fields if not _matches(name, ignore)]
    ballots = [(name, _ballot(name, flats)) for name in compared]
    votes = [_vote(name, ballot, _percent(name, tolerance)) for name, ballot in ballots]
    differences = [vote for vote in votes if vote and "majority" in vote]
    return {
        "hosts": len(flats),
        "fields": len(compared),
        "differences": differences,
        "undecided": [vote for vote in votes if vote and "majority" not in vote],
        "differing_hosts": sorted({host for difference in differences for host in difference["hosts"]}),
    }


def describe_tie(undecided: dict[str, Any]) -> str:
    """In one line, the values of a field without a majority, and their hosts."""
    parts = [f"{json.dumps(one['value'])} on {shortened(one['hosts'])}" for one in undecided["values"]]
    return f"{undecided['field']} has no majority: {shortened(parts, '; ')}"


def shortened(texts: list[str], separator: str = ", ") -> str:
    """The first texts of a list, and how many there are more."""
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return separator.join(texts[:SHOWN]) + more


def describe(differences: list[dict[str, Any]], host: str) -> str:
    """In one line, what `host` differs in."""
    own = [difference for difference in differences if host in difference["hosts"]]
    parts = [
        f"{one['field']} is {json.dumps(one['hosts'][host])} instead of {json.dumps(one['majority'])}"
        for one in own[:LISTED]
    ]
    more = [f"and {len(own) - LISTED} more"] if len(own) > LISTED else []
    return f"{host}: {'; '.join(parts + more)}"


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _percent(name: str, tolerance: dict[str, float]) -> float:
    return max([float(percent) for pattern, percent in tolerance.items() if fnmatchcase(name, pattern)], default=0.0)


def _ballot(name: str, flats: dict[str, Flat]) -> dict[str, Any]:
    """Each host's value of a field. A host that lacks the whole item has no voice on the item's properties."""
    known = next(flat[name] for flat in flats.values() if name in flat)
    missing = Field(ABSENT if known.is_item else None, known.item)
    voters = {host: flat for host, flat in flats.items() if not known.item or known.item in flat}
    return {host: flat.get(name, missing).value for host, flat in voters.items()}


def _vote(name: str, ballot: dict[str, Any], percent: float) -> dict[str, Any] | None:
    """The outcome for one field; None where all agree."""
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
    """The value of the largest group; where values may differ a little, the median if no value has a majority."""
    numbers = [value for value in ballot.values() if _is_number(value)]
    if percent and 2 * len(largest) <= len(ballot) and numbers:
        return sorted(numbers)[(len(numbers) - 1) // 2]
    return ballot[largest[0]]


def _alike(value: Any, majority: Any, percent: float) -> bool:
    if percent and _is_number(value) and _is_number(majority):
        return bool(abs(value - majority) <= abs(majority) * percent / 100)
    return json.dumps(value, sort_keys=True) == json.dumps(majority, sort_keys=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
