# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, latency, run_id
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.test_trend import store
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import FIRST, SECOND, Writer
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import (
    measured as measured_now,
)
from rack_recipes.analysis.run_changes import (
    context_changes,
    duration_changes,
    measurement_changes,
    verdict_changes,
    worse_criteria,
    worse_steps,
)
from rack_recipes.cli.results.diff_and_baseline import NOTHING_COMPARED

SHOWN = f"""\
{FIRST} -> {SECOND}

the runs:
field   first               second
digest  sha256:1        ->  sha256:2
params  {{"minutes": 5}}  ->  {{"minutes": 9}}

verdicts:
first       second    step         host   reason
passed  ->  cached    wire         leaf2
passed  ->  marginal  burn         leaf1  heat 91.5 C
-       ->  failed    ports        leaf1  ports[eth1] failed
-       ->  skipped   ports        leaf2  when: value "${{wire.state_v1.up}}" eq true
-       ->  passed    ports[eth0]  leaf1
-       ->  failed    ports[eth1]  leaf1  no carrier

durations:
first        second   change  step  host
1.000 s  ->  3.000 s  +200 %  burn  leaf1

measurements:
name  first      second  unit  change     step  host
heat  40     ->  91.5    C     +128.75 %  burn  leaf1
heat  91     ->  -       C                burn  leaf2
dead  -      ->  3                        burn  leaf2

context:
key            host   field  first                      second
lab.mode_v1    run           "slow"                     -
wire.state_v1  leaf1  up     true                       false
wire.state_v1  leaf2         {{"mtu": 1500, "up": true}}  -
"""


def test_diff(stored: Path):
    assert call("diff", FIRST, SECOND) == (0, SHOWN, "")


def test_diff_as_json_has_everything(stored: Path):
    found = call("diff", FIRST, SECOND, "--json").answer
    assert found["runs"] == [FIRST, SECOND]
    assert [len(found[name]) for name in ("run", "verdicts", "durations", "measurements", "context")] == [2, 6, 2, 3, 3]
    assert found["durations"][0] == {"step": "burn", "host": "leaf1", "before": 1.0, "after": 3.0, "percent": 200.0}


def test_small_changes_are_left_out_of_the_text(stored: Path):
    out = call("diff", FIRST, SECOND, "--percent", "201").out
    assert "\ndurations: no change of 201 % and 0.1 s or more\n" in out
    assert "heat" not in out.partition("measurements")[2].splitlines()[1]


def test_short_changes_are_left_out_of_the_text_which_says_so(stored: Path):
    for name, seconds in (("20261126-000000-cccccc", 0.01), ("20261126-000000-dddddd", 0.09)):
        run = Writer(name)
        run.begin("sha256:3", ("wire",))
        run.step("wire", "leaf1", seconds=seconds, measurements=[measured_now("heat", 40 + seconds, "C")])
        run.end("passed", 0, passed=1)
    out = call("diff", "20261126-000000-c", "20261126-000000-d").out
    assert "\ndurations: no change of 10 % and 0.1 s or more\n" in out
    assert "\nmeasurements: no change of 10 % or more\n" in out


def test_the_same(stored: Path):
    done = call("diff", FIRST, FIRST)
    titles = ("the runs", "verdicts", "durations", "measurements", "context")
    assert done.out == f"{FIRST} -> {FIRST}\n" + "".join(f"\n{title}: no change\n" for title in titles)


def test_exit_code_tells_whether_something_got_worse(stored: Path):
    assert call("diff", FIRST, SECOND).code == 0
    assert call("diff", FIRST, FIRST, "--exit-code").code == 0
    worse, better = "20261126-000000-cccccc", "20261126-000000-dddddd"
    for name, verdict in ((worse, "failed"), (better, "passed")):
        run = Writer(name)
        run.begin("sha256:3", ("wire",))
        run.step("wire", "leaf1", verdict)
        run.end(verdict, 0, **{verdict: 1})
    assert call("diff", better, worse).code == 0
    assert call("diff", better, worse, "--exit-code")[::2] == (1, "worse: wire on leaf1: passed -> failed\n")
    assert call("diff", better, worse, "--exit-code", "--json").code == 1
    assert call("diff", worse, better, "--exit-code").code == 0


@pytest.mark.parametrize(
    ("before", "after", "is_worse"),
    [
        ("passed", "failed", True),
        ("marginal", "error", True),
        ("cached", "unreachable", True),
        ("passed", "blocked", True),
        ("passed", "skipped", True),
        ("passed", "marginal", False),
        ("failed", "error", False),
        ("skipped", "failed", False),
        ("failed", "passed", False),
    ],
)
def test_a_verdict_that_got_worse(before: str, after: str, is_worse: bool):
    found = worse_steps([step(before)], [step(after)])
    assert found == ([{"step": "a", "host": "r1", "before": before, "after": after}] if is_worse else [])
    assert not worse_steps([step(before)], [step(after, host="r2")])


