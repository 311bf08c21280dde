# SPDX-License-Identifier: GPL-3.0-or-later

"""What failing pairs of hosts share: one sick server makes the matrix of every other one fail towards it.

Of a step between hosts each result names both ends. Another step that tests pairs measures `NAME.TARGET` for each of
its targets, such as `loss.10.1.3.15`: an address, a network, or the name of a host. Whose address that is, is told by
whoever has it (`fabric.address_v1`), and else by the matrix: each host tests all but itself.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.analysis.failed_and_blocked_results import Failures, is_of_search
from rack_recipes.analysis.findings import PROBLEM, SHOWN, Finding, ResultId, format_count
from rack_recipes.analysis.methods.failed_pairs import (
    ACROSS,
    ALL,
    BETWEEN,
    BEYOND,
    ENDS,
    FROM,
    LEAST_PAIRS,
    LEAST_SHARE,
    NODE,
    Explanation,
    Pair,
    Share,
    explain_pairs,
    stands_for,
)
from rack_recipes.analysis.run_data import RunData
from rack_recipes.natural_order import natural
from rack_recipes.store.result import planned_step

KIND = "cause"
METHOD = (
    "the fewest hosts, or groups of hosts, that nearly all failing pairs share and no passing ones contradict; "
    "no false alarms where no pair failed"
)
ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}(/[0-9]+)?|[0-9a-f]*:[0-9a-f:]+(/[0-9]+)?")
ADDRESS_KEY = "fabric.address_v1"
FAILED = "failed"
NOT_MEASURED = ("error", "unreachable")  # of a link: as a host that lacks a program gives on all of its links
SAID, SAYING = 160, 2  # characters of what a host said itself, and how many hosts are quoted
WAYS = {
    ENDS: "lead to or from {it}",
    FROM: "lead from {it}; the way to {it} works",
    "to": "lead to {it}; the way from {it} works",
    BEYOND: "lead to or from {it} beyond its {attribute}; those inside of it pass",
    ACROSS: "lead from {it} to {other}",
    BETWEEN: "lead from one {attribute} to another; those inside of one pass",
    ALL: "are all pairs that were tried",
}
LOOK_AT_NODE = (
    "Look at {it}, not at the hosts that test it: its address, its routes, its gateway and its port, and the port at "
    "the other end of its cable."
)
LOOK_AT_GROUP = "Look at what {it} share: their switch, its uplinks, what it forwards and announces."
LOOK_BETWEEN = (
    "Look at what lies between one {attribute} and another: the switches there, what they forward, their links."
)
LOOK_AT_SAID = "Begin with {it}, where other steps failed."
LOOK_AT_ALL = "Look at what all of these hosts share: their network, and the step's arguments."


@dataclass
class _Matrix:
    """The pairs of one planned step: which failed and which passed, and the results that tell of each one.

    Of a link there are `ways` pairs: 2 where its result is about both ways, so that no way is blamed alone.
    """

    failed: dict[Pair, set[ResultId]] = field(default_factory=lambda: defaultdict(set))
    passed: set[Pair] = field(default_factory=set)
    ways: int = 1


@dataclass
class _Cause:
    """What several steps say of the same share."""

    explanations: list[Explanation] = field(default_factory=list)
    ways: list[int] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    results: dict[ResultId, None] = field(default_factory=dict)


def findings(run: RunData, failures: Failures, groups: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """What the failing pairs of a run share, the cause of most first. `groups` has by attribute the value of each host.

    The results of a finding are those of pairs, and the other failed results of the hosts that it names.
    """
    matrices = _matrices(run)
    causes: dict[Share, _Cause] = defaultdict(_Cause)
    # What nearly every flow sees, a step with one flow for a pair sees in part: the fullest matrix is read first.
    for step, matrix in sorted(matrices.items(), key=lambda one: -len(one[1].failed)):
        known = dict.fromkeys(one.share for cause in causes.values() for one in cause.explanations)
        told = _explained(matrix, known, groups)
        whole = _explained_results(matrix, told)
        for one in told:
            cause = causes[_merged(one.share, matrix.ways)]
            cause.explanations.append(one)
            cause.ways.append(matrix.ways)
            cause.steps.append(step)
            cause.results |= dict.fromkeys(
                sorted(result for pair in one.pairs for result in matrix.failed[pair] if result in whole)
            )
    # What a switch tells of its ways to networks is no matrix of hosts, unless it explains something.
    used = [matrices[step] for step in {step for cause in causes.values() for step in cause.steps}]
    tested = {pair.source for matrix in used for pair in (*matrix.failed, *matrix.passed)}
    of_pairs = {result for matrix in used for results in matrix.failed.values() for result in results}
    own = [result for result in failures.failed if result.host and result not in of_pairs]
    # A step of a switch that failed beside pairs over that switch says more than the pairs do.
    between = [result for result in own if result.host not in tested]
    for share, cause in sorted(causes.items(), key=lambda one: -len(one[1].results)):
        if cause.results and (between or share.way != ALL):
            yield _finding(share, cause, failures, groups, run, _said(share, groups, own, between))


def _explained(
    matrix: _Matrix, known: Collection[Share], groups: Mapping[str, Mapping[str, str]]
) -> Sequence[Explanation]:
    """What explains the failures of a step: what other steps have told whole, else its own, else what they have told.

    A step with one flow for a pair sees a part of what fails, which shares nothing: other flows take another way.
    """
    before = _told_before(matrix, known, groups)
    if before and all(one.share.way == BETWEEN or one.failed >= LEAST_SHARE * one.of for one in before):
        return before
    own = explain_pairs(matrix.failed.keys(), matrix.passed, groups, LEAST_PAIRS * matrix.ways)
    is_whole = sum(len(one.pairs) for one in own) == len(matrix.failed)
    return own if is_whole or not before else before


def _told_before(
    matrix: _Matrix, known: Iterable[Share], groups: Mapping[str, Mapping[str, str]]
) -> Sequence[Explanation]:
    """What other steps have told, where that explains all that failed here; else nothing."""
    found: list[Explanation] = []
    left, everything = {*matrix.failed}, matrix.failed.keys() | matrix.passed
    for share in known:
        if own := frozenset(pair for pair in left if stands_for(share, pair, groups)):
            of = sum(stands_for(share, pair, groups) for pair in everything)
            found.append(Explanation(share, own, len(own), of))
            left -= own
    return [] if left else found


def _merged(share: Share, ways: int) -> Share:
    """Steps of one way and of both ways are about the same node or group."""
    if share.way == ACROSS and ways > 1:
        value, other = sorted((share.value, share.other))
        return share._replace(value=value, other=other)
    return share if share.way in (ACROSS, BEYOND, BETWEEN, ALL) else share._replace(way=ENDS)


def _explained_results(matrix: _Matrix, told: Sequence[Explanation]) -> set[ResultId]:
    """The results all of whose failing pairs are explained."""
    explained = {pair for one in told for pair in one.pairs}
    open_results = {result for pair, results in matrix.failed.items() if pair not in explained for result in results}
    return {result for pair in explained for result in matrix.failed[pair]} - open_results


# The pairs that steps tell of.
def _matrices(run: RunData) -> dict[str, _Matrix]:
    """The pairs of each step of which some failed, by planned step."""
    steps = {
        row.get("planned") or row["step"]
        for row in run.measurements
        if row.get("verdict") == FAILED and "." in row["name"]
    }
    found = _between_hosts(run)
    if not steps:
        return found
    rows = [
        (row.get("planned") or row["step"], row["host"], row["name"].partition(".")[2], row)
        for row in run.measurements
        if row.get("verdict") and (row.get("planned") or row["step"]) in steps
    ]
    hosts = {row["host"] for row in run.steps if row["host"]}
    owners = _owners(run, hosts, rows)
    for step, host, target, row in rows:
        if host and (owner := owners.get((step, target), "")) and owner != host:
            pair = Pair(host, owner)
            found.setdefault(step, _Matrix())
            if row["verdict"] == FAILED:
                found[step].failed[pair].add(ResultId(host, row["step"]))
            else:
                found[step].passed.add(pair)
    return _with_failures(found)


def _with_failures(found: Mapping[str, _Matrix]) -> dict[str, _Matrix]:
    """The matrices in which pairs failed. A pair that failed once has not passed."""
    for matrix in found.values():
        matrix.passed -= matrix.failed.keys()
    return {step: matrix for step, matrix in found.items() if matrix.failed}


def searched(run: RunData) -> set[ResultId]:
    """The results that failed in a search for who is to blame, which has findings of its own."""
    rows = run.steps if run.steps and "members" in run.steps[0] else ()
    return {ResultId(row["host"], row["step"]) for row in rows if row["verdict"] == FAILED and is_of_search(row)}


def _between_hosts(run: RunData) -> dict[str, _Matrix]:
    """The pairs of steps of scope pair, whose results name both ends; a search chose its pairs, and says so itself."""
    found: dict[str, _Matrix] = {}
    for row in run.steps if run.steps and "members" in run.steps[0] else ():
        members = row["members"] or ()
        bad = row["verdict"] == FAILED or row["verdict"] in NOT_MEASURED
        if len(members) == 2 and (bad or row["verdict"] in PASSING) and not is_of_search(row):
            matrix = found.setdefault(planned_step(row), _Matrix(ways=2))
            for pair in (Pair(*members), Pair(*reversed(members))):
                if bad:
                    matrix.failed[pair].add(ResultId(row["host"], row["step"]))
                else:
                    matrix.passed.add(pair)
    return _with_failures(found)


def _owners(
    run: RunData, hosts: Collection[str], rows: Sequence[tuple[str, str, str, object]]
) -> dict[tuple[str, str], str]:
    """Whose each target of each step is; the target itself where nobody is known to have it."""
    told = {
        str(row["value"]["address"]): row["host"]
        for row in run.context
        if row["key"] == ADDRESS_KEY and isinstance(row["value"], dict) and row["value"].get("address")
    }
    asked: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for step, host, target, _row in rows:
        if host and (target in hosts or ADDRESS.fullmatch(target)):
            asked[step][host].add(target)
    for step, by_host in asked.items():
        told = {**_left_out(step, by_host, run), **told}
    return {
        (step, target): target if target in hosts else told.get(target, target)
        for step, by_host in asked.items()
        for targets in by_host.values()
        for target in targets
    }


def _left_out(step: str, by_host: Mapping[str, set[str]], run: RunData) -> dict[str, str]:
    """The address that each host alone does not ask is its own; the last one is that of the host that asked nobody."""
    everything = set().union(*by_host.values())
    missing = {host: everything - targets for host, targets in by_host.items()}
    counts = Counter(address for left in missing.values() if len(left) == 1 for address in left)
    found = {address: host for host, left in missing.items() for address in left if counts[address] == len(left) == 1}
    silent = {row["host"] for row in run.steps if planned_step(row) == step and row["host"]} - by_host.keys()
    unknown = everything - found.keys()
    return {**found, **(dict(zip(unknown, silent, strict=True)) if len(silent) == len(unknown) == 1 else {})}


# In words.
def _finding(
    share: Share, cause: _Cause, failures: Failures, groups: Mapping[str, Mapping[str, str]], run: RunData,
    said: Sequence[ResultId],
) -> Finding:  # fmt: skip
    members = _members(share, groups)
    told = [*zip(cause.explanations, cause.ways, strict=True)]
    pairs = round(sum(len(one.pairs) / ways for one, ways in told))
    of = round(sum(one.of / ways for one, ways in told))
    *names, last = dict.fromkeys(cause.steps)
    steps = f"{', '.join(names)} and {last}" if names else last
    ways = {one.share.way for one in cause.explanations}
    way = ways.pop() if len(ways) == 1 else ENDS
    words = {
        "it": _name(share, members),
        "attribute": share.attribute,
        "other": f"those of {_with_word(share.attribute, share.other)}",
    }
    lead = WAYS[way if share.way == ENDS else share.way].format(**words)
    counted = "" if share.way == ALL else f" ({pairs} of {of} such pairs failed)"
    title = f"{format_count(pairs, 'failing pair')} of {steps} {lead}{counted}"
    title += _own_words(run, said)
    results = (*cause.results, *said)
    blocked = failures.blocked_by(results)
    about = {"host": share.value} if _is_node(share) else {"attribute": share.attribute, "value": share.value}
    figures = {"failed_pairs": pairs, "pairs": of, "failures": len(results), "of_failures": len(failures.failed)}
    advice = _advice(share, words, members, [*dict.fromkeys(result.host for result in said)])
    everything = (*results, *blocked)
    # A node that says itself what is wrong comes before steps that failed on every host, which name nobody.
    is_told = _is_node(share) and any(result.host == share.value for result in said)
    explains = max(len(everything), len(failures.failed)) if is_told else len(everything)
    return Finding(KIND, PROBLEM, title, everything, advice, figures, about, METHOD, explains=explains)


def _said(
    share: Share, groups: Mapping[str, Mapping[str, str]], own: Sequence[ResultId], between: Sequence[ResultId]
) -> Sequence[ResultId]:
    """The other failed results that say why: of the hosts in question, or where these have none, of what is between."""
    members = _members(share, groups)
    of_members = [result for result in own if result.host in members]
    return of_members if of_members or _is_node(share) else between


def _is_node(share: Share) -> bool:
    return share.attribute == NODE or share.way == BEYOND


def _members(share: Share, groups: Mapping[str, Mapping[str, str]]) -> list[str]:
    if _is_node(share):
        return [share.value]
    if share.way != ENDS:
        return []
    # The switch that a group is called after is one of it.
    hosts = {host for host, value in groups[share.attribute].items() if value == share.value} | {share.value}
    return sorted(hosts, key=natural)


def _name(share: Share, members: Sequence[str]) -> str:
    if _is_node(share):
        return share.value
    hosts = [host for host in members if host != share.value]
    more = f", {len(hosts) - SHOWN} more" if len(hosts) > SHOWN else ""
    return (
        f"hosts of {_with_word(share.attribute, share.value)}{f' ({", ".join(hosts[:SHOWN])}{more})' if hosts else ''}"
    )


def _with_word(attribute: str, value: str) -> str:
    return value if value.lower().startswith(attribute.lower()) else f"{attribute} {value}"


def _own_words(run: RunData, said: Sequence[ResultId]) -> str:
    """What the hosts in question say themselves: the first step that failed on each of the first ones."""
    reasons = {ResultId(row["host"], row["step"]): row.get("reason") or "" for row in run.steps}
    told: dict[str, str] = {}
    for result in said:
        if reasons.get(result):
            told.setdefault(result.host, f"; {result.host} says at {result.step}: {reasons[result][:SAID]}")
    return "".join([*told.values()][:SAYING])


def _advice(share: Share, words: Mapping[str, str], members: Sequence[str], blamed: Sequence[str]) -> str:
    if blamed and not {*blamed} & {*members}:
        return LOOK_AT_SAID.format(it=" and ".join(blamed[:SHOWN]))
    if share.way == ALL:
        return LOOK_AT_ALL
    if share.way == BETWEEN:
        return LOOK_BETWEEN.format(**words)
    return (LOOK_AT_NODE if _is_node(share) else LOOK_AT_GROUP).format(**words)
