# SPDX-License-Identifier: GPL-3.0-or-later

"""An earlier run: what of it is offered again, and what may still be on its hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import delta, end, first, planned, step
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.plan.make_plan import SKIPPED
from rack_recipes.run.current_run import LEFT_OUT
from rack_recipes.run.earlier_run import EarlierRun, find_earlier, read_earlier
from rack_recipes.run.run_folders import hold_run_until_exit

STEPS = (planned("a"), planned("b"), planned("late", stage=2), planned("total", "", stage=3))
INPUTS = "sha256:0"
RECIPE = {"path": "r.yml", "test_id": "T-1"}


def journal(folder: Path, *records: dict[str, Any], run_id: str = "R0", recipe: dict[str, str] | None = None) -> Path:
    path = folder / run_id / "journal.jsonl"
    append(path, [{**first(*STEPS, run_id=run_id), "recipe": RECIPE if recipe is None else recipe}, *records])
    return path


def earlier(folder: Path, *records: dict[str, Any], anew: tuple[str, ...] = ()) -> EarlierRun:
    found = EarlierRun(journal(folder, *records), anew)
    found.catch_up()
    return found


def passed(name: str, host: str = "r1", n: int = 1, **fields: Any) -> dict[str, Any]:
    return step(name, host, n=n, inputs=INPUTS, **fields)


def test_a_step_whose_write_was_refused_is_not_offered(tmp_path: Path):
    """The recorder was killed before it said so."""
    path = tmp_path / "R0" / "journal.jsonl"
    rules = {**first(*STEPS, run_id="R0"), "recipe": RECIPE, "merge": [{"keys": "r_v1", "policy": "fail"}]}
    writes = [delta("r_v1", host, host, scope="run") for host in ("r1", "r2")]
    append(path, [rules, *writes, passed("a", n=2), passed("a", "r2", 2)])
    found = EarlierRun(path)
    found.catch_up()
    assert found.offer("a", "r1") is not None
    assert found.offer("a", "r2") is None


def test_a_result_that_passed_is_offered_with_its_changes(tmp_path: Path):
    mine = [delta("a.key_v1", 1), delta("a.key_v1", 2, n=2, based_on=1), passed("a", n=3)]
    others = [delta("a.key_v1", 3, host="r2"), passed("a", "r2", 2)]
    found = earlier(tmp_path, mine[0], others[0], *mine[1:], others[1])
    assert found.offer("a", "r1") == {
        "run": "R0",
        "inputs": INPUTS,
        "verdict": "passed",
        "kind": "resume",
        "records": mine,
    }


def test_a_looped_step_is_offered_with_its_instances(tmp_path: Path):
    change = {**delta("a.key_v1", 1), "step": "a[x]"}
    loop = [change, passed("a[x]", n=2, parent="a"), passed("a[y]", n=3, parent="a"), passed("a", n=4, instances=2)]
    offer = earlier(tmp_path, *loop, passed("b", n=5)).offer("a", "r1")
    assert offer
    assert offer["records"] == loop


def test_what_it_had_reused_itself_is_named_after_the_run_that_it_is_from(tmp_path: Path):
    offer = earlier(tmp_path, passed("a", **{"from": "R-1"})).offer("a", "r1")
    assert offer
    assert offer["run"] == "R-1"


@pytest.mark.parametrize(
    "records",
    [
        [],
        [step("a", "r1", "failed", inputs=INPUTS)],
        [step("a", "r1", "skipped", inputs=INPUTS)],
        [step("a", "r1", "passed", 0, inputs=INPUTS)],
        [step("a", "r1")],
        [passed("a", "r2")],
        [passed("a"), step("a", "r1", "failed", 2)],
        [step("a", "r1", "waived", inputs=INPUTS, waived={"verdict": "failed", "by": ["w1"]})],
        [
            step("a[x]", "r1", "waived", parent="a", waived={"verdict": "failed", "by": ["w1"]}),
            step("a", "r1", "marginal", 2, inputs=INPUTS, instances=1),
        ],
    ],
)
def test_what_is_not_offered(tmp_path: Path, records: list[dict[str, Any]]):
    assert earlier(tmp_path, *records).offer("a", "r1") is None


def test_what_is_to_run_anew_is_not_offered(tmp_path: Path):
    found = earlier(tmp_path, passed("a"), passed("b", n=2), anew=("b",))
    assert found.offer("a", "r1")
    assert found.offer("b", "r1") is None


def test_results_that_come_late_are_offered_too(tmp_path: Path):
    found = earlier(tmp_path, step("a", "r1", "unreachable", 0), end("interrupted", 1))
    append(found.path, [passed("a")])
    found.catch_up()
    assert found.offer("a", "r1")


ALL_OF_1 = [passed("a"), passed("b", n=2)]


@pytest.mark.parametrize(
    ("records", "wanted", "stages"),
    [
        ([], ("a", "b"), [1]),
        ([], ("late",), []),
        ([], ("a", "late"), [1]),
        ([passed("a")], ("a", "b"), [1]),
        ([passed("a")], ("late",), [2]),
        (ALL_OF_1, ("a", "b"), []),
        (ALL_OF_1, ("late",), [2]),
        ([step("a", "r1", "unreachable", 0), step("b", "r1", "unreachable", 0), passed("late")], ("a", "late"), [1]),
        ([step("a", "r1", "skipped", 0), passed("b")], ("a", "b"), []),
        ([passed("a"), passed("b", "r2")], ("b", "b"), [1]),
        (ALL_OF_1, ("unheard_of",), []),
    ],
)
def test_where_a_host_may_have_more(tmp_path: Path, records: list[dict[str, Any]], wanted: Any, stages: list[int]):
    assert earlier(tmp_path, *records).unfinished(wanted, "r1") == stages


def test_what_runs_once_has_a_place_of_its_own(tmp_path: Path):
    assert earlier(tmp_path).unfinished(["total", "a"], "") == [3]


def test_a_run_by_the_beginning_of_its_name(tmp_path: Path):
    journal(tmp_path, passed("a"))
    found = find_earlier(tmp_path, "R", "", RECIPE, STEPS)
    assert found
    assert found.run_id == "R0"
    assert found.offer("a", "r1")
    with pytest.raises(UsageError, match="still goes on"):
        hold_run_until_exit(tmp_path / "R0")


@pytest.mark.parametrize(
    "recipe", [{"path": "r.yml"}, {"test_id": "T-1"}, {"path": "r.yml", "test_id": "T-2"}, {"path": "x", **RECIPE}]
)
def test_the_recipe_is_the_same_by_its_path_or_its_id(tmp_path: Path, recipe: dict[str, str]):
    journal(tmp_path)
    assert find_earlier(tmp_path, "R0", "", recipe, STEPS)


def test_the_newest_of_the_recipe_where_only_a_step_is_named(tmp_path: Path):
    for run_id in ("R1", "R2"):
        journal(tmp_path, *ALL_OF_1, passed("a", "r2"), passed("total", ""), run_id=run_id)
    journal(tmp_path, run_id="R3", recipe={"path": "other.yml", "test_id": "T-3"})
    (tmp_path / "R4").mkdir()
    (tmp_path / "R4/journal.jsonl").write_bytes(b"\nnoise\n")
    found = find_earlier(tmp_path, "", "b", RECIPE, STEPS)
    assert found
    assert found.run_id == "R2"
    assert [bool(found.offer(name, host)) for name, host in (("a", "r1"), ("b", "r1"), ("total", ""))] == [
        True,
        False,
        False,
    ]


def test_the_newest_of_one_second(tmp_path: Path):
    for run_id, fraction in (("20261127-074533-ff37d7", "1"), ("20261127-074533-0a11ce", "9")):
        record = {**first(*STEPS, run_id=run_id), "recipe": RECIPE, "time": f"2026-11-27T07:45:33.{fraction}00000Z"}
        append(tmp_path / run_id / "journal.jsonl", [record])
    assert find_earlier(tmp_path, "", "a", RECIPE, STEPS).run_id == "20261127-074533-0a11ce"


@pytest.mark.parametrize(
    ("resume", "resume_from", "recipe", "text"),
    [
        ("R9", "", RECIPE, "there is no run 'R9' in {runs}"),
        (
            "R0",
            "",
            {"path": "x.yml", "test_id": "T-2"},
            "run R0 was one of r.yml (T-1), not of x.yml (T-2)",
        ),
        ("R1", "", RECIPE, "run R1 had not begun: there is nothing to go on from"),
        ("", "a", {"path": "x.yml"}, "there is no earlier run of x.yml (no test_id) in {runs}"),
        ("R0", "lat", RECIPE, "there is no step 'lat' to resume from: did you mean 'late'?"),
        ("R0", "xyz", RECIPE, "there is no step 'xyz' to resume from: there are a, b, late, total"),
    ],
)
def test_a_run_that_cannot_be_gone_on_with(
    tmp_path: Path, resume: str, resume_from: str, recipe: dict[str, str], text: str
):
    journal(tmp_path)
    (tmp_path / "R1").mkdir()
    (tmp_path / "R1/journal.jsonl").write_bytes(b'\n{"_":"00000040')
    with pytest.raises(UsageError) as caught:
        find_earlier(tmp_path, resume, resume_from, recipe, STEPS)
    assert str(caught.value) == text.format(runs=tmp_path)


def test_a_run_that_still_goes_on(tmp_path: Path):
    journal(tmp_path)
    hold_run_until_exit(tmp_path / "R0")
    with pytest.raises(UsageError, match="run R0 still goes on: its controller is alive"):
        find_earlier(tmp_path, "R0", "", RECIPE, STEPS)


def gap(folder: Path, step: str, *records: dict[str, Any], recipe: dict[str, Any] = RECIPE) -> str:
    """Why a run of these records cannot be resumed from a step; empty where it can."""
    journal(folder, *records)
    try:
        read_earlier(folder / "R0/journal.jsonl", step, recipe, STEPS)
    except UsageError as error:
        return str(error)
    return ""


BOTH = [passed("a"), passed("a", "r2", 2)]


@pytest.mark.parametrize(
    ("step_name", "records", "names"),
    [
        ("a", [], ""),
        ("b", BOTH, ""),
        ("b", [], "a on r1, r2"),
        ("b", [passed("a")], "a on r2"),
        ("late", BOTH, "b on r1, r2"),
        ("total", BOTH, "b on r1, r2; late on r1, r2"),
        ("b", [passed("a"), step("a", "r2", "failed", 2)], ""),
        ("b", [passed("a"), step("a", "r2", "skipped", 2, reason="when: does not hold")], ""),
        ("b", [passed("a"), step("a", "r2", "skipped", 0, reason="left out by its task: when: x")], ""),
        ("b", [passed("a"), step("a", "r2", "skipped", 2, reason=SKIPPED)], "a on r2"),
        ("b", [passed("a"), step("a", "r2", "skipped", 0, reason=LEFT_OUT)], "a on r2"),
        ("b", [passed("a"), step("a", "r2", "skipped", 2, reason="the time box of 9 s is over")], "a on r2"),
        ("b", [passed("a"), step("a", "r2", "blocked", 2)], "a on r2"),
        ("b", [passed("a"), step("a", "r2", "unreachable", 0)], "a on r2"),
    ],
)
def test_what_stands_before_has_to_have_run(tmp_path: Path, step_name: str, records: list[Any], names: str):
    said = gap(tmp_path, step_name, *records)
    first = names.split(" ", maxsplit=1)[0]
    expected = (
        f"cannot resume from {step_name}: what stands before it has to have run in run R0, and {names} never did: "
        f"resume from {first}, or leave out by --skip what shall not run"
    )
    assert said == (expected if names else "")


def test_what_is_left_out_now_need_not_have_run(tmp_path: Path):
    assert gap(tmp_path, "late", *BOTH, recipe={**RECIPE, "options": {"skip": ["b"]}}) == ""


def test_a_closing_step_need_not_have_run(tmp_path: Path):
    path = journal(tmp_path, passed("a"))
    closing = RunStep("b", 9, 1, "host", ("r1",), always=True)
    assert read_earlier(path, "late", RECIPE, [RunStep("a", 1, 1, "host", ("r1",)), closing, STEPS[2]])


def test_the_order_in_the_file_is_that_of_idx_or_the_one_that_is_given(tmp_path: Path):
    """The order in which steps run may be another one: by a seed, or since a step reads what a later one writes."""
    steps = [
        RunStep("late", 1, 3, "host", ("r1",)),
        RunStep("b", 1, 3, "host", ("r1",)),
        RunStep("a", 2, 1, "host", ()),
    ]
    path = journal(tmp_path, passed("late"), passed("b", n=2), passed("a", n=3))

    def anew(recipe: dict[str, Any], name: str) -> list[str]:
        found = read_earlier(path, name, recipe, steps)
        return [step.name for step in steps if not found.offer(step.name, "r1")]

    assert anew(RECIPE, "b") == ["b"]
    assert anew(RECIPE, "a") == ["late", "b", "a"]
    assert anew({**RECIPE, "order": ["a", "b", "late"]}, "b") == ["late", "b"]
