# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.report.page.hosts_by_rack import HostPlace
from rack_recipes.report.page.run_and_finding_texts import LastPass, counted, last_pass, sentence
from rack_recipes.report.table_model import Table
from rack_recipes.report.tables.columns import RUNS


def run(status, results, not_passing=0, not_run=0):
    return {"status": status, "results": results, "not_passing": not_passing, "not_run": not_run}


@pytest.mark.parametrize(
    ("about", "verdicts", "expected"),
    [
        (run("running", 0), (), "No result is known yet."),
        (run("running", 4, 1), ("failed",), "Not known yet: the run goes on, and 1 of 4 results did not pass so far."),
        (run("passed", 4), ("passed", "marginal"), "Nothing failed on 2 hosts."),
        (run("passed", 4, 0, 1), ("passed",), "Nothing failed on 1 host. 1 result was not to run."),
        (run("failed", 1000, 3), ("failed", "passed", ""), "1 of 2 hosts did not pass: 3 of 1,000 results."),
        (run("failed", 4, 1), (), "The run did not pass: 1 of 4 results."),
        (run("unchecked", 4, 0), ("blocked",), "1 of 1 host did not pass: 0 of 4 results."),
    ],
)
def test_one_sentence_says_whether_the_run_is_good(about, verdicts, expected):
    assert sentence(about, [HostPlace(f"r{n}", verdict) for n, verdict in enumerate(verdicts)]) == expected


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((), None),
        (("failed", "failed"), None),
        (("passed", "passed"), LastPass("p0", "2026-11-25 12:00", 0)),
        (("failed", "running", "passed"), LastPass("p2", "2026-11-25 12:00", 2)),
    ],
)
def test_the_last_pass_is_the_newest_run_that_passed(statuses, expected):
    rows = [(f"p{n}", status, "2026-11-25T12:00:00Z", 1.0, 1, 0, 0) for n, status in enumerate(statuses)]
    assert last_pass(Table("past_runs", "Past runs", RUNS, tuple(rows))) == expected


def test_numbers_have_their_nouns():
    assert [counted(n, "host") for n in (0, 1, 2000)] == ["0 hosts", "1 host", "2,000 hosts"]
