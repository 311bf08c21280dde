# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures, and the page of them."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Size
from ansible_collections.rack.recipes.tests.bench.fleet.page import medians_and_ratios, performance_page
from ansible_collections.rack.recipes.tests.unit.bench.fleet.sample_runs import BLANK, made_runs


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
