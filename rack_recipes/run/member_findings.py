# SPDX-License-Identifier: GPL-3.0-or-later

"""What a search between hosts has found, as findings: who is to blame, by which tests, and beside which good values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.journal.record_fields import BLAMED, Record
from rack_recipes.plan.members.isolate_faults import MISSED_BY_PAIRS, Isolation
from rack_recipes.plan.members.sides import LINK, NODE, UPLINK, Conviction, unexplained
from rack_recipes.run.current_run import RUN_HOST, Run

TITLES = {
    NODE: "{it} is to blame for what failed between hosts",
    LINK: "the link between {it} is to blame, and neither end alone",
    UPLINK: "what joins {it} to the others is to blame: its hosts pass among themselves",
}
ADVICE = {
    NODE: "Look at the cards, cables and counters of {it}; it failed beside a host that is good.",
    LINK: "Look at what only these two share: a cable, a path, a port. Each passes beside others.",
    UPLINK: "Look at the uplinks and the switch of {it}.",
}
METHOD = (
    "Adaptive group testing: domains, one host of each, halves of what failed, each suspect beside a good host, all "
    "together, suspects beside each other. A fault of one pair alone, or one that comes and goes, can escape it."
)
OTHERS = "Test them beside other hosts that are good. Look at what each shares with those it failed beside."
NOTHING_PASSED = "No two hosts passed together: look at the step and at its limits first."
MOST = 3  # values that a finding shows
NAMED, LONGEST = 8, 500  # candidates, and letters of a title


def finding_of(isolation: Isolation, records: Sequence[Record], run: Run) -> list[dict[str, Any]]:
    """The findings of a search, in the form in which an attempt holds them."""
    found = [_of(one, isolation, records) for one in isolation.convicted if not one.is_candidate]
    found += [*_candidates(isolation, records), *_open(isolation, records)]
    return [{**each, "title": run.hidden(each["title"])} for each in found]


def _candidates(isolation: Isolation, records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """Those of whom some are to blame, and the tests cannot tell which."""
    found = [one for one in isolation.convicted if one.is_candidate]
    names = [_named(one) if one.kind == NODE else f"what joins {_named(one)} to the others" for one in found]
    numbers = sorted({number for one in found for number in one.tests if number <= len(records)})
    if found:
        yield {
            "title": f"the tests cannot tell who is to blame; candidates are {first_few(names, NAMED)}"[:LONGEST],
            "grade": "problem",
            "results": [[RUN_HOST, records[number - 1]["step"]] for number in numbers],
            "figures": {"tests": len(isolation.tried), "candidates": len(found)},
            "advice": OTHERS if isolation.sides.anchor else NOTHING_PASSED,
            "method": METHOD,
            "suggestion": True,
        }


def _named(one: Conviction) -> str:
    if one.kind == LINK:
        return " and ".join(one.members)
    return one.domain if one.kind == UPLINK and one.domain else first_few([*one.members], MOST + 1)


def _of(one: Conviction, isolation: Isolation, records: Sequence[Record]) -> dict[str, Any]:
    it = _named(one)
    by = [records[number - 1] for number in one.tests if number <= len(records)]
    rounds = first_few([record["step"].partition("[")[2].rstrip("]") for record in by], MOST + 1)
    values = "".join(f"; {text}" for text in _values(by, records))
    return {
        "title": f"{TITLES[one.kind].format(it=it)} (tests {rounds}){values}"[:LONGEST],
        "grade": "problem",
        "results": [[RUN_HOST, record["step"]] for record in by],
        "figures": {
            "tests": len(isolation.tried),
            "rounds": max((each.round for each in isolation.tried), default=0),
            **({BLAMED: [*one.members]} if one.kind == NODE else {}),
        },
        "advice": ADVICE[one.kind].format(it=it),
        "method": METHOD,
    }


def _values(by: Sequence[Record], records: Sequence[Record]) -> Iterator[str]:
    """What was measured in the last test that convicts, beside the median of the tests that passed."""
    good: dict[str, list[float]] = {}
    for record in records:
        for each in record["measurements"] if record["verdict"] == "passed" else ():
            if isinstance(each["value"], (int, float)):
                good.setdefault(each["name"].partition(".")[0], []).append(each["value"])
    shown = [each for record in by[-1:] for each in record["measurements"] if each.get("verdict") == "failed"]
    for each in shown[:MOST]:
        usual = good.get(each["name"].partition(".")[0])
        beside = f", {median(usual):g} between good hosts" if usual else ""
        yield f"{each['name']} {each['value']} {each.get('unit', '')}{beside}"


def _open(isolation: Isolation, records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """What a search leaves open: pairs that nobody has tested, and tests that failed by nothing that is to blame."""
    measured = {frozenset(each.test.members) for each in isolation.tried if each.outcome.passed is not None}
    pairs = len(isolation.hosts) * (len(isolation.hosts) - 1) // 2
    if isolation.largest and 0 < len(measured) < pairs:
        yield {
            "title": f"{MISSED_BY_PAIRS}: {len(measured)} of {pairs} pairs were tested",
            "grade": "note",
            "results": [],
            "figures": {"tests": len(measured), "pairs": pairs},
            "advice": "Test all pairs (members: all) where that matters.",
            "method": METHOD,
        }
    convicted = isolation.convicted
    if left := unexplained(isolation.sides, isolation.tried, convicted):
        few = left[0].test.members
        what = "none has a host that is to blame" if convicted else "nobody is to blame: each suspect passed elsewhere"
        said = f"; candidates are {' and '.join(few)} and what is between them" if len(few) <= MOST else ""
        yield {
            "title": f"{len(left)} test{'' if len(left) == 1 else 's'} between hosts failed, and {what}{said}",
            "grade": "notable",
            "results": [[RUN_HOST, records[each.number - 1]["step"]] for each in left if each.number <= len(records)],
            "figures": {"tests": len(isolation.tried)},
            "advice": "A fault of one pair alone is possible, or one that comes and goes: test all pairs.",
            "method": METHOD,
            "suggestion": True,
        }
