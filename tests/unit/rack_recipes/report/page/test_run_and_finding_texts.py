# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.analysis.findings import GRADES, Finding, ResultId
from rack_recipes.analysis.run_data import RunData
from rack_recipes.report.page import run_and_finding_texts
from rack_recipes.report.page.hosts_by_rack import HostPlace
from rack_recipes.report.page.run_and_finding_texts import LastPass, last_pass, sentence
from rack_recipes.report.table_model import Table, named
from rack_recipes.report.tables.columns import RUNS
from rack_recipes.report.tables.summary_and_finding_tables import finding_results, finding_tables


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


NUMBERS = {("r1", "link"): 7, ("(run)", "compare"): 1}


def address_of(host: str, step: str) -> str:
    return f"#r{NUMBERS[host, step]}" if (host, step) in NUMBERS else ""


OWNED = RunData({"labels": {"team": "fabric"}}, attributes={"r2": {"team": "storage"}, "r3": {"owner": "ops"}})


def cards(*findings):
    return run_and_finding_texts.findings(
        named((*finding_tables(findings, OWNED), finding_results(findings, {}))), address_of
    )


def test_a_report_without_findings_has_no_cards():
    assert cards() == run_and_finding_texts.Findings()


def test_a_card_has_what_the_finding_says_and_links_to_its_results():
    rests = (ResultId("r1", "link", "rx"), ResultId("", "compare"), ResultId("r9", "link"))
    [card] = cards(Finding("cause", "problem", "All on leaf3", rests, "Look at leaf3.", explains=3)).first
    assert (card.n, card.grade, card.kind, card.title) == (1, "problem", "Causes", "All on leaf3")
    assert (card.advice, card.explains, card.suggestion, card.total) == ("Look at leaf3.", 3, "", 3)
    assert card.links == (("r1: link (rx)", "#r7"), ("(run): compare", "#r1"), ("r9: link", ""))


@pytest.mark.parametrize(
    ("hosts", "owner"), [((), "fabric"), (("r1",), "fabric"), (("r2", "r1"), "storage"), (("r2", "r3"), "storage, ops")]
)
def test_a_card_names_the_team_of_its_hosts_or_of_the_test(hosts, owner):
    [card] = cards(Finding("cause", "problem", "x", tuple(ResultId(host, "link") for host in hosts))).first
    assert card.owner == owner


@pytest.mark.parametrize("grade", [*GRADES, "unheard"])
def test_every_grade_has_a_colour_and_a_symbol(grade):
    found = cards(Finding("cause", grade, "x"))
    [card] = found.first or found.by_kind[0][1]
    assert card.look
    assert card.symbol


def test_a_suggestion_is_marked():
    [card] = cards(Finding("summary", "note", "x", suggestion=True, origin="model m")).summary
    assert (card.suggestion, card.origin) == ("suggestion", "model m")


def test_what_has_changed_stands_apart():
    found = cards(
        Finding("regression", "problem", "r"), Finding("cause", "problem", "c"), Finding("baseline", "note", "b")
    )
    assert [card.title for card in found.first] == ["c"]
    assert [card.title for card in found.changes] == ["r", "b"]


def test_a_flake_does_not_stand_above_what_has_become_worse():
    worse, flake = Finding("regression", "problem", "b failed"), Finding("flake", "notable", "a is a flake")
    found = cards(worse, flake)
    assert [card.title for card in found.first] == ["b failed", "a is a flake"]
    assert (found.changes, found.tells_changes_first) == ((), True)
    cause = Finding("cause", "problem", "leaf2")
    found = cards(worse, cause, flake)
    assert [card.title for card in found.first] == ["leaf2", "a is a flake"]
    assert ([card.title for card in found.changes], found.tells_changes_first) == (["b failed"], False)


def test_what_has_become_worse_is_first_where_nothing_else_is():
    found = cards(Finding("regression", "problem", "b failed"), Finding("baseline", "note", "b"))
    assert [card.title for card in found.first] == ["b failed"]
    assert [card.title for card in found.changes] == ["b"]


def test_of_200_findings_five_are_first_and_the_others_are_behind_by_kind():
    found = cards(*(Finding("outlier" if n % 2 else "cause", "problem", str(n)) for n in range(200)))
    assert [card.title for card in found.first] == ["0", "1", "2", "3", "4"]
    assert [(kind.title, len(own)) for kind, own in found.by_kind] == [("Causes", 97), ("Outliers", 98)]
    assert (found.behind, found.total, found.left_out) == (195, 200, 0)


def test_notes_are_behind_what_somebody_has_to_look_at():
    found = cards(
        *(Finding("cause", "problem", str(n)) for n in range(2)),
        Finding("drift", "notable", "d"),
        *(Finding("outlier", "note", f"o{n}") for n in range(9)),
        Finding("derived", "note", "n"),
    )
    assert [card.title for card in found.first] == ["0", "1", "d"]
    assert (found.notes, found.behind, found.kinds_of_notes) == (10, 0, "Outliers 9, Derived numbers 1")


def test_the_summary_is_no_note():
    found = cards(Finding("outlier", "note", "o"), *(Finding("summary", "note", str(n)) for n in range(3)))
    assert [card.title for card in found.summary] == ["0", "1", "2"]
    assert (found.first, found.notes) == ((), 1)


def test_more_findings_than_fit_are_counted():
    found = cards(*(Finding("cause", "note", str(n)) for n in range(run_and_finding_texts.MOST + 7)))
    assert (found.total, found.left_out) == (run_and_finding_texts.MOST + 7, 7)


def test_of_many_results_the_first_are_links():
    rests = tuple(ResultId(f"r{n}", "link") for n in range(30))
    [card] = cards(Finding("cause", "problem", "x", rests)).first
    assert (len(card.links), card.total) == (run_and_finding_texts.MOST_LINKS, 30)
