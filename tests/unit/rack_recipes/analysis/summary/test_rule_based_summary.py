# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.summary.sample_run import (
    CAUSE,
    FINDINGS,
    OUTLIER,
    a_run,
    result,
)
from rack_recipes.analysis.findings import RULES, Finding, ResultId
from rack_recipes.analysis.summary.write_summary import by_rules


def titles(found: list[Finding]) -> list[str]:
    return [one.title for one in found]


def test_what_became_of_the_run_comes_first_and_what_to_do_next_last() -> None:
    assert titles(by_rules(a_run(), FINDINGS)) == [
        "The run ended as failed. 3 of 6 results did not pass, on 2 of 3 hosts.",
        "1 planned result was not run.",
        "3 results on leaf1 failed together.",
        "r02-u01 has 9214.7 MB/s, its twins have 12000.",
        "Next: look at leaf1 and at its uplink.",
    ]


def test_a_run_that_passed() -> None:
    run = a_run(result("r1", "a"), result("r1", "b", "cached"), status="passed")
    assert titles(by_rules(run, [])) == [
        "The run ended as passed. Of 2 results on 1 host, all passed.",
        "0 planned results were not run.",
        "The analysis has found nothing that stands out.",
    ]


def test_it_cites_the_results_that_did_not_pass_or_all() -> None:
    bad = (ResultId("r01-u07", "link"), ResultId("r01-u08", "link"), ResultId("r01-u08", "rate"))
    found = by_rules(a_run(), FINDINGS)
    assert [one.results for one in found] == [bad, bad, CAUSE.results, OUTLIER.results, CAUSE.results]
    assert found[0].figures["not_passed"] == 3
    assert found[2].figures == CAUSE.figures
    passed = by_rules(a_run(result("r1", "a"), status="passed"), [])
    assert {one.results for one in passed} == {(ResultId("r1", "a"),)}


@pytest.mark.parametrize("number", range(8))
def test_there_are_three_to_six_sentences_each_with_results(number: int) -> None:
    findings = [replace(CAUSE, title=f"finding {n}") for n in range(number)]
    found = by_rules(a_run(), findings)
    assert 3 <= len(found) <= 6
    assert all(one.results and one.kind == "summary" and one.grade == "note" for one in found)
    assert all(one.origin == RULES and not one.suggestion for one in found)


def test_an_earlier_summary_is_no_finding() -> None:
    earlier = Finding("summary", "note", "what a model said")
    assert titles(by_rules(a_run(), [earlier])) == titles(by_rules(a_run(), []))


def test_a_run_without_any_result() -> None:
    run = replace(a_run(), steps=())
    assert titles(by_rules(run, []))[0] == "The run ended as failed. Of 0 results on 0 hosts, all passed."
