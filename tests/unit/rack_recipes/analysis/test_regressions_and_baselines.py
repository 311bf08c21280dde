# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, latency, run_id
from rack_recipes.analysis.analyse_run import analyse_history
from rack_recipes.analysis.findings import NOTABLE, NOTE, PROBLEM, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.regressions_and_baselines import (
    accept,
    baseline_of,
    compare_with_baseline,
    findings,
    withdraw,
)
from rack_recipes.store.reading import recorded_runs

PASSED, FAILED = Night({("ping", "r1"): ()}), Night({("ping", "r1"): ()}, {("ping", "r1"): "failed"})


def test_the_newest_baseline_of_a_test_counts_until_it_is_withdrawn(history_of: Historian) -> None:
    history = history_of([PASSED, PASSED, PASSED])
    assert baseline_of(history.engine, history.run.run) is None
    for number in (1, 2):
        accept(history.engine, recorded_runs.run(history.engine, run_id(number)), "al", "after the rebuild")
    found = baseline_of(history.engine, history.run.run)
    assert found
    assert (found["run_id"], found["user"], found["note"]) == (run_id(2), "al", "after the rebuild")
    assert withdraw(history.engine, "NIGHT") == 2
    assert baseline_of(history.engine, history.run.run) is None
    assert withdraw(history.engine, "NIGHT") == 0


def test_the_baseline_of_another_test_does_not_count(history_of: Historian) -> None:
    history = history_of([Night({("ping", "r1"): ()}, recipe={"test_id": "DAY"}), PASSED])
    accept(history.engine, recorded_runs.run(history.engine, run_id(1)), "al")
    assert baseline_of(history.engine, history.run.run) is None


def test_a_comparison_has_what_is_worse_and_what_is_good_again(history_of: Historian) -> None:
    history = history_of([PASSED, FAILED])
    rows = [accept(history.engine, recorded_runs.run(history.engine, run_id(number)), "al") for number in (1, 2)]
    worse = compare_with_baseline(history.engine, rows[0], run_id(2))
    assert worse.steps == [{"step": "ping", "host": "r1", "before": "passed", "after": "failed"}]
    assert not worse.better
    better = compare_with_baseline(history.engine, rows[1], run_id(1))
    assert not better.steps
    assert len(better.better) == 1


PLACES = [(step, host) for step in ("ping", "dns") for host in ("r1", "r2")]


def night(bad: Mapping[tuple[str, str], str] | None = None, **fields: Any) -> Night:
    return Night(dict.fromkeys(PLACES, ()), bad or {}, **fields)


def found_in(history: History) -> list[Finding]:
    return [*findings(history.run, history)]


def card_of(found: Iterable[Finding]) -> Finding:
    return next(one for one in found if one.about.get("card"))


def test_nothing_is_said_of_a_run_that_passed(history_of: Historian) -> None:
    assert not found_in(history_of([night({("ping", "r1"): "failed"}), night()]))


def test_nothing_is_said_of_a_first_run(history_of: Historian) -> None:
    assert not found_in(history_of([night({("ping", "r1"): "failed"})]))


def test_the_card_names_the_last_run_that_passed_and_what_changed_since(history_of: Historian) -> None:
    bad = {("ping", "r1"): "failed"}
    changed = {"recipe": {"digest": "sha256:02"}, "about": {"params": {"size": 2}}}
    card = card_of(found_in(history_of([night(), night(bad), night(bad, **changed)])))
    assert card.title == (
        f"This test last passed 2 days earlier, in run {run_id(1)}, 2 runs before this one; since then changed: "
        "text of the recipe, params size (nothing to 2)"
    )
    assert card.figures["changed"][0] == {"field": "digest", "before": "sha256:01", "after": "sha256:02"}
    assert card.advice == f"rack-recipes diff {run_id(1)} {run_id(3)}"


def test_what_changed_is_told_from_what_to_what(history_of: Historian) -> None:
    before = {"params": {"mtu": 9000, "ports": ["a"], "same": 1}, "labels": {"team": "a"}, "user": "al"}
    after = {"params": {"mtu": 1500, "ports": ["a", "b" * 90], "same": 1}, "labels": {}, "user": "bo"}
    card = card_of(found_in(history_of([night(about=before), night({("ping", "r1"): "failed"}, about=after)])))
    long = '["a", "' + "b" * 32
    assert card.title.endswith(
        f"""user (al to bo), params mtu (9000 to 1500), params ports (["a"] to {long}…), labels team (a to nothing)"""
    )


def test_the_card_says_where_nothing_is_known_to_have_changed(history_of: Historian) -> None:
    card = card_of(found_in(history_of([night(), night({("ping", "r1"): "failed"})])))
    assert card.title.endswith("1 run before this one; since then changed: nothing that is recorded")


