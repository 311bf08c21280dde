# SPDX-License-Identifier: GPL-3.0-or-later

"""The word of what is to be done about a finding, and the rule that chose it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rack_recipes.analysis.actions import (
    ACTIONS,
    RULES,
    UNEXPLAINED,
    HostAction,
    actions_by_host,
    choose_action,
    failing_results,
    read_action,
    with_actions,
)
from rack_recipes.analysis.findings import PROBLEM, Finding, ResultId, finding_from_row, finding_to_record

CASES = yaml.safe_load(Path(__file__).with_name("actions.yml").read_text(encoding="utf-8"))
PAGE = (Path(__file__).resolve().parents[4] / "docs/findings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES["findings"], ids=str)
def test_the_first_rule_that_fits_decides(case: dict[str, Any]) -> None:
    told = {
        "grade": PROBLEM,
        **{name: case[name] for name in ("kind", "grade", "advice", "about", "suggestion") if name in case},
    }
    results = [(verdict, reason) for verdict, reason in case.get("results", [["failed", "7 GPUs"]])]
    chosen = choose_action(Finding(title="x", **told), results)
    assert chosen.action == case["action"]
    assert chosen.rule.startswith(case.get("rule", ""))


@pytest.mark.parametrize("reason", CASES["reasons"])
def test_what_a_reason_tells_to_do_first(reason: str) -> None:
    assert read_action([reason]) == CASES["reasons"][reason]


def test_every_rule_is_used_by_a_case() -> None:
    used = {rule.why for rule in RULES for case in CASES["findings"] if rule.why.startswith(case.get("rule", "-"))}
    assert {rule.why for rule in RULES} == used


def test_only_results_that_were_tried_and_did_not_pass_count() -> None:
    rows = [{"host": "r1", "step": step, "verdict": verdict, "reason": reason} for step, verdict, reason in (
        ("gpu", "failed", "replace the GPU"), ("disk", "skipped", "replace the drive"), ("nic", "passed", None),
        ("next", "blocked", "gpu did not pass (failed)"), ("hung", "error", None),
    )]  # fmt: skip
    assert failing_results(rows) == {
        ResultId("r1", "gpu"): ("failed", "replace the GPU"),
        ResultId("r1", "hung"): ("error", ""),
    }
    finding = Finding(
        "regression", PROBLEM, "x", (ResultId("r1", "gpu", "retired"), ResultId("r1", "disk"), ResultId("r1", "gone"))
    )
    assert [one.action for one in with_actions([finding], rows)] == ["replace"]


def test_the_store_keeps_what_was_chosen() -> None:
    chosen = Finding(
        "drift", PROBLEM, "x", (ResultId("r1", "gpu"),), about={"host": "r1"}, action="monitor", rule="it holds"
    )
    assert finding_from_row(finding_to_record(chosen)) == chosen


def test_the_action_about_a_host_is_the_gravest_of_its_results() -> None:
    rows = [{"host": host, "step": step, "verdict": verdict, "reason": reason} for host, step, verdict, reason in (
        ("r1", "gpu", "failed", "reset the GPU"), ("r1", "disk", "failed", "replace the drive"),
        ("r2", "gpu", "failed", "reset the GPU"), ("r3", "gpu", "error", "no tool"), ("r4", "net", "failed", "slow"),
        ("r5", "gpu", "passed", None), ("r6", "gpu", "unreachable", "Permission denied"),
        ("", "all", "failed", "replace it"),
    )]  # fmt: skip
    shared = Finding("cause", PROBLEM, "x", (ResultId("r2", "gpu"),), action="isolate", rule="the hosts share it")
    noted = Finding("cause", "notable", "x", (ResultId("r4", "net"),), action="monitor", rule="it is notable")
    assert actions_by_host([shared, noted], rows) == [
        HostAction("r1", "replace", UNEXPLAINED, {"gpu": "reset the GPU", "disk": "replace the drive"}),
        HostAction("r2", "isolate", "the hosts share it", {"gpu": "reset the GPU"}),
        HostAction("r3", "monitor", UNEXPLAINED, {"gpu": "no tool"}),
        HostAction("r4", "isolate", UNEXPLAINED, {"net": "slow"}),
        HostAction("r6", "monitor", UNEXPLAINED, {"gpu": "Permission denied"}),
    ]


def test_a_host_that_a_search_blames_has_its_action_though_no_result_is_its_own() -> None:
    row = {"host": "", "step": "link[1: r1, r2]", "verdict": "failed", "reason": "slow", "members": ["r1", "r2"]}
    results = (ResultId("", "link[1: r1, r2]"),)
    found = Finding(
        "own",
        PROBLEM,
        "r2 is to blame",
        results,
        figures={"blamed": ["r2", "elsewhere"]},
        about={"step": "link"},
        action="isolate",
        rule="y",
    )
    assert actions_by_host([found], [row]) == [HostAction("r2", "isolate", "y", {"link": "r2 is to blame"})]


def test_the_page_has_every_word_and_every_rule() -> None:
    assert [word for word in ACTIONS if f"| `{word}` |" not in PAGE] == []
    assert [rule.why for rule in RULES if f"| {rule.why} |" not in PAGE] == []
