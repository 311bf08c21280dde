# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan against what ports see: each fault is told once, with what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.cabling.compare_and_learn import KINDS, Finding, Seen, compare, learn_plan
from rack_recipes.cabling.plan_model import Cable, CablingPlan, End, Position

CASES = yaml.safe_load(Path(__file__).with_name("comparisons.yml").read_text(encoding="utf-8"))
CABLES = (
    ("spine1:swp1", "leaf1:swp1"),
    ("spine1:swp2", "leaf2:swp1"),
    ("leaf1:swp2", "server1:eth1"),
    ("leaf1:swp3", "server2:eth1"),
    ("leaf2:swp2", "server3:eth1"),
    ("leaf2:swp3", "server4:eth1"),
)


def end(text: str) -> End:
    found = End.of(text)
    assert found
    return found


PLAN = CablingPlan(
    tuple(Cable(end(a), end(b), f"L{number}") for number, (a, b) in enumerate(CABLES, 1)),
    {"leaf2": Position("r1", 41)},
)


def seen_in(case: dict[str, Any]) -> Seen:
    asked = frozenset(case.get("asked", PLAN.ports))
    found = {one: (cable.other(one),) for one, cable in PLAN.at.items() if one.device in asked}
    found |= {end(port): tuple(map(end, sees)) for port, sees in case.get("seen", {}).items()}
    return Seen(asked, found)


def in_words(finding: Finding) -> str:
    return f"{finding.kind}: {finding.title} | {finding.advice} | {', '.join(finding.labels)}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_what_is_told(case: dict[str, Any]):
    found = compare(PLAN, seen_in(case))
    assert [*map(in_words, found.findings)] == case.get("told", [])
    assert (found.good, len(found.unchecked)) == (case["good"], case.get("unchecked", 0))


def test_every_kind_is_tried():
    told = {line.partition(":")[0] for case in CASES for line in case.get("told", [])}
    assert told == set(KINDS)


LARGE = CablingPlan(tuple(Cable(End(f"leaf{n // 4}", f"swp{n % 4}"), End(f"server{n}", "eth1")) for n in range(12)))


def recabled(order: list[int], silent: set[int]) -> Seen:
    """What is seen where the servers' ends of the cables have changed places, and some servers do not answer."""
    pairs = {cable.a: LARGE.cables[order[number]].b for number, cable in enumerate(LARGE.cables)}
    found = {near: (far,) for near, far in [*pairs.items(), *((far, near) for near, far in pairs.items())]}
    asked = {device for device in LARGE.ports if device not in {f"server{number}" for number in silent}}
    return Seen(frozenset(asked), {one: sees for one, sees in found.items() if one.device in asked})


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)))
def test_each_cable_that_was_moved_is_told_and_no_other(order: list[int], silent: set[int]):
    found = compare(LARGE, recabled(order, silent))
    moved = {LARGE.cables[number] for number, at in enumerate(order) if number != at}
    told = {cable for finding in found.findings for one in finding.ends if (cable := LARGE.at.get(one))}
    assert told == moved
    assert found.good == len(LARGE.cables) - len(moved)
    pairs = {frozenset((number, at)) for number, at in enumerate(order) if number < at and order[at] == number}
    assert sum(finding.kind == "swapped" for finding in found.findings) == len(pairs)


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)))
def test_what_is_learned_is_as_it_is_seen(order: list[int], silent: set[int]):
    seen = recabled(order, silent)
    plan, doubts = learn_plan(seen)
    assert (compare(plan, seen).findings, doubts) == ((), ())
    assert len(plan.cables) == 12
    assert sum(bool(cable.review) for cable in plan.cables) == len(silent)


def test_as_json():
    [told] = compare(PLAN, seen_in(CASES[4])).findings
    assert told.to_data()["ends"] == ["leaf1:swp2", "server1:eth1"]
    assert told.to_data()["labels"] == ["L3"]
