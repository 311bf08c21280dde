# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan against what ports see: each fault is told once, with what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.plugins.plugin_utils.cabling.compare_plan import KINDS, Finding, Seen, compare
from ansible_collections.rack.recipes.plugins.plugin_utils.cabling.plan_model import Cable, CablingPlan, End, Position

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


def test_as_json():
    [told] = compare(PLAN, seen_in(CASES[4])).findings
    assert told.to_data()["ends"] == ["leaf1:swp2", "server1:eth1"]
    assert told.to_data()["labels"] == ["L3"]
