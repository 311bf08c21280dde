# SPDX-License-Identifier: GPL-3.0-or-later

"""Links, as both of their ends report them: which end disagrees with the rest, and which cables are swapped.

A context key `links.NAME_v1`, `link.NAME_v1` or `lldp.NAME_v1` of a host holds its ports: a mapping of port -> entry,
or a list of entries with `port`. All fields of an entry are optional:

    {"peer": "leaf1", "peer_port": "swp5", "expected_peer": "leaf1", "expected_port": "swp5", "mtu": 9100, ...}

`peer` and `peer_port` are what the port sees, `expected_peer` and `expected_port` what a cabling plan says. Further
fields are compared with those of the other end, or are counters of errors.

An end that does not speak is judged by nobody. Where nothing else tells who is right, both ends are named.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rack_recipes.analysis.failed_and_blocked_results import failures_of
from rack_recipes.analysis.findings import NOTABLE, PROBLEM, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData

LONGEST = 64  # characters of what a host says: a longer one is no name of a port, and no setting
IDENTITY = "host.identity_v1"
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


def _entries(value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The ports of a value with their entries; what has another shape is passed over."""
    if isinstance(value, dict):
        named: Any = value.items()
    else:
        entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
        named = ((entry.get("port"), entry) for entry in entries)
    for port, entry in named:
        if isinstance(port, str) and 0 < len(port) <= LONGEST and isinstance(entry, dict):
            yield port, entry


def _report(end: End, entry: Mapping[str, object], result: ResultId, known: set[str]) -> Report:
    fields = {name: value for name, value in entry.items() if name not in ADDRESSES and _is_short(value)}
    if entry.get("carrier", "") is None:  # the kernel does not tell it of a port that is switched off
        fields["carrier"] = NO_CARRIER[0]
    peer = _end(entry, "peer", "peer_port", known)
    expected = _end(entry, "expected_peer", "expected_port", known)
    said = [*fields, *(["peer"] if peer else []), *(["expected"] if expected else [])]
    return Report(end, peer, expected, fields, dict.fromkeys(said, result))


def _is_short(value: object) -> bool:
    return isinstance(value, str | int | float) and len(str(value)) <= LONGEST


def _end(entry: Mapping[str, object], device: str, port: str, known: set[str]) -> End | None:
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


KIND = "link"
MOST_LINK_FINDINGS = 50  # findings of one sort; the rest is counted
SAME = re.compile(r"(speed|mtu|duplex|fec|vlan|autoneg|state|carrier|lacp)(_.*)?")  # both ends should have the same
ERRORS = re.compile(r".*(error|crc|drop|discard|symbol|corrupt|flap).*")  # counters that stay 0 on a good link
NO_CARRIER = ("0", "False")
LEAST_NAMED = 2  # neighbours that see a device under another name
LEAST_ENDS = 4  # for a vote over counters
PLAN_METHOD = "compared with the cabling plan; a stale plan gives false findings"
BOTH_ENDS_METHOD = (
    "both ends compared; old neighbours stay visible for the hold time of LLDP, so a new cable may be told"
)
DARK_METHOD = "counted: exactly two ports have no carrier; two cables that each lost one end look the same"
VOTE_METHOD = "vote of all ends with this field: more than half agree, and at most a tenth (or one) differ"


def findings(run: RunData, _history: History) -> Iterator[Finding]:
    """What is wrong with the links of a run. A run whose context has no links has none."""
    reports = link_reports(run)
    if not reports:
        return
    failed = {*failures_of(run).failed}
    names = _other_names(run)
    moved = {ends: _by_name(finding, ends, names) for ends, finding in _against_plan(reports).items()}
    explained = {end for ends in moved for end in ends}
    others = {end: report for end, report in reports.items() if end not in explained}
    for sort in (
        moved.values(),
        _silent(others),
        _dark(reports),
        _disagreeing(others, reports),
        _different_fields(reports),
        _counting(reports),
    ):
        yield from _capped([_with_failures(finding, failed) for finding in sort])


def _other_names(run: RunData) -> dict[str, str]:
    """The hosts that call themselves by the name of another one, with that name."""
    own = {
        row["host"]: row["value"] for row in run.context if row["key"] == IDENTITY and isinstance(row["value"], dict)
    }
    names = {host: _host(str(told.get("host_name")), {*own}) for host, told in own.items()}
    return {host: name for host, name in names.items() if name in own and name != host}


