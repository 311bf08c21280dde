# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, run_id
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.test_trend import store
from rack_recipes.analysis import analyse_run
from rack_recipes.analysis.findings import Finding
from rack_recipes.cli import terminal
from rack_recipes.cli.results.show_runs import finding_lines
from rack_recipes.errors import StoreError

GOOD, BAD = Night({("ping", "r1"): ()}), Night({("ping", "r1"): ()}, {("ping", "r1"): "failed"})
WORSE = f"1 result of ping on r1 passed 24 hours earlier, in run {run_id(1)} and does not pass now: ping is bad"


@pytest.fixture
def two(project: Path) -> Path:
    """A project with a good run and a bad one."""
    store([GOOD, BAD])
    return project


def test_findings_are_printed_and_stored(two: Path) -> None:
    code, out, err = call("analyse")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"run {run_id(2)} failed"
    assert f"problem  {WORSE}" in lines
    assert any(line.startswith("         by: ") for line in lines)
    told = json.loads(call("show", "--json").out)
    assert WORSE in [one["title"] for one in told["findings"]]


def test_findings_as_json(two: Path) -> None:
    told = json.loads(call("analyse", "--json").out)
    assert (told["run_id"], told["stored"]) == (run_id(2), True)
    found = next(one for one in told["findings"] if one["title"] == WORSE)
    assert found["results"] == [["r1", "ping", ""]]
    assert found["figures"]["last pass"] == run_id(1)


def test_a_summary_is_there_where_it_is_asked_for(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "1 of 1 results did not pass, on 1 of 1 host."
    assert said not in call("analyse").out
    assert said in call("analyse", "--summary").out
    monkeypatch.setenv("RACK_RECIPES_SUMMARY_URL", "http://127.0.0.1:9")
    assert "not by a model: summary_model is not set." in call("analyse", "--summary").out
    told = json.loads(call("show", "--json").out)
    assert any(said in one["title"] for one in told["findings"] if one["kind"] == "summary")


def test_a_run_in_which_nothing_is_wrong(two: Path) -> None:
    found = call("analyse", run_id(1)).out.splitlines()
    assert found[0] == f"run {run_id(1)} passed"
    assert [line for line in found if line.startswith(("problem", "notable", "note"))] == [
        "note     1 step judges nothing: ping"
    ]


CUT_OFF, UNSAID = "stopped: the run was interrupted", "no finding says why this did not pass:"


@pytest.mark.parametrize(
    ("end", "reason", "told"),
    [
        ({"status": "failed", "counts": {"error": 1}}, "KeyError: 'rx'", " failed: 1 error"),
        ({"status": "interrupted", "counts": {"error": 1}}, CUT_OFF, " interrupted: 1 error"),
        ({"kind": "unknown"}, "KeyError: 'rx'", " has not ended"),
    ],
    ids=["error", "interrupted", "not ended"],
)
def test_what_no_finding_tells_of_is_said_with_the_state_of_the_run(
    end: dict[str, object], reason: str, told: str, project: Path
) -> None:
    places = [("ping", f"r{number}") for number in (1, 2)]
    store([Night(dict.fromkeys(places, ()), {places[0]: "error"}, fields={places[0]: {"reason": reason}}, end=end)])
    lines = [line for line in call("analyse").out.splitlines() if not line.startswith(("note", " "))]
    assert lines == [f"run {run_id(1)}{told}", UNSAID, f"error: ping on r1: {reason}"]
    assert json.loads(call("analyse", "--json").out)["status"] == end.get("status", "running")


def test_fewer_earlier_runs(project: Path) -> None:
    store([GOOD, BAD, BAD])
    assert WORSE.replace("24 hours", "2 days") in call("analyse").out
    assert "did not pass in the last run either" in call("analyse", "--last", "1").out


def test_findings_that_cannot_be_stored_are_printed_all_the_same(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object) -> None:
        raise StoreError("the file or its folder is read-only")

    monkeypatch.setattr(analyse_run, "store_findings_at", refuse)
    code, out, err = call("analyse")
    assert (code, err) == (0, "the findings are not stored: the file or its folder is read-only\n")
    assert WORSE in out
    assert json.loads(call("analyse", "--json").out)["stored"] is False


def test_show_begins_with_what_matters(two: Path) -> None:
    before = call("show").out
    call("analyse")
    lines = call("show").out.splitlines()
    assert lines[1].startswith("problem  ")
    assert f"problem  {WORSE}" in lines
    assert f"rack-recipes analyse {run_id(2)}" in "\n".join(lines)
    assert "note" not in {line.split()[0] for line in lines}
    assert set(before.splitlines()) < set(lines)


def test_a_suggestion_is_marked_and_text_of_hosts_cannot_control_the_terminal() -> None:
    finding = Finding("summary", "note", "all\x1b[2J good", suggestion=True, advice="look\nthere")
    assert [*finding_lines([finding])] == ["note     suggestion: all [2J good\n", "         look there\n"]


def test_grades_have_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "rack_recipes.cli.results.show_runs.takes_colours"
    monkeypatch.setattr(path, lambda _stream: True)
    assert [*finding_lines([Finding("link", "problem", "leaf1")])] == ["\x1b[31mproblem\x1b[0m  leaf1\n"]
    assert terminal.RED == "31"
