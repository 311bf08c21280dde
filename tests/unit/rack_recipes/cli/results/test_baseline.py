# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, latency, run_id
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.test_trend import store

GOOD = Night({("ping", "r1"): latency(1, limits={"max": 5}, verdict="passed")})
BAD = Night(
    {("ping", "r1"): latency(9, limits={"max": 5}, verdict="failed")},
    {("ping", "r1"): "failed"},
    recipe={"digest": "sha256:02"},
)


@pytest.fixture
def two(project: Path) -> Path:
    """A project with a good run and a bad one."""
    store([GOOD, BAD])
    return project


def test_a_run_that_is_accepted_is_pinned_and_listed(two: Path) -> None:
    code, out, err = call("baseline", "accept", run_id(1), "--note", "after the rebuild")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["run_id"], told["test_id"], told["pinned"]) == (run_id(1), "NIGHT", True)
    assert (two / ".rack-recipes" / "runs" / run_id(1) / "pinned").exists()
    assert "pinned" in call("show", run_id(1)).out
    assert call("prune", "--keep", "1", "--store", "--yes").code == 0
    assert call("show", run_id(1)).code == 0
    titles, row = call("baseline", "show").out.splitlines()
    assert titles.split() == ["test", "run", "accepted", "by", "counts", "note"]
    assert row.split()[:2] == ["NIGHT", run_id(1)]
    assert row.endswith("yes     after the rebuild")


def test_only_the_newest_baseline_counts(two: Path) -> None:
    call("baseline", "accept", run_id(1))
    call("baseline", "accept", run_id(2), "--force")
    rows = json.loads(call("baseline", "show", "--json").out)["baselines"]
    assert [(row["run_id"], row["counts"]) for row in rows] == [(run_id(2), True), (run_id(1), False)]


def test_a_run_that_did_not_pass_is_accepted_only_by_force(two: Path) -> None:
    word = f"run {run_id(2)} did not pass (failed): as the baseline it counts as good, so what failed in it"
    code, _out, err = call("baseline", "accept", run_id(2))
    assert (code, word in err, "--force accepts it all the same" in err) == (2, True, True)
    assert call("baseline", "show").out == "no run was accepted as a baseline\n"
    code, _out, err = call("baseline", "accept", run_id(2), "--force")
    assert (code, err.startswith(word)) == (0, True)


@pytest.mark.parametrize("about", [{"options": {"check": True}}])
def test_a_run_that_tested_nothing_is_refused(project: Path, about: dict[str, object]) -> None:
    store([Night({("ping", "r1"): ()}, about=about)])
    code, _out, err = call("baseline", "accept")
    assert code == 2
    assert f"run {run_id(1)} cannot be a baseline: it has not ended, or it was in check mode" in err


def test_a_gate_in_ci_ends_with_1_where_something_is_worse(two: Path) -> None:
    call("baseline", "accept", run_id(1))
    code, out, err = call("baseline", "compare", "--exit-code")
    assert code == 1
    assert err == "worse: ping on r1: passed -> failed\nworse: latency of ping on r1: passed -> failed\n"
    assert out.startswith(f"{run_id(1)} -> {run_id(2)}\n")
    assert "sha256:02" in out
    assert call("baseline", "compare").code == 0
    assert call("baseline", "compare", run_id(1), "--exit-code").code == 0
    assert json.loads(call("baseline", "compare", "--json").out)["runs"] == [run_id(1), run_id(2)]


def test_the_gate_has_the_codes_of_diff(two: Path) -> None:
    call("baseline", "accept", run_id(1))
    assert call("baseline", "compare", "--exit-code") == call("diff", run_id(1), run_id(2), "--exit-code")


def test_without_a_baseline_there_is_nothing_to_compare_with(two: Path) -> None:
    told = "there is no baseline of NIGHT; `rack-recipes baseline accept RUN` makes a run the baseline"
    code, _out, err = call("baseline", "compare")
    assert (code, told in err) == (2, True)
    assert call("baseline", "compare", "--exit-code") == (0, f"{told}\n", "")
    found = json.loads(call("baseline", "compare", "--exit-code", "--json").out)
    assert found == {"status": "no baseline", "run": run_id(2), "reason": told}


def test_a_baseline_whose_steps_have_other_names_compares_nothing(project: Path) -> None:
    store([GOOD, Night({("pong", "r1"): latency(9, limits={"max": 5}, verdict="failed")}, {("pong", "r1"): "failed"})])
    call("baseline", "accept", run_id(1))
    code, _out, err = call("baseline", "compare", "--exit-code")
    told = f"nothing was compared: no step on a host is in both {run_id(1)} and {run_id(2)}\n"
    assert (code, err) == (4, told)


def test_a_baseline_is_withdrawn(two: Path) -> None:
    call("baseline", "accept", run_id(1))
    assert json.loads(call("baseline", "withdraw").out) == {"status": "ok", "test_id": "NIGHT", "withdrawn": 1}
    assert call("baseline", "compare").code == 2
    code, _out, err = call("baseline", "withdraw")
    assert code == 2
    assert "there is no baseline of NIGHT" in err


def test_no_baselines(two: Path) -> None:
    assert call("baseline", "show").out == "no run was accepted as a baseline\n"
