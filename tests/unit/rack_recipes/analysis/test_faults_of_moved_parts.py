# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a fault followed a part by its serial number, or stayed where it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, run_id
from rack_recipes.analysis import faults_of_moved_parts
from rack_recipes.analysis.findings import ResultId

CASES = json.loads(Path(__file__).with_name("moved_parts.json").read_text())
KEY = "inventory.nic_v1"


def night(serials: Mapping[str, str], failed: Iterable[str], steps: Iterable[str] = ("link",), **fields: Any) -> Night:
    """Serial numbers by host, and the hosts on which all steps failed."""
    context = {(host, KEY): {"model": "X", "serial": serial} for host, serial in serials.items()}
    verdicts = {(step, host): "failed" if host in failed else "passed" for step in steps for host in ("r3", "r5")}
    return Night(context=context, verdicts=verdicts, **fields)


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_what_became_of_a_fault(case: dict[str, Any], history_of: Historian):
    nights = [night(case["before"], case["failed_before"]), night(case["now"], case["failed_now"])]
    history = history_of(nights)
    found = [*faults_of_moved_parts.findings(history.run, history)]
    assert [finding.title for finding in found] == ([case["title"]] if case["title"] else [])
    for finding in found:
        assert finding.grade == case["grade"]
        assert finding.advice == case.get("advice", finding.advice)
        assert finding.results[0] == ResultId(case["first"], "link")


def test_the_newest_run_with_the_part_elsewhere_counts(history_of: Historian):
    """Before the move the fault was in r3 in the last run, not in the first one."""
    old = {"r3": "A", "r5": "B"}
    nights = [night(old, ["r5"]), night(old, ["r3"]), night({"r3": "B", "r5": "A"}, ["r5"])]
    history = history_of(nights)
    [finding] = faults_of_moved_parts.findings(history.run, history)
    assert finding.figures == {
        "parts": {"A": ["r3", f"{KEY}.serial", "r5", f"{KEY}.serial"]}, "before": run_id(2),
    }  # fmt: skip
    assert finding.about == {"host": "r5", "step": "link", "name": f"{KEY}.serial", "value": "A"}


def test_parts_and_steps_that_go_together_are_one_finding(history_of: Historian):
    """Serial numbers deep in lists, and those of the inventory, which say where a whole chassis is."""

    def chassis(first: str, second: str) -> dict[str, Any]:
        return {"r3": {"serial_number": first}, "r5": {"serial_number": second}}

    steps = ("link", "load", "burn")
    before = night({"r3": "A", "r5": "B"}, ["r3"], steps, attributes=chassis("CA", "CB"))
    history = history_of([before, night({"r3": "B", "r5": "A"}, ["r5"], steps, attributes=chassis("CB", "CA"))])
    [finding] = faults_of_moved_parts.findings(history.run, history)
    assert finding.title == (
        "link and 2 more steps: the fault followed the part with serial number A and 1 more from r3 to r5"
    )
    assert finding.explains == 3


def test_a_first_run_and_a_run_without_serial_numbers_have_none(history_of: Historian):
    history = history_of([night({"r3": "A", "r5": "B"}, ["r3"])])
    assert not [*faults_of_moved_parts.findings(history.run, history)]
    bare = Night(verdicts={("link", "r3"): "failed"})
    history = history_of([bare, bare])
    assert not [*faults_of_moved_parts.findings(history.run, history)]