def _by_name(finding: Finding, ends: frozenset[End], names: Mapping[str, str]) -> Finding:
    """The finding, or that two hosts have each other's name: LLDP tells names, and then the cables look swapped."""
    devices = {end.device for end in ends}
    two = sorted(host for host, name in names.items() if names.get(name) == host and {host, name} <= devices)
    if not two:
        return finding
    first, second = two[:2]
    title = f"{first} and {second} have each other's host name, so their cables look swapped"
    advice = f"Correct the host names of {first} and {second}, and leave the cables: they are where they belong."
    return replace(finding, title=title, advice=advice)


def _with_failures(finding: Finding, failed: set[ResultId]) -> Finding:
    return replace(finding, explains=sum(result in failed for result in set(finding.results)))


def _capped(found: Sequence[Finding]) -> Iterator[Finding]:
    yield from found[:MOST_LINK_FINDINGS]
    rest = found[MOST_LINK_FINDINGS:]
    if rest:
        results = tuple(result for finding in rest for result in finding.results)
        title = f"{len(rest)} more links are like these: {rest[0].title}, ..."
        yield Finding(KIND, rest[0].grade, title, results, rest[0].advice, {"links": len(rest)}, {}, rest[0].method)


def _finding(
    title: str, advice: str, results: Iterable[ResultId], figures: Mapping[str, object], method: str,
    *, ends: Sequence[End], grade: str = PROBLEM,
) -> Finding:  # fmt: skip
    about = {"host": ends[0].device, "ends": [str(end) for end in ends]}
    return Finding(KIND, grade, title, tuple(dict.fromkeys(results)), advice, figures, about, method)


def _said(reports: Iterable[Report | None], *names: str) -> list[ResultId]:
    return [result for report in reports if report is not None for result in report.said_in(*names)]


# Against the cabling plan.
Moved = dict[frozenset[End], Finding]  # by the ends that the finding explains


def _against_plan(reports: Reports) -> Moved:
    """Devices with another name, then cables that have changed places, then other cables in wrong places."""
    found: Moved = {}
    for sort in (_renamed, _swapped, _misplaced):
        told = {end for ends in found for end in ends}
        found |= sort(reports, [one for one in _wrong(reports) if one.end not in told])
    return found


def _wrong(reports: Reports) -> list[Report]:
    return [one for one in reports.values() if one.peer and one.expected and one.peer != one.expected]


def _renamed(reports: Reports, wrong: Sequence[Report]) -> Moved:
    """Devices that several neighbours see under a name that nobody else has, at the ports where they belong."""
    devices = {end.device for end in reports} | {one.expected.device for one in reports.values() if one.expected}
    by_names: dict[tuple[str, str], list[tuple[Report, End, End]]] = defaultdict(list)
    for report in wrong:
        if report.peer and report.expected and report.peer.device not in devices:
            by_names[report.peer.device, report.expected.device].append((report, report.peer, report.expected))
    found: Moved = {}
    for (name, device), seen in by_names.items():
        if len(seen) >= LEAST_NAMED and all(has.port == wants.port for _report, has, wants in seen):
            ends = frozenset(end for report, has, wants in seen for end in (report.end, has, wants))
            found[ends] = _other_name(name, device, [report for report, _has, _wants in seen])
    return found


def _other_name(name: str, device: str, seen: Sequence[Report]) -> Finding:
    title = f"{device} is called {name} by its {len(seen)} neighbours, at the ports where it belongs"
    advice = f"Set the name of {device}, or look whether another device has taken its place."
    figures = {str(report.end): str(report.peer) for report in seen}
    results = _said(seen, "peer", "expected")
    return _finding(title, advice, results, figures, PLAN_METHOD, ends=[report.end for report in seen])


def _swapped(reports: Reports, wrong: Sequence[Report]) -> Moved:
    """Pairs of cables: each is where the other one belongs."""
    wanted = {report.expected: report for report in reports.values() if report.expected}
    found: Moved = {}
    for report in wrong:
        other = wanted.get(report.peer) if report.peer else None
        if other is None or report.peer is None or report.expected is None or other.peer != report.expected:
            continue
        ends = frozenset((report.end, other.end, report.peer, report.expected))
        if ends not in found:
            found[ends] = _swap(report, other, report.peer, report.expected, reports)
    return found


