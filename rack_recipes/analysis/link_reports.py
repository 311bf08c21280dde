# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ends of links say about each other, from the context of a run.

A context key `links.NAME_v1`, `link.NAME_v1` or `lldp.NAME_v1` of a host holds its ports: a mapping of port -> entry,
or a list of entries with `port`. All fields of an entry are optional:

    {"peer": "leaf1", "peer_port": "swp5", "expected_peer": "leaf1", "expected_port": "swp5", "mtu": 9100, ...}

`peer` and `peer_port` are what the port sees, `expected_peer` and `expected_port` what a cabling plan says. Further
fields are compared with those of the other end, or are counters of errors (see links.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rack_recipes.analysis.findings import ResultId
from rack_recipes.analysis.run_data import RunData

LONGEST = 64  # characters of what a host says: a longer one is no name of a port, and no setting
KEYS = re.compile(r"(links?|lldp)\..+_v[0-9]+")
ADDRESSES = frozenset(("port", "peer", "peer_port", "expected_peer", "expected_port"))


@dataclass(frozen=True, slots=True, order=True)
class End:
    """One end of a link."""

    device: str
    port: str

    def __str__(self) -> str:
        return f"{self.device} {self.port}"


@dataclass(frozen=True, slots=True)
class Report:
    """What one end says: whom it sees, whom it should see, and its other fields.

    `sources` has the result that said so, for each field and for `peer` and `expected`.
    """

    end: End
    peer: End | None
    expected: End | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, ResultId] = field(default_factory=dict)

    def said_in(self, *names: str) -> list[ResultId]:
        """The results that said these things, each once; of a port that sees nobody, those that looked."""
        found = [self.sources[name] for name in names if name in self.sources]
        return [*dict.fromkeys(found)] or [*dict.fromkeys(self.sources.values())]


Reports = Mapping[End, Report]


def link_reports(run: RunData) -> Reports:
    """What each port says, in the order of the context. A port that several keys have gets the fields of all."""
    keys = {key for key in {row["key"] for row in run.context} if KEYS.fullmatch(key)}
    rows = [row for row in run.context if row["key"] in keys and row["host"]]
    known = {row["host"] for row in rows}
    found: dict[End, Report] = {}
    for row in rows:
        result = ResultId(row["host"], row.get("step") or "")
        for port, entry in _entries(row["value"]):
            end = End(row["host"], port)
            found[end] = _joined(found.get(end), _report(end, entry, result, known))
    return found


def _entries(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The ports of a value with their entries; what has another shape is passed over."""
    if isinstance(value, dict):
        named: Any = value.items()
    else:
        entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
        named = ((entry.get("port"), entry) for entry in entries)
    for port, entry in named:
        if isinstance(port, str) and 0 < len(port) <= LONGEST and isinstance(entry, dict):
            yield port, entry


def _report(end: End, entry: Mapping[str, Any], result: ResultId, known: set[str]) -> Report:
    fields = {name: value for name, value in entry.items() if name not in ADDRESSES and _is_short(value)}
    peer = _end(entry, "peer", "peer_port", known)
    expected = _end(entry, "expected_peer", "expected_port", known)
    said = [*fields, *(["peer"] if peer else []), *(["expected"] if expected else [])]
    return Report(end, peer, expected, fields, dict.fromkeys(said, result))


def _is_short(value: Any) -> bool:
    return isinstance(value, str | int | float) and len(str(value)) <= LONGEST


def _end(entry: Mapping[str, Any], device: str, port: str, known: set[str]) -> End | None:
    given = entry.get(device), entry.get(port)
    if not isinstance(given[0], str) or not given[0] or given[1] in (None, "") or not all(map(_is_short, given)):
        return None
    return End(_host(given[0], known), str(given[1]))


def _host(name: str, known: set[str]) -> str:
    """The host that a device calls by this name: LLDP has a full name where the inventory has a short one."""
    short = name.partition(".")[0]
    return short if name not in known and short in known else name


def _joined(first: Report | None, second: Report) -> Report:
    if first is None:
        return second
    fields, sources = {**first.fields, **second.fields}, {**second.sources, **first.sources}
    return Report(second.end, first.peer or second.peer, first.expected or second.expected, fields, sources)