@pytest.mark.parametrize(
    ("before", "after", "is_worse"),
    [
        ("passed", "failed", True),
        ("marginal", "failed", True),
        ("passed", "marginal", False),
        ("failed", "failed", False),
        (None, "failed", False),
        ("passed", None, False),
    ],
)
def test_a_criterion_that_got_worse(before: str | None, after: str | None, is_worse: bool):
    found = worse_criteria([{**measured(1), "verdict": before}], [{**measured(1), "verdict": after}], [])
    assert bool(found) is is_worse
    assert not worse_criteria([], [{**measured(1), "verdict": after}], [])


def step(verdict: str = "passed", host: str = "r1", **fields: Any) -> dict[str, Any]:
    row = {"step": "a", "host": host, "verdict": verdict, "reason": "why"}
    return {**row, "seconds": 1.0, "tries": 1, "source_run": None, **fields}


def measured(value: Any, name: str = "m") -> dict[str, Any]:
    return {"step": "a", "host": "r1", "name": name, "value": value, "unit": "s"}


def held(value: Any, key: str = "k_v1") -> dict[str, Any]:
    return {"key": key, "host": "", "value": value}


def test_verdicts():
    assert verdict_changes([step()], [step()]) == []
    assert verdict_changes([step()], [step("failed")]) == [
        {"step": "a", "host": "r1", "before": "passed", "after": "failed", "reason": "why"}
    ]
    assert verdict_changes([step()], []) == [{"step": "a", "host": "r1", "before": "passed", "reason": "why"}]


def test_durations_are_those_of_what_ran_in_both():
    first = [step(seconds=1.0), step(seconds=4.0, host="r2"), step(host="r3", tries=0), step(host="r4")]
    first += [step(host="r5")]
    second = [step(seconds=0.5), step(seconds=5.0, host="r2"), step(host="r3"), step(host="r5", source_run="R0")]
    found = duration_changes(first, second)
    assert [(one["host"], one["before"], one["after"], one["percent"]) for one in found] == [
        ("r2", 4.0, 5.0, 25.0),
        ("r1", 1.0, 0.5, -50.0),
    ]


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (2, 3, {"before": 2, "after": 3, "percent": 50.0}),
        (-2, -1, {"before": -2, "after": -1, "percent": 50.0}),
        (0, 1, {"before": 0, "after": 1}),
        ("up", "down", {"before": "up", "after": "down"}),
        (True, False, {"before": True, "after": False}),
        (1, 1.0, {"before": 1, "after": 1.0, "percent": 0.0}),
        (1, None, {"before": 1, "after": None}),
    ],
)
def test_measurements(before: Any, after: Any, change: dict[str, Any]):
    [found] = measurement_changes([measured(before)], [measured(after)])
    assert found == {"step": "a", "host": "r1", "name": "m", "unit": "s", **change}
    assert measurement_changes([measured(before)], [measured(before)]) == []


def test_what_is_measured_in_another_unit_is_another_measurement():
    found = measurement_changes([measured(5)], [{**measured(5), "unit": "ms"}])
    assert [(one["unit"], one.get("before"), one.get("after")) for one in found] == [("s", 5, None), ("ms", None, 5)]


def test_a_thing_measured_several_times_is_compared_in_its_order():
    found = measurement_changes([measured(1), measured(2)], [measured(1), measured(3), measured(4)])
    assert [(one.get("before"), one.get("after")) for one in found] == [(2, 3), (None, 4)]


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, [("b", 2, 3)]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1]}}, [("a.b.1", 2, "-")]),
        ({"l": [{"name": "x", "v": 1}]}, {"l": [{"name": "x", "v": 2}]}, [("l.x.v", 1, 2)]),
        (1, 2, [("", 1, 2)]),
        ({}, [], [("", {}, [])]),
        ("a", "a", []),
        ({"a.b": 1, "a": {"b": 2}, "z": 1}, {"a.b": 5, "a": {"b": 2}, "z": 2}, [("a.b", 1, 5), ("z", 1, 2)]),
        (
            {"l": [{"name": "x", "v": 1}, {"name": "x", "v": 2}], "z": 1},
            {"l": [{"name": "x", "v": 5}, {"name": "x", "v": 6}], "z": 2},
            [("l.x.v", 1, 5), ("l.1.v", 2, 6), ("z", 1, 2)],
        ),
        ({"a": {}, "z": 1}, {"z": 2}, [("a", {}, "-"), ("z", 1, 2)]),
        ({"a": {}, "z": 1}, {"a": [], "z": 2}, [("a", {}, []), ("z", 1, 2)]),
        ({"a": [], "z": 1}, {"a": [1], "z": 1}, [("a.0", "-", 1)]),
        ({"a": {}}, {"a": {"b": 1}}, [("a.b", "-", 1)]),
        ({"a": {"b": 1}}, {"a": 1}, [("a.b", 1, "-"), ("a", "-", 1)]),
        ({"a": None}, {}, [("a", None, "-")]),
        ([1], [2], [(".0", 1, 2)]),
        (
            {"l": [{"name": "x"}, {"name": "y"}], "z": 1},
            {"l": [{"name": "y"}, {"name": "x"}], "z": 2},
            [("l", [{"name": "x"}, {"name": "y"}], [{"name": "y"}, {"name": "x"}]), ("z", 1, 2)],
        ),
        ({"l": [{"name": "x"}, {"name": "y"}]}, {"l": [{"name": "y"}]}, []),  # but that x is no longer present
    ],
)
def test_fields_of_keys(before: Any, after: Any, fields: list[tuple[str, Any, Any]]):
    found = context_changes([held(before)], [held(after)])
    shown = [(one["field"], one.get("before", "-"), one.get("after", "-")) for one in found]
    assert [one for one in shown if "present" not in one] == fields