def _swap(report: Report, other: Report, has: End, wants: End, reports: Reports) -> Finding:
    title = f"{report.end} and {other.end} are swapped: {report.end} is in {has} and belongs into {wants}"
    if has.device == wants.device:
        advice = f"At {has.device}, move the cable in port {has.port} to port {wants.port}, and the other way round."
    else:
        advice = f"Swap the cables in {has} and {wants}."
    figures = {str(report.end): str(has), str(other.end): str(wants)}
    results = _said((report, other, reports.get(has), reports.get(wants)), "peer", "expected")
    return _finding(title, advice, results, figures, PLAN_METHOD, ends=(report.end, other.end))


def _misplaced(reports: Reports, wrong: Sequence[Report]) -> Moved:
    """Cables that are not where they belong, and have changed places with no other one."""
    found: Moved = {}
    for report in wrong:
        has, wants = report.peer, report.expected
        if has is None or wants is None or any(report.end in ends for ends in found):
            continue
        title = f"{report.end} is connected to {has} and belongs to {wants}"
        advice = f"Move the cable of {report.end} from {has} to {wants}."
        if has.device == wants.device:
            advice = f"At {has.device}, move the cable of {report.end} from port {has.port} to port {wants.port}."
        figures = {"sees": str(has), "expected": str(wants)}
        results = _said((report, reports.get(has), reports.get(wants)), "peer", "expected")
        ends = frozenset((report.end, has, wants))
        found[ends] = _finding(title, advice, results, figures, PLAN_METHOD, ends=(report.end,))
    return found


# From both ends.
def _silent(reports: Reports) -> Iterator[Finding]:
    """Ends that see nobody, although the other end sees them or the plan names a neighbour."""
    seen_by = {report.peer: report for report in reports.values() if report.peer}
    for report in reports.values():
        if report.peer:
            continue
        other = seen_by.get(report.end)
        if other:
            title = f"{report.end} sees no neighbour, but {other.end} sees {report.end}"
            advice = f"Check the way from {other.end} to {report.end}: the receiver of {report.end}, the cable, LLDP."
        elif report.expected:
            title = f"{report.end} sees no neighbour; {report.expected} is expected"
            advice = f"Check the cable between {report.end} and {report.expected}, and that both ports are up."
        else:
            continue
        results = _said((report, other), "peer", "expected")
        yield _finding(title, advice, results, {}, BOTH_ENDS_METHOD, ends=(report.end,))


def _dark(reports: Reports) -> Iterator[Finding]:
    """The two ends without a carrier where no other port lacks it, and nothing says what they are cabled to."""
    dark = [one for one in reports.values() if str(one.fields.get("carrier")) in NO_CARRIER]
    if len(dark) != len({one.end.device for one in dark}) or len(dark) != 2 or any(one.expected for one in dark):
        return
    first, second = sorted(one.end for one in dark)
    title = f"{first} and {second} have no carrier, and no other port: most likely they are the two ends of one cable"
    advice = f"Look at the cable between {first} and {second}, and whether one of these ports is switched off."
    results = [result for one in dark for result in one.said_in()]
    yield _finding(title, advice, results, {}, DARK_METHOD, ends=(first, second))


def _disagreeing(reports: Reports, everything: Reports) -> Iterator[Finding]:
    """Ends that name each other differently. The one that two others contradict is named, else both are."""
    told: set[frozenset[End]] = set()
    for report in reports.values():
        far = everything.get(report.peer) if report.peer else None
        if far is None or far.peer is None or far.peer == report.end or frozenset((report.end, far.end)) in told:
            continue
        told.add(frozenset((report.end, far.end)))
        third = everything.get(far.peer)
        figures = {str(report.end): str(report.peer), str(far.end): str(far.peer)}
        if third is not None and third.peer == far.end:
            title = (
                f"{report.end} disagrees with the rest: it sees {far.end}, but {far.end} and {third.end} see each other"
            )
            advice = f"Look at {report.end}: an old neighbour, a switch in between, or a wrong name."
            results = _said((report, far, third), "peer")
            yield _finding(title, advice, results, figures, BOTH_ENDS_METHOD, ends=(report.end,))
        else:
            title = f"{report.end} sees {far.end}, but {far.end} sees {far.peer}"
            advice = f"Follow the cable of {report.end}; run the test again once LLDP has forgotten old neighbours."
            results = _said((report, far), "peer")
            yield _finding(title, advice, results, figures, BOTH_ENDS_METHOD, ends=(report.end, far.end))


