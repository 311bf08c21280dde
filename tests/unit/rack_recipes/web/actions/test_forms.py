# SPDX-License-Identifier: GPL-3.0-or-later

"""What forms of pages do, who may send them, and the trace that they leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import URL, ServedSite
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import HOSTILE, LAST, night, store_runs
from rack_recipes.journal.append import append
from rack_recipes.recipe.waiver_file import read_waivers
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal
from rack_recipes.web.page_model import page_address

WAIVER = {"reason": "RMA 1234", "until": "2099-12-31", "hosts": "r0, leaf*"}


@pytest.fixture
def run(project) -> str:
    return store_runs(night())


@pytest.fixture
def served(run) -> Iterator[ServedSite]:
    with ServedSite() as served:
        yield served


def result(run: str) -> str:
    return page_address("runs", run, "hosts", "r0", "uplink")


def test_a_form_makes_a_run_the_baseline(served, run):
    browser = served.signed_in("author")
    assert b"Accept as baseline" in browser.ask(f"/runs/{run}").text
    answer = browser.send(f"/runs/{run}/baseline", {"note": "after the rebuild", "confirm": "yes"})
    assert (answer.status, answer.headers["location"]) == (303, f"/runs/{run}")
    [row] = recorded_runs.baselines(served.source.store())
    assert (row["run_id"], row["user"], row["note"]) == (run, "token:author", "after the rebuild")
    assert Path(f".rack-recipes/runs/{run}/pinned").exists()
    assert served.trace() == [("token:author", "accept baseline", state) for state in ("done", "begun")]


@pytest.mark.parametrize("status", ["failed", "interrupted", "unchecked", "unreachable"])
def test_a_run_that_did_not_pass_is_no_baseline_without_being_asked_once_more(served, status):
    store_runs(night(), replace(night(), end={"status": status}))
    sent, browser = {"note": "good enough"}, served.signed_in("author")
    shown = browser.ask(f"/runs/{LAST}").text
    assert f"run {LAST} did not pass ({status}): as the baseline it counts as good" in shown.decode()
    for confirm in ({}, {"confirm": ""}, {"confirm": "no"}):
        told = served.send(f"/runs/{LAST}/baseline?format=json", {**sent, **confirm}, "author")
        assert told.status == 400
        assert "is never called worse" in told.data["errors"]["confirm"]
        assert told.data["errors"]["confirm"].endswith("confirm=yes does it all the same")
        page = browser.send(f"/runs/{LAST}/baseline", {**sent, **confirm})
        assert (page.status, b'id="baseline-confirm-error"' in page.text) == (400, True)
        assert b'value="good enough"' in page.text
    assert recorded_runs.baselines(served.source.store()) == []
    assert served.trace() == []
    done = served.send(f"/runs/{LAST}/baseline?format=json", {**sent, "confirm": "yes"}, "author")
    assert (done.status, done.data["run_id"]) == (200, LAST)


def test_a_run_that_passed_is_accepted_at_once_and_one_without_an_end_never(served):
    store_runs(night(), night(is_bad=False))
    assert b"baseline-confirm" not in served.signed_in("author").ask(f"/runs/{LAST}").text
    assert served.send(f"/runs/{LAST}/baseline?format=json", {}, "author").status == 200
    goes_on = Path(".rack-recipes/runs/20261103-220000-000003/journal.jsonl")
    append(goes_on, [{"kind": "run", "run": goes_on.parent.name, "time": "2026-11-03T22:00:00.000000Z"}])
    store = connect_store(URL)
    import_journal(store, goes_on)
    store.dispose()
    answer = served.send(f"/runs/{goes_on.parent.name}/baseline?format=json", {"confirm": "yes"}, "author")
    assert (answer.status, "it has not ended" in answer.data["detail"]) == (400, True)


@pytest.mark.parametrize("note", ["x" * 501, "two\nlines", "\x1b[31m"])
def test_a_note_that_cannot_be_is_told_beside_its_field(served, run, note):
    answer = served.signed_in("author").send(f"/runs/{run}/baseline", {"note": note})
    assert answer.status == 400
    assert b'aria-invalid="true"' in answer.text
    assert b"expected one line of text, at most 500 characters" in answer.text
    assert recorded_runs.baselines(served.source.store()) == []


def test_who_may_only_look_sees_no_forms(served, run):
    for place in (f"/runs/{run}", result(run)):
        text = served.signed_in("viewer").ask(place).text
        assert b'class="action"' not in text


def test_a_form_waives_a_failure(served, run):
    browser = served.signed_in("author")
    assert b"entry in the project" in browser.ask(result(run)).text
    answer = browser.send(f"{result(run)}/waiver", WAIVER)
    assert (answer.status, answer.headers["location"]) == (303, result(run))
    [waiver] = read_waivers("waivers.yml").waivers
    assert (waiver.step, waiver.hosts, waiver.who) == ("uplink", ("r0", "leaf*"), "token:author")
    assert (waiver.test_id, str(waiver.until), waiver.reason) == ("RACK", "2099-12-31", "RMA 1234")
    again = browser.send(f"{result(run)}/waiver", WAIVER)
    assert (again.status, b"expected each waiver once, got that of line 2 again" in again.text) == (400, True)
    assert [row[2][:8] for row in served.trace()] == ["refused:", "begun", "done", "begun"]


@pytest.mark.parametrize(
    ("form", "field", "message"),
    [
        ({"reason": ""}, "reason", "expected reason in a waiver, got none"),
        ({"reason": "a\nb"}, "reason", "expected one line of text, at most 200 characters"),
        ({"until": "soon"}, "until", "expected a date such as 2026-12-31"),
        ({"until": ""}, "until", "expected until (a date) or passes (how many in a row end it)"),
        ({"passes": "0"}, "passes", "expected a whole number from 1 to 1000"),
        ({"passes": HOSTILE}, "passes", "expected a whole number from 1 to 1000"),
        ({"hosts": "x" * 201}, "hosts", "expected one line of text, at most 200 characters"),
        ({"hosts": ""}, "hosts", "expected hosts, such as leaf3 or leaf*, or all for all of them, got none"),
        ({"hosts": " , "}, "hosts", "expected hosts, such as leaf3 or leaf*, or all for all of them, got none"),
    ],
)
def test_what_is_wrong_with_a_waiver_is_told_by_field(served, run, form, field, message):
    answer = served.send(f"{result(run)}/waiver?format=json", {**WAIVER, **form}, "author")
    assert (answer.status, message in answer.data["errors"][field]) == (400, True)
    shown = served.signed_in("author").send(f"{result(run)}/waiver", {**WAIVER, **form})
    assert f'id="waive-{field}-error"'.encode() in shown.text
    assert b"<img" not in shown.text
    assert not Path("waivers.yml").exists()


def test_all_hosts_are_waived_only_where_somebody_says_so(served, run):
    unsaid = {name: value for name, value in WAIVER.items() if name != "hosts"}
    answer = served.send(f"{result(run)}/waiver?format=json", unsaid, "author")
    assert (answer.status, "all for all of them" in answer.data["errors"]["hosts"]) == (400, True)
    assert not Path("waivers.yml").exists()
    assert served.send(f"{result(run)}/waiver?format=json", {**unsaid, "hosts": "all"}, "author").status == 200
    [waiver] = read_waivers("waivers.yml").waivers
    assert (waiver.hosts, waiver.where) == ((), "all")


@pytest.mark.parametrize(("host", "step"), [("r0", "*"), ("r0", "uplin*"), ("r0", "none"), ("*", "uplink")])
def test_only_what_is_a_result_is_waived(served, run, host, step):
    """The name of a step is a pattern in the file of waivers, and none in an address."""
    answer = served.send(f"{page_address('runs', run, 'hosts', host, step)}/waiver?format=json", WAIVER, "author")
    assert (answer.status, "so there is nothing to waive" in answer.data["detail"]) == (404, True)
    assert not Path("waivers.yml").exists()


def test_hostile_text_in_a_waiver_stays_text(served, run):
    reason = HOSTILE.replace("\u202e", "")
    assert served.send(f"{result(run)}/waiver", {**WAIVER, "reason": reason}, "author").status == 303
    [waiver] = read_waivers("waivers.yml").waivers
    assert waiver.reason == reason
    assert b"<img" not in served.ask("/actions", "admin").text


def test_the_policy_decides_by_the_name_and_the_role_of_a_token(served, run, tmp_path):
    Path("policy.yml").write_text('rules:\n  - {groups: ["role:author"], may: [waive]}\n')
    Path("policy.yml").chmod(0o600)
    Path("ansible.cfg").write_text("[defaults]\n[rack_recipes]\npolicy = policy.yml\n")
    assert served.send(f"{result(run)}/waiver", WAIVER, "author").status == 303
    refused = served.send(f"/runs/{run}/baseline?format=json", {"confirm": "yes"}, "author")
    assert (refused.status, "token:author may not change" in refused.data["detail"]) == (403, True)


def test_a_run_that_is_over_is_not_stopped(served, run):
    answer = served.send(f"/runs/{run}/stop?format=json", {}, "operator")
    assert (answer.status, f"run {run} does not go on here" in answer.data["detail"]) == (404, True)


def test_a_token_for_other_runs_changes_nothing(served, run):
    served.grant("limited", "author", runs=("2025*",))
    for place in (f"/runs/{run}/baseline", f"{result(run)}/waiver"):
        answer = served.send(f"{place}?format=json", WAIVER, "limited")
        assert (answer.status, "may see the runs 2025*" in answer.data["detail"]) == (403, True)
