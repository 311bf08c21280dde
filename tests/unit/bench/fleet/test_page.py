# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures, and the page of them."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet.model import (
    Size,
)
from ansible_collections.rack.recipes.tests.bench.fleet.page import figures, report
from ansible_collections.rack.recipes.tests.unit.bench.fleet.made import BLANK, made_runs


def test_spread() -> None:
    assert figures.spread([3, 1, 2]) == figures.Spread(2, 1, 3, 3)
    assert figures.spread([]) is None


def test_ratio_pairs_the_rounds() -> None:
    runs = made_runs(ours=[1, 2, 4], plain=[10, 40, 60])
    assert figures.ratio(runs, "plain", "ours", figures.SMALL) == figures.Spread(15, 10, 20, 3)
    assert figures.ratio(runs, "plain", "ours", figures.BIG) is None
    assert figures.ratio(runs, "mitogen", "ours", figures.SMALL) is None


def test_warm_up_and_errors_count_for_nothing() -> None:
    runs = made_runs(ours=[1, 2, 4], plain=[10, 40, 60])
    runs[0] = dataclasses.replace(runs[0], error="half done")
    runs += [dataclasses.replace(run, round=0, wall=99.0) for run in runs]
    assert figures.ratio(runs, "plain", "ours", figures.SMALL) == figures.Spread(17.5, 15, 20, 2)


def test_goal_against_the_floor() -> None:
    runs = made_runs(ours=[2], floor=[1], noop=[0.5])
    found = figures.against_floor(runs, figures.SMALL)
    assert found
    assert found == figures.Spread(0.8, 0.8, 0.8, 1)
    goal = figures.Goal("", figures.SMALL, 1, figures.against_floor, at_most=True)
    assert goal.reached(found)


def test_goals_of_the_recorder() -> None:
    few = dataclasses.replace(BLANK, contestant="recorder", hosts=32, steps=20, recorder_cpu=0.30)
    many = dataclasses.replace(few, steps=100, controller_cpu=2.0, target_cpu=4.0, recorder_cpu=0.36)
    share, slope = (value([few, many], figures.BIG) for value in (figures.recorder_share, figures.recorder_slope))
    assert share
    assert share.median == pytest.approx(0.36 / (0.03 * 6 + 0.3))
    assert slope
    assert slope.median == pytest.approx(1e6 * 0.06 / (32 * 80))
    assert figures.recorder_share([many], Size(1, 20)) is None


def test_figures_survive_json(findings: report.Findings) -> None:
    assert report.from_json(report.to_json(findings)) == findings


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
def test_page_has(findings: report.Findings, line: str) -> None:
    assert line in report.page(findings).splitlines()


def test_goal_missed_is_said(findings: report.Findings) -> None:
    goal = figures.Goal("plain", figures.SMALL, 16, figures.against("plain"))
    assert report.goal_row(goal, goal.value(findings.runs, goal.size))[-1] == "**not reached**"


@pytest.mark.parametrize(("value", "text"), [(457.68, "458"), (21.06, "21.1"), (0.123, "0.12")])
def test_number(value: float, text: str) -> None:
    assert report.number(value) == text


def test_joined_benches_count_their_rounds_on(findings: report.Findings) -> None:
    later = dataclasses.replace(findings, started="later", ended="at last")
    both = report.joined([findings, later])
    counted = [run for run in findings.runs if run.round]
    assert len(both.runs) == len(findings.runs) + len(counted)
    assert both.rounds == 2 * findings.rounds
    assert {run.round for run in both.runs[len(findings.runs) :]} == {run.round + findings.rounds for run in counted}
    assert both.machine["benches joined"].startswith("2: ")
    assert both.ended == "at last"
    assert report.joined([findings]) == findings