def _different_fields(reports: Reports) -> Iterator[Finding]:
    """Fields that both ends should have alike; the end whose value fewer others have is named."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for report in reports.values():
        for name, value in report.fields.items():
            if SAME.fullmatch(name):
                votes[name][str(value)] += 1
    for report, far in _pairs(reports):
        for name in sorted(report.fields.keys() & far.fields.keys()):
            ours, theirs = str(report.fields[name]), str(far.fields[name])
            if SAME.fullmatch(name) and ours != theirs:
                yield _different(name, report, far, votes[name])


def _different(name: str, report: Report, far: Report, votes: Counter[str]) -> Finding:
    first, second = sorted((report, far), key=lambda one: votes[str(one.fields[name])])  # the rarer value first
    ours, theirs = first.fields[name], second.fields[name]
    rare, common = votes[str(ours)], votes[str(theirs)]
    figures = {str(first.end): ours, str(second.end): theirs, "ends_alike": [rare, common]}
    results = _said((first, second), name)
    if common > rare:
        title = f"{first.end} has {name} {ours}, the other end {second.end} has {theirs}, as {common - 1} others have"
        advice = f"Set {name} of {first.end} to {theirs}, or find out why it is {ours}."
        return _finding(title, advice, results, figures, BOTH_ENDS_METHOD, ends=(first.end,))
    title = f"{first.end} has {name} {ours}, the other end {second.end} has {theirs}"
    advice = f"Set the same {name} at both ends."
    return _finding(title, advice, results, figures, BOTH_ENDS_METHOD, ends=(first.end, second.end))


def _counting(reports: Reports) -> Iterator[Finding]:
    """Counters of errors that a few ends have and the others have not: a link with errors at both ends is one."""
    by_name: dict[str, dict[End, float]] = defaultdict(dict)
    for report in reports.values():
        for name, value in report.fields.items():
            if ERRORS.fullmatch(name) and isinstance(value, int | float) and not isinstance(value, bool):
                by_name[name][report.end] = value
    for name, values in by_name.items():
        bad = {end: value for end, value in values.items() if value > 0}
        if len(values) >= LEAST_ENDS and len(bad) <= max(1, len(values) // 10):
            yield from (_errors(name, reports[end], bad, reports, values) for end in _once(bad, reports))


def _once(bad: Mapping[End, float], reports: Reports) -> list[End]:
    """The ends with errors, of a link with errors at both ends only the first one."""
    found: list[End] = []
    for end in bad:
        if reports[end].peer not in found:
            found.append(end)
    return found


def _errors(
    name: str, report: Report, bad: Mapping[End, float], reports: Reports, values: Mapping[End, float]
) -> Finding:
    far = reports.get(report.peer) if report.peer else None
    figures: dict[str, Any] = {str(report.end): bad[report.end], "ends_without": len(values) - len(bad)}
    start = f"{report.end} counts {name} {bad[report.end]:g}"
    rest = f"{len(values) - len(bad)} of {len(values)} ends count none"
    if far is not None and far.end in bad:
        figures[str(far.end)] = bad[far.end]
        title = f"{start}, and the other end {far.end} {bad[far.end]:g}; {rest}"
        advice = f"Change the cable between {report.end} and {far.end}: both of its ends see it."
    else:
        title = f"{start}; {rest}"
        at = f" and the transmitter of {report.peer}" if report.peer else ""
        advice = f"Clean or change the cable at {report.end}; then its receiver{at}."
    results = _said((report, far), name)
    return _finding(title, advice, results, figures, VOTE_METHOD, ends=(report.end,), grade=NOTABLE)


def _pairs(reports: Reports) -> Iterator[tuple[Report, Report]]:
    """The links whose two ends see each other, each once."""
    for report in reports.values():
        far = reports.get(report.peer) if report.peer else None
        if far is not None and far.peer == report.end and report.end < far.end:
            yield report, far
