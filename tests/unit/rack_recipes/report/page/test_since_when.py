# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from rack_recipes.report.page.since_when import SinceWhen, since_when
from rack_recipes.report.table_model import Table
from rack_recipes.report.tables.columns import RUNS


def told(status: str, past: Sequence[str]) -> SinceWhen | None:
    """What is said of a run of the 25th; `past` has the newest earlier run first, one a day."""
    rows = tuple(
        (
            f"p{n}",
            one,
            f"2026-11-{24 - n}T12:00:00.000000Z",
            1.0,
            10 if one == "passed" else 4,
            0 if one == "passed" else 6,
            0,
        )
        for n, one in enumerate(past)
    )
    run = {"run_id": "R", "status": status, "started": "2026-11-25T12:00:00.000000Z", "results": 12, "not_passing": 5,
           "not_run": 2}  # fmt: skip
    return since_when(run, Table("past_runs", "Past runs", RUNS, rows))


@pytest.mark.parametrize(
    ("status", "past", "words"),
    [
        ("failed", ["passed"], "New in this run: the run before it, 24 hours earlier, passed."),
        (
            "failed",
            ["failed", "interrupted", "passed"],
            "So since 2026-11-23 12:00 UTC, in 3 runs in a row; the run before that passed.",
        ),
        ("failed", ["failed", "failed"], "It has not passed in all of the last 3 runs."),
        ("passed", ["passed"], "It has passed in all of the last 2 runs."),
        ("passed", ["failed", "passed"], "New in this run: the run before it, 24 hours earlier, did not pass."),
        (
            "passed",
            ["passed", "failed"],
            "So since 2026-11-24 12:00 UTC, in 2 runs in a row; the run before that did not pass.",
        ),
    ],
)
def test_one_line_says_since_when(status: str, past: Sequence[str], words: str) -> None:
    found = told(status, past)
    assert found is not None
    assert found.words == words


def test_a_first_run_has_no_line() -> None:
    assert told("failed", []) is None


def test_each_run_is_a_bar_the_newest_at_the_right() -> None:
    found = told("failed", ["passed", "interrupted"])
    assert found is not None
    assert re.findall(r"<title>(.*?)</title>", found.chart) == [
        "The last 3 runs of this test, this one at the right",
        "2026-11-23 12:00: interrupted, 6 of 10 results did not pass",
        "2026-11-24 12:00: passed, 0 of 10 results did not pass",
        "2026-11-25 12:00: failed, 5 of 10 results did not pass",
    ]
    heights = [float(height) for height in re.findall(r'height="([\d.]+)" rx', found.chart)]
    assert heights[1] < heights[2] < heights[0], "the share that did not pass"
