# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures, and the page of them."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Size
from ansible_collections.rack.recipes.tests.bench.fleet.page import medians_and_ratios, performance_page
from ansible_collections.rack.recipes.tests.unit.bench.fleet.sample_runs import BLANK, made_runs


def test_spread() -> None:
    assert medians_and_ratios.spread([3, 1, 2]) == medians_and_ratios.Spread(2, 1, 3, 3)
    assert medians_and_ratios.spread([]) is None


def test_ratio_pairs_the_rounds() -> None:
    runs = made_runs(ours=[1, 2, 4], plain=[10, 40, 60])
    assert medians_and_ratios.ratio(runs, "plain", "ours", medians_and_ratios.SMALL) == medians_and_ratios.Spread(
        15, 10, 20, 3
    )
    assert medians_and_ratios.ratio(runs, "plain", "ours", medians_and_ratios.BIG) is None
    assert medians_and_ratios.ratio(runs, "mitogen", "ours", medians_and_ratios.SMALL) is None


def test_warm_up_and_errors_count_for_nothing() -> None:
    runs = made_runs(ours=[1, 2, 4], plain=[10, 40, 60])
    runs[0] = dataclasses.replace(runs[0], error="half done")
    runs += [dataclasses.replace(run, round=0, wall=99.0) for run in runs]
    assert medians_and_ratios.ratio(runs, "plain", "ours", medians_and_ratios.SMALL) == medians_and_ratios.Spread(
        17.5, 15, 20, 2
    )


def test_goal_against_the_floor() -> None:
    runs = made_runs(ours=[2], floor=[1], noop=[0.5])
    found = medians_and_ratios.against_floor(runs, medians_and_ratios.SMALL)
    assert found
    assert found == medians_and_ratios.Spread(0.8, 0.8, 0.8, 1)
    goal = medians_and_ratios.Goal("", medians_and_ratios.SMALL, 1, medians_and_ratios.against_floor, at_most=True)
    assert goal.reached(found)


def test_goals_of_the_recorder() -> None:
    few = dataclasses.replace(BLANK, contestant="recorder", hosts=32, steps=20, recorder_cpu=0.30)
    many = dataclasses.replace(few, steps=100, controller_cpu=2.0, target_cpu=4.0, recorder_cpu=0.36)
    share, slope = (
        value([few, many], medians_and_ratios.BIG)
        for value in (medians_and_ratios.recorder_share, medians_and_ratios.recorder_slope)
    )
    assert share
    assert share.median == pytest.approx(0.36 / (0.03 * 6 + 0.3))
    assert slope
    assert slope.median == pytest.approx(1e6 * 0.06 / (32 * 80))
    assert medians_and_ratios.recorder_share([many], Size(1, 20)) is None


def test_growth_with_the_number_of_hosts(findings: performance_page.Findings) -> None:
    run = dataclasses.replace(BLANK, contestant="many", controller_cpu=4.0, at_once=64, memory_kib=512 * 1024)
    runs = [
        dataclasses.replace(run, hosts=100, wall=9.5),
        dataclasses.replace(run, hosts=1000, wall=80.0, controller_cpu=45.0, max_rss_kib=90 * 1024),
    ]
    part = dataclasses.replace(findings, contestants={"many": "the command"}, versions={"many": {}}, runs=runs)
    text = performance_page.page(performance_page.joined([findings, part]))
    assert "| 100 x 20 | 9.50 | 4.00 | 40.0 | 1.00 | 512 | 64.0 | - |\n" in text
    assert "| 1000 x 20 | 80.0 | 45.0 | 45.0 | 90.0 | 512 | 64.0 | 45.6 |\n" in text
    assert "| controller's CPU a host | 1000 x 20 | at most 50 ms | 45.0 | reached |" in text
    assert "| the command |" in text
    assert text.count("| 1000 x 20 |") == 3  # the goal, the growth, fewer rounds: a row of its own in no other table
    assert "## Many hosts" not in performance_page.page(findings)


def test_figures_of_many_hosts_are_replaced_by_later_ones(findings: performance_page.Findings) -> None:
    run = dataclasses.replace(BLANK, contestant="many", hosts=100)
    slow, fast = (
        dataclasses.replace(findings, contestants={"many": ""}, runs=[dataclasses.replace(run, wall=wall)])
        for wall in (9.0, 8.0)
    )
    once = performance_page.joined([findings, slow])
    again = performance_page.joined([once, fast])
    assert [run.wall for run in again.runs if run.contestant == "many"] == [8.0]
    time = "2026-01-01T00:00:00+00:00 to 2026-01-01T01:00:00+00:00"
    assert again.machine["benches joined"] == f"3: {time}; {time}; {time}"


def test_figures_survive_json(findings: performance_page.Findings) -> None:
    assert performance_page.from_json(performance_page.to_json(findings)) == findings


@pytest.mark.parametrize(
    "line",
    [
        "| plain Ansible | python 3.13.5, ansible-core 2.21.5 |",
        "| plain Ansible / this project | 8 x 20 | at least 12 | 15.0 (10.0 to 20.0) | reached |",
        "| plain Ansible / this project | 32 x 100 | at least 100 | - | not measured |",
        "| 8 x 20 | 1.50 (1.00 to 2.00) | 25.0 (10.0 to 40.0) | 0.50 (0.50 to 0.50) | 0.40 |",
        "| noop | 8 x 20 | 1 |",
        "| mitogen | 8 x 20 | 1 | exit code 1: a / b c |",
    ],
)
def test_page_has(findings: performance_page.Findings, line: str) -> None:
    assert line in performance_page.page(findings).splitlines()


def test_goal_missed_is_said(findings: performance_page.Findings) -> None:
    goal = medians_and_ratios.Goal("plain", medians_and_ratios.SMALL, 16, medians_and_ratios.against("plain"))
    assert performance_page.goal_row(goal, goal.value(findings.runs, goal.size))[-1] == "**not reached**"


@pytest.mark.parametrize(("value", "text"), [(457.68, "458"), (21.06, "21.1"), (0.123, "0.12")])
def test_number(value: float, text: str) -> None:
    assert performance_page.number(value) == text


def test_joined_benches_count_their_rounds_on(findings: performance_page.Findings) -> None:
    later = dataclasses.replace(findings, started="later", ended="at last")
    both = performance_page.joined([findings, later])
    counted = [run for run in findings.runs if run.round]
    assert len(both.runs) == len(findings.runs) + len(counted)
    assert both.rounds == 2 * findings.rounds
    assert {run.round for run in both.runs[len(findings.runs) :]} == {run.round + findings.rounds for run in counted}
    assert both.machine["benches joined"].startswith("2: ")
    assert both.ended == "at last"
    assert performance_page.joined([findings]) == findings
