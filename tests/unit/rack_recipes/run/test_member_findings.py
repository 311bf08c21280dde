# SPDX-License-Identifier: GPL-3.0-or-later

"""What a search between hosts says: who is to blame, who may be, and what it leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.plan.members.simulated_faults import (
    Faults,
    end,
    simulated,
)
from rack_recipes.analysis.actions import MONITOR, with_actions
from rack_recipes.analysis.findings_from_scriptlets import _finding
from rack_recipes.plan.members.isolate_faults import Isolation
from rack_recipes.plan.members.sides import Outcome
from rack_recipes.run.current_run import Run
from rack_recipes.run.member_findings import finding_of


class Plain:
    """A run without secrets."""

    @staticmethod
    def hidden(text: str) -> str:
        return text


def leaves(count: int, size: int = 4) -> dict[str, str]:
    return {f"n{place}": f"leaf{place // size}" for place in range(count)}


def told(isolation: Isolation) -> list[dict[str, Any]]:
    records = [
        {
            "step": f"search[{each.number}]",
            "verdict": "passed" if each.outcome.passed else "failed",
            "measurements": [{"name": "rate", "value": 100 if each.outcome.passed else 7, "unit": "Mbit/s"}],
        }
        for each in isolation.tried
    ]
    return finding_of(isolation, records, cast("Run", Plain()))


def searched(faults: Faults, domains: Mapping[str, str], largest: int = 0) -> list[dict[str, Any]]:
    return told(end(Isolation([*domains], domains, largest), simulated(faults, domains)))


def test_a_slow_node_is_named_with_the_tests_that_say_so() -> None:
    (found,) = searched(Faults(nodes=frozenset(["n5"])), leaves(12))
    assert found["title"].startswith("n5 is to blame for what failed between hosts (tests ")
    assert (found["grade"], found["figures"]["blamed"], found.get("suggestion")) == ("problem", ["n5"], None)
    assert found["results"]


def test_where_the_tests_cannot_tell_there_is_one_suggestion_with_all_candidates() -> None:
    """Nobody can say whose uplink it is where there are two; nothing is taken out of service for it."""
    (found,) = searched(Faults(uplinks=frozenset(["leaf1"])), leaves(8))
    assert found["title"] == (
        "the tests cannot tell who is to blame; "
        "candidates are what joins leaf1 to the others, what joins leaf0 to the others"
    )
    assert found["suggestion"] is True
    assert "blamed" not in found["figures"]
    finding = _finding("", "search", found)
    assert finding.suggestion
    assert [one.action for one in with_actions([finding], [])] == [MONITOR]


@pytest.mark.parametrize("largest", [0, 2])
def test_where_nothing_passed_it_says_to_look_at_the_step_first(largest: int) -> None:
    domains = leaves(16)
    found = told(end(Isolation([*domains], domains, largest), lambda tests: [Outcome(False)] * len(tests)))[0]
    assert found["title"].startswith("the tests cannot tell who is to blame; candidates are n")
    assert found["title"].endswith("and 8 more")
    assert found["advice"] == "No two hosts passed together: look at the step and at its limits first."


def test_of_pairs_it_says_plainly_what_it_misses() -> None:
    (found,) = searched(Faults(), leaves(16), 2)
    assert found["grade"] == "note"
    assert found["title"] == "a fault of one pair alone is mostly missed: 23 of 120 pairs were tested"
    assert [one["grade"] for one in searched(Faults(nodes=frozenset(["n5"])), leaves(16), 2)] == ["problem", "note"]


def test_what_failed_once_is_left_open_with_its_members() -> None:
    domains = leaves(12)
    isolation = Isolation([*domains], domains, 2)
    first, *rest = isolation.next_round()
    isolation.take([Outcome(False), *[Outcome(True)] * len(rest)])
    found = told(end(isolation, simulated(Faults(), domains)))[-1]
    assert found["title"] == (
        "1 test between hosts failed, and nobody is to blame: each suspect passed elsewhere; candidates are "
        f"{first.members[0]} and {first.members[1]} and what is between them"
    )
    assert (found["grade"], found["suggestion"]) == ("notable", True)