def test_the_card_says_that_no_run_ever_passed(history_of: Historian) -> None:
    bad = night({("ping", "r1"): "failed"})
    card = card_of(found_in(history_of([bad, bad, bad])))
    assert card.title == "This test has not passed as a whole in any of 2 earlier runs"


def test_each_result_has_its_own_last_pass(history_of: Historian) -> None:
    first, second = {("ping", "r1"): "failed"}, {("dns", "r1"): "error", ("dns", "r2"): "failed"}
    found = found_in(history_of([night(), night(first), night({**first, **second})]))
    own = [(one.grade, one.title, one.results) for one in found if not one.about.get("card")]
    assert own == [
        (
            PROBLEM,
            f"2 results of dns on r1, r2 passed 24 hours earlier, in run {run_id(2)} and do not pass now: dns is bad",
            (ResultId("r1", "dns"), ResultId("r2", "dns")),
        ),
        (
            PROBLEM,
            f"1 result of ping on r1 passed 2 days earlier, in run {run_id(1)} and does not pass now: ping is bad",
            (ResultId("r1", "ping"),),
        ),
    ]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (
            {("ping", "r1"): "unreachable", ("dns", "r1"): "unreachable", ("ping", "r2"): "failed"},
            ["2 results of ping, dns on r1", "1 result of ping on r2"],
        ),
        ({("ping", "r1"): "failed", ("dns", "r2"): "failed"}, ["1 result of ping on r1", "1 result of dns on r2"]),
        (
            {("ping", "r1"): "failed", ("dns", "r1"): "unreachable", ("dns", "r2"): "unreachable"},
            ["3 results of ping, dns on r1, r2"],
        ),
        ({("ping", "r1"): "failed", ("ping", "r2"): "error"}, ["2 results of ping on r1, r2"]),
    ],
    ids=["a host that is away, and a value", "two steps on two hosts", "nobody answers", "one step"],
)
def test_results_that_share_nothing_are_told_apart(
    history_of: Historian, bad: Mapping[tuple[str, str], str], told: list[str]
) -> None:
    found = found_in(history_of([night(), night(bad)]))
    assert [one.title.partition(" passed ")[0] for one in found if not one.about.get("card")] == told


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        (["gpus 7 < 8"], ": gpus 7 < 8"),
        (["gpus 7 < 8", "gpus 4 < 8", "gpus 6 < 8"], ": gpus 4 to 7 < 8"),
        (["link down", "link down", "gpus 6 < 8"], ": link down; gpus 6 < 8"),
        (["a", "b", "c", "d"], ": a; b; c and 1 more"),
        (["x" * 200, ""], f": {'x' * 159}\u2026"),
        ([""], ""),
    ],
)
def test_why_a_result_does_not_pass_now_is_said(reasons: list[str], told: str, history_of: Historian) -> None:
    places = [("gpus", f"r{number}") for number in range(len(reasons))]
    fields = {place: {"reason": reason} for place, reason in zip(places, reasons, strict=True)}
    nights = [Night(dict.fromkeys(places, ())), Night({}, dict.fromkeys(places, "failed"), fields=fields)]
    (own,) = [one for one in found_in(history_of(nights)) if not one.about.get("card")]
    assert own.title.partition(" pass now")[2] == told
    assert own.advice == (
        "Nothing that is recorded of how they were set up has changed; "
        f"how their results differ: rack-recipes diff {run_id(1)} {run_id(2)}"
    )


def test_what_never_passed_is_told_apart(history_of: Historian) -> None:
    bad = {("ping", "r1"): "failed"}
    new = Night({**dict.fromkeys(PLACES, ()), ("new", "r1"): ()}, {**bad, ("new", "r1"): "failed"})
    found = found_in(history_of([night(bad), night(bad), new]))
    own = [(one.grade, one.title) for one in found if not one.about.get("card")]
    assert own == [(NOTABLE, "1 result of ping on r1 did not pass in any of the last 2 runs either: ping is bad")]


def test_one_earlier_run_is_not_called_many(history_of: Historian) -> None:
    bad = {("ping", "r1"): "failed"}
    titles = [one.title for one in found_in(history_of([night(bad), night(bad)]))]
    assert titles == [
        "This test has not passed as a whole in its only earlier run",
        "1 result of ping on r1 did not pass in the last run either: ping is bad",
    ]


def test_results_that_were_not_tried_are_not_counted(history_of: Historian) -> None:
    found = found_in(history_of([night(), night({("ping", "r1"): "blocked", ("dns", "r1"): "skipped"})]))
    assert not found


CUT = {"status": "interrupted", "stopped": {"by": "token:alice", "time": "2026-11-02T22:00:01.000000Z"}}
OF_CUT = {
    ("ping", "r1"): {"reason": "stopped: the run was interrupted"},
    ("ping", "r2"): {"reason": "stopped: the run was interrupted"},
    ("dns", "r1"): {"reason": "not run: token:alice has stopped the run"},
}


