# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page of a large run in Chromium. Only whole sweeps are held to the goals in seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import reliability_sweeps
from ansible_collections.rack.recipes.tests.bench import report_formats, report_page
from rack_recipes.report.report_formats_and_status import WRITERS


def test_the_page_of_a_run_with_many_results() -> None:
    hosts = reliability_sweeps.count(20, 1000)
    goals = " and ".join(f"`{name}` within {goal:g} s" for name, goal in report_page.GOALS.items())
    with reliability_sweeps.sweep("the page of a run with many results", f"for 100,000 results {goals}") as made:
        found = report_page.measured(hosts, reliability_sweeps.count(1, 5))
        made.done = hosts * report_page.STEPS
        seconds = {f"seconds to {name}": round(found[name], 3) for name in ("open", "search", "sort")}
        made.found = {"MB": round(found["MB"], 2), **seconds}
        assert found["rows"] <= 60
        assert found["MB"] < 3
        if reliability_sweeps.is_whole():
            for name, goal in report_page.GOALS.items():
                assert found[name] <= goal


def test_the_page_on_reports_has_the_figures_that_were_measured_last(golden: Callable[[Path, str], None]) -> None:
    """`tests/bench/report_formats.py --write` measures them, when somebody asks for it."""
    figures = json.loads(report_formats.FIGURES.read_text())
    golden(report_formats.PAGE, report_formats.page(report_formats.PAGE.read_text(), figures))


def test_each_format_of_a_small_run_is_measured() -> None:
    found = report_formats.measured(4, 1)
    assert {*found["parts"]} == {"tables", *WRITERS} - {*report_formats.LEFT_OUT}
    assert all(part["seconds"] >= 0 for part in found["parts"].values())
    assert "| html |" in report_formats.section(found)


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"report\.md needs the lines"):
        report_formats.page("# Reports\n", {})