# Few names, and such as are used for more than one thing.
NAMES = st.sampled_from(["a", "b", "a.b", "name", "0", "", "present"])
SCALARS = st.sampled_from([None, True, 0, 1, 1.0, "", "a", "b", "0", "present"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@given(VALUES, VALUES)
@settings(max_examples=500)
def test_no_change_hides_another(first: Any, second: Any):
    found = context_changes([held({"v": first, "z": 1})], [held({"v": second, "z": 2})])
    is_same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (len(found) == 1) == is_same
    assert ("z", 1, 2) in [(one["field"], one.get("before"), one.get("after")) for one in found]


@given(VALUES, st.randoms(use_true_random=False))
@settings(max_examples=500)
def test_every_changed_leaf_is_told(value: Any, random: Random):
    changed = copy.deepcopy({"v": value})
    holder: Any = changed
    place: Any = "v"
    while isinstance(holder[place], (dict, list)) and holder[place]:
        holder = holder[place]
        place = random.choice([*holder] if isinstance(holder, dict) else range(len(holder)))
    holder[place] = "another"
    assert context_changes([held({"v": value})], [held(changed)])
    both = context_changes([held({"v": value, "z": 1})], [held({**changed, "z": 2})])
    assert {"key": "k_v1", "host": "", "field": "z", "before": 1, "after": 2} in both
    assert len(both) > 1


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


def test_a_test_without_a_name_has_no_baseline(project: Path) -> None:
    """All playbooks would share one: a burn-in was compared with another playbook, and passed."""
    store([Night({("ping", "r1"): ()}, about={"recipe": {}})])
    for command in ("accept", "compare"):
        done = call("baseline", command)
        assert done.code == 2
        assert "its test has no name, so every playbook would have the same baseline" in done.err
    assert call("baseline", "compare", "--exit-code").code == NOTHING_COMPARED, "no gate lets it through"


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


def test_what_a_waiver_covers_is_not_worse_for_a_gate(project: Path) -> None:
    store([GOOD, Night(BAD.measured, {("ping", "r1"): "waived"})])
    call("baseline", "accept", run_id(1))
    for words in (("baseline", "compare"), ("diff", run_id(1), run_id(2))):
        assert call(*words, "--exit-code")[::2] == (0, "waived: ping on r1: passed -> waived\n")


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


def test_a_gate_measures_with_the_runs_before_as_its_history(project: Path):
    chance = Random(3)
    nights = [
        Night({("ping", f"h{host}"): latency(level * chance.gauss(1, 0.02)) for host in range(12)})
        for level in [100.0] * 21 + [105.0]
    ]
    store(nights)
    same = call("diff", run_id(20), run_id(21), "--exit-code")
    assert (same.code, same.err) == (0, "")
    assert "\nlevels: 1 series compared with 20 runs; smallest shift that would be seen in 9 of 10 cases: " in same.out
    code, out, err = call("diff", run_id(21), run_id(22), "--exit-code")
    assert code == 1
    assert err.startswith("worse: latency of ping (median of 12 hosts): ")
    assert err.endswith(" %); no limit tells which direction is good\n")
    assert "\nchanged: latency of ping (median of 12 hosts): " in out
    call("baseline", "accept", run_id(21))
    data = json.loads(call("baseline", "compare", run_id(22), "--exit-code", "--json").out)
    assert [one["worse"] for one in data["levels"]["shifts"]] == [None]


def test_a_gate_without_a_history_says_what_it_could_compare(project: Path):
    store([Night({("ping", "h1"): latency(level)}) for level in (100.0, 200.0)])
    code, out, _err = call("diff", run_id(1), run_id(2), "--exit-code")
    assert code == 0
    assert out.endswith(
        "\nlevels: only verdicts and criteria were compared: 1 earlier run with the same measurements cannot tell a "
        "shift, which takes 3\n"
    )