def test_what_the_end_of_a_run_has_cut_off_is_in_no_finding(history_of: Historian, new_store: Engine) -> None:
    """Neither a step that ran, nor its arguments, nor what was changed before: nobody knows how it would have ended."""
    cut = night(dict.fromkeys(OF_CUT, "error"), fields=OF_CUT, end=CUT, about={"params": {"size": 2}})
    history = history_of([night(), cut])
    accept(new_store, recorded_runs.run(new_store, run_id(1)), "alice")
    assert {one.kind for one in analyse_history(history) if one.results} == {"coverage"}  # they judge nothing
    assert [row["verdict"] for row in history.run.steps].count("error") == 3, "what a report shows stays as it is"


def test_what_an_earlier_end_has_cut_off_counts_as_no_failure(history_of: Historian) -> None:
    cut = night(dict.fromkeys(OF_CUT, "error"), fields=OF_CUT, end=CUT)
    found = found_in(history_of([cut, night({("ping", "r1"): "failed"})]))
    assert [one.title for one in found] == ["This test has not passed as a whole in its only earlier run"]


def test_what_changed_on_the_hosts_is_named(history_of: Historian) -> None:
    before, after = ({host: {"nic_fw": fw} for host in ("r1", "r2")} for fw in ("1.2", "1.3"))
    nights = [night(attributes=before), night({("ping", "r1"): "failed"}, attributes=after)]
    found = found_in(history_of(nights))
    assert found[1].advice == "Look first at what changed in between: nic_fw of r1 (1.2 to 1.3)."
    assert found[1].figures["attributes"] == [{"host": "r1", "attribute": "nic_fw", "before": "1.2", "after": "1.3"}]


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [
        ("sha256:a", "sha256:b", True),
        ("sha256:a", "sha256:a", False),
        ("sha256:a", "hmac:b", False),
        (None, "sha256:b", False),
    ],
    ids=["changed", "the same", "with a secret now", "not known"],
)
def test_a_step_that_was_given_something_else_is_named(
    before: str | None, after: str, is_told: bool, history_of: Historian
) -> None:
    place = ("ping", "r1")
    nights = [
        night(fields={place: {"inputs": before} if before else {}}),
        night({place: "failed"}, fields={place: {"inputs": after}}),
    ]
    own = next(one for one in found_in(history_of(nights)) if one.results and not one.about.get("card"))
    told = "Look first at what changed in between: what ping on r1 was given: its arguments, the context it reads, "
    assert (own.advice == f"{told}its code or its files.") == is_told
    assert own.figures["inputs"] == (["ping on r1"] if is_told else [])


def of_baseline(history: History) -> Finding:
    accept(history.engine, recorded_runs.run(history.engine, run_id(1)), "al")
    return next(one for one in found_in(history) if one.kind == "baseline")


def test_what_is_worse_than_in_the_baseline_is_a_problem(history_of: Historian) -> None:
    limit = {"limits": {"max": 5}}
    first = Night({("ping", "r1"): latency(1, verdict="passed", **limit), ("dns", "r1"): ()})
    second = Night(
        {("ping", "r1"): latency(9, verdict="failed", **limit), ("dns", "r1"): ()},
        {("ping", "r1"): "failed"},
        recipe={"digest": "sha256:02"},
    )
    found = of_baseline(history_of([first, second]))
    assert found.grade == PROBLEM
    assert found.title == (
        f"1 result and 1 criterion that passed in the baseline, run {run_id(1)}, do not pass now: ping on r1"
        ": ping is bad"
    )
    assert found.results == (ResultId("r1", "ping"), ResultId("r1", "ping", "latency"))
    assert found.advice == "Look first at what changed since the baseline: text of the recipe."
    assert found.figures["by"] == "al"


def test_a_run_that_is_as_good_as_the_baseline_is_a_note(history_of: Historian) -> None:
    found = of_baseline(history_of([night(), night()]))
    assert (found.grade, found.title) == (
        NOTE,
        f"All that passed in the baseline, run {run_id(1)}, passes or was not tried",
    )


def test_what_a_waiver_covers_is_not_worse_than_in_the_baseline(history_of: Historian) -> None:
    limit = {"limits": {"max": 5}}
    first = Night({("ping", "r1"): latency(1, verdict="passed", **limit)})
    second = Night({("ping", "r1"): latency(9, verdict="failed", **limit)}, {("ping", "r1"): "waived"})
    found = of_baseline(history_of([first, second]))
    passes = "passes, is waived (ping on r1) or was not tried"
    assert (found.grade, found.title) == (NOTE, f"All that passed in the baseline, run {run_id(1)}, {passes}")


def test_a_baseline_is_not_compared_with_itself(history_of: Historian) -> None:
    history = history_of([night()])
    accept(history.engine, history.run.run, "al")
    assert not found_in(history)
