# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import (
    TIME,
    a_run,
    delta,
    first,
    log,
    planned,
    step,
)
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.step_results_and_end_status import UNTESTED, StepEnd
from rack_recipes.run import current_run as module
from rack_recipes.run.current_run import (
    IN_CHECK,
    LEFT_OUT,
    WAITS,
    Part,
    ReusableResults,
    Run,
    RunInputs,
    checks_of,
    counts_of,
    current,
    host_result,
    not_passed,
    refuse,
    results_of,
    set_current,
    why_missing,
)
from rack_recipes.run.earlier_run import EarlierRun


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_run(tmp_path, planned("a"), planned("odd", "r1"), planned("total", ""))


@pytest.fixture(autouse=True)
def _no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HOLDER", module._Holder())


def told(run: Run, *records: dict[str, Any]) -> None:
    append(run.path, records)
    run.catch_up()


def test_the_journal_makes_verdicts_and_context(run: Run):
    told(run, delta("a.key_v1", 7), step("a", "r1", "failed", 2, "too hot"))
    assert run.results.ended == {("a", "r1"): StepEnd("failed", "too hot")}
    assert run.context.get("a.key_v1", "r1") == 7
    told(run, step("a", "r2"))
    assert set(run.results.ended) == {("a", "r1"), ("a", "r2")}


def test_what_is_only_there_to_be_read_is_shown_once(run: Run):
    shown: list[dict[str, Any]] = []
    append(run.path, [log("start", "x"), delta("a.key_v1", 7), log("end", "y")])
    run.catch_up(shown.append)
    run.catch_up(shown.append)
    assert [record["event"] for record in shown] == ["start", "end"]


def test_a_step_whose_write_was_refused_has_its_last_word(run: Run):
    head = {"kind": "run", "run": "R1", "time": TIME, "merge": [{"keys": "*", "policy": "fail"}]}
    told(run, head, *(delta("a.key_v1", host, host, scope="run") for host in ("r1", "r2")))
    assert run.to_append() == []
    told(run, step("a", "r1", n=2), step("a", "r2", n=2))
    assert run.results.ended["a", "r2"].is_final
    (last,) = run.to_append()
    assert (last["host"], last["verdict"], last["n"], last["final"]) == ("r2", "error", 0, True)
    told(run, last, step("a", "r2", "failed", n=3))
    assert run.results.ended["a", "r2"].verdict == "error"
    assert [each["n"] for each in run.to_append()] == [0]  # of the record that came later


def test_what_has_no_verdict_yet(run: Run):
    told(run, step("a", "r1"))
    assert [(each.name, host) for each, host in run.missing()] == [("a", "r2"), ("odd", "r1"), ("total", "")]


def test_without_the_recorder_it_is_said_what_to_do():
    with pytest.raises(UsageError, match=r"callbacks_enabled = rack\.recipes\.recorder"):
        current()


def test_a_refused_run_has_its_reason():
    refuse(UsageError("no host matches 'x' here"))
    with pytest.raises(UsageError, match="no host matches 'x' here"):
        current()


def test_the_run_of_this_process(run: Run):
    set_current(run)
    assert current() is run
    set_current(None)
    with pytest.raises(UsageError):
        current()


def test_the_hosts_of_a_run_in_check_mode(tmp_path: Path):
    run = ended(tmp_path, NOTHING, step("a", "r2", "error", reason="argument 'x' is missing"))
    run.inputs = RunInputs(options={"check": True})
    assert not_passed(run) == ["r2"]
    assert host_result(Part(run), "r1") == {"changed": False, "msg": IN_CHECK}
    assert host_result(Part(run), "r2")["msg"] == "a error: argument 'x' is missing"


def ended(folder: Path, *records: dict[str, Any]) -> Run:
    run = a_run(folder, planned("a"), planned("b"), planned("total", ""))
    append(run.path, records)
    run.catch_up()
    return run


def test_counts(tmp_path: Path):
    run = ended(tmp_path, step("a", "r1", checks=2), step("a", "r2", "failed", checks=1), step("b", "r1", n=2))
    assert (counts_of(run), checks_of(run)) == ({"failed": 1, "passed": 2}, 3)


def test_instances_count_instead_of_their_looped_step(tmp_path: Path):
    run = ended(tmp_path, *LOOP)
    assert (counts_of(run), checks_of(run)) == ({"failed": 1, "passed": 1}, 2)


LOOP = (
    step("a[x]", "r1", n=1, parent="a", checks=1),
    step("a[y]", "r1", "failed", 2, "hot", parent="a", checks=1),
    step("a", "r1", "failed", 3, "a[y] failed", instances=2, checks=2),
)
NOTHING = step("a", "r1", "skipped")
GOOD_ELSEWHERE = step("a", "r2", checks=1)


@pytest.mark.parametrize(
    ("records", "hosts"),
    [
        ([], ["r1", "r2"]),
        ([step("a", "r2", "failed"), step("a", "r1", "error")], ["r1", "r2"]),
        ([step("a", "r2", "skipped"), step("a", "r1", "waived", checks=1)], []),
        ([step("total", "", "failed")], ["r1"]),
        ([step("total", "", "blocked")], ["r1"]),
        ([step("total", "", "blocked"), step("a", "r2", "failed")], ["r2"]),
        ([step("total", "", "failed"), step("a", "r2", "failed")], ["r1", "r2"]),
        ([step("total", "", checks=1)], []),
        ([*LOOP], ["r1"]),
        ([NOTHING], ["r1", "r2"]),
        ([step("a", "r2")], ["r1", "r2"]),
    ],
)
def test_the_hosts_that_did_not_pass(tmp_path: Path, records: list[dict[str, Any]], hosts: list[str]):
    assert not_passed(ended(tmp_path, *records)) == hosts


@pytest.mark.parametrize(
    ("records", "kind", "msg"),
    [
        ([step("a", "r1", checks=1)], None, "every step passed"),
        ([step("a", "r1")], "failed", "nothing was checked in this run"),
        (
            [step("a", "r1", "waived"), step("b", "r1", "waived", 2), step("c", "r1")],
            None,
            "every step passed or is waived: a, b",
        ),
        ([step("a", "r2", "waived"), step("c", "r1")], None, "every step passed"),
        (
            [step("a", "r1", "skipped", reason="when: x"), GOOD_ELSEWHERE],
            None,
            "every step was skipped here (a: when: x)",
        ),
        ([NOTHING], "failed", "no step of this run passed"),
        ([*LOOP], "failed", "a[y] failed: hot"),
        ([step("a", "r2", "failed")], None, "every step passed"),
        ([step("a", "r1", "failed", reason="too hot")], "failed", "a failed: too hot"),
        ([step("total", "", "failed", reason="differ")], "failed", "total failed: differ"),
        ([step("a", "r1", "unreachable", reason="gone")], "unreachable", "a unreachable: gone"),
        (
            [step("a", "r1", "unreachable", reason="gone"), step("b", "r1", "blocked", 2, "a")],
            "unreachable",
            "a unreachable: gone; b blocked: a",
        ),
        ([step("b", "r1", "blocked", reason="total did not pass")], "failed", "b blocked: total did not pass"),
        (
            [step("a", "r1", "unreachable", reason="gone"), step("b", "r1", "failed", 2, "hot")],
            "failed",
            "a unreachable: gone; b failed: hot",
        ),
        (
            [step(f"s{n}", "r1", "failed", n, f"hot {n}") for n in range(1, 8)],
            "failed",
            "; ".join(f"s{n} failed: hot {n}" for n in range(1, 6)),
        ),
        (
            [step(f"s{n}", "r1", "unreachable", n, "gone") for n in range(1, 8)],
            "unreachable",
            "s1, s2, s3 and 4 more unreachable: gone",
        ),
    ],
)
def test_a_host_fails_for_its_reasons(tmp_path: Path, records: list[dict[str, Any]], kind: str | None, msg: str):
    found = host_result(Part(ended(tmp_path, *records)), "r1")
    found.pop("steps", None)
    assert found == {"changed": False, "msg": msg, **({kind: True} if kind else {})}


def test_the_result_of_a_host_has_a_line_for_each_step_that_did_not_pass(tmp_path: Path):
    run = ended(tmp_path, step("a", "r1", "failed", reason="too hot"), step("b", "r1", "blocked", 2, "a"), GOOD)
    append(run.path, [step("c", "r1", "failed", 4, "too hot")])
    run.catch_up()
    assert host_result(Part(run), "r1")["steps"] == [
        "failed      a  too hot",
        "blocked     b  a",
        "failed      c  as a",
    ]


GOOD = step("good", "r1", n=3, checks=1)
STAGES = (planned("a"), planned("b", stage=2), planned("total", "", stage=2), planned("c", stage=3))


def parts(folder: Path, *records: dict[str, Any]) -> Run:
    run = a_run(folder, *STAGES)
    append(run.path, records)
    run.catch_up()
    return run


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (
            [step("a", "r1", "failed"), step("b", "r2", checks=1)],
            {"r1": "every step passed", "r2": "every step passed"},
        ),
        ([step("b", "r2", "failed", reason="hot")], {"r1": "every step passed", "r2": "b failed: hot"}),
        # the play has no r1
        ([step("total", "", "failed", reason="differ")], {"r2": "total failed: differ"}),
        ([step("a", "r2", checks=1), step("b", "r2", "skipped", 2)], {"r2": "no step of this run passed"}),
        ([step("a", "r2", checks=1), step("b", "r2", n=2)], {"r2": "nothing was checked in this run"}),
        ([step("b[x]", "r2", "failed", reason="hot", parent="b")], {"r2": "b[x] failed: hot"}),
        # its stage was included while the playbook ran, and has no number in the plan
        ([step("late", "r2", "error", reason="not planned")], {"r2": "late error: not planned"}),
    ],
)
def test_a_part_is_judged_by_its_own_stages(tmp_path: Path, records: list[dict[str, Any]], said: dict[str, str]):
    part = Part(parts(tmp_path, *records), [2, 3], "r2")
    assert {host: host_result(part, host)["msg"] for host in said} == said


@pytest.mark.parametrize(
    ("records", "kind", "msg"),
    [
        ([step("a", "r1", "skipped"), step("b", "r1", n=2, checks=1)], "failed", "no step of the role x passed"),
        (
            [step("a", "r1", "failed", reason="hot"), step("b", "r1", "unreachable", n=2, reason="gone")],
            "failed",
            "a failed: hot; b unreachable: gone",
        ),
        ([step("a", "r1", "unreachable", reason="gone")], "unreachable", "a unreachable: gone"),
        # that a host took no part in a step between hosts is no matter of another role
        ([step("a", "r1", checks=1), step("b", "r1", n=2, checks=1)], None, "every step passed"),
    ],
)
def test_a_verdict_may_judge_several_roles(
    tmp_path: Path, records: list[dict[str, Any]], kind: str | None, msg: str
) -> None:
    run = parts(tmp_path, *records, step("b", "r2", n=2, checks=1), step("c", "r2", n=3, reason=UNTESTED))
    both = [Part(run, [1], "r1", "the role x"), Part(run, [2], "r1", "the role y")]
    found = results_of(both, "r1", is_last=True)
    assert (found["msg"], {"failed", "unreachable"} & found.keys()) == (msg, {kind} if kind else set())
    waits = results_of(both, "r1", is_last=False)
    assert waits == ({"changed": False, "msg": WAITS} if kind == "failed" else found)


def test_nothing_is_said_of_a_part_that_tags_leave_out(tmp_path: Path):
    run = parts(tmp_path, step("a", "r1", "failed"), step("b", "r1", "failed"))
    run.left_out = {"b", "total", "a"}
    assert host_result(Part(run, [2], "r1"), "r1") == {"changed": False, "skipped": True, "msg": LEFT_OUT}
    assert host_result(Part(run, [2, 3], "r1"), "r1")["failed"]
    assert host_result(Part(run), "r1")["failed"]


def test_a_key_that_is_missing_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    run = a_run(tmp_path, planned("a"))
    assert why_missing(run, "cpu.stress_v1", "r1") == (
        "the context has no key cpu.stress_v1 for r1: no stage has set any key there yet"
    )
    told(run, delta("cpu.stress_v1", 1), delta("disk.fio_v1", 1, n=2))
    assert why_missing(run, "cpu.stres_v1", "r1") == "the context has no key cpu.stres_v1 for r1: it has cpu.stress_v1"
    assert why_missing(run, "x", "r1") == "the context has no key x for r1: it has cpu.stress_v1, disk.fio_v1"
    assert why_missing(run, "x", "r11").startswith("the run has no host 'r11' (did you mean 'r1'?)")


CACHED = {"run": "R9", "inputs": "sha256:1", "verdict": "passed", "kind": "cache", "records": []}


def read(path: Path) -> EarlierRun:
    earlier = EarlierRun(path)
    earlier.catch_up()
    return earlier


def test_without_anything_nothing_is_offered():
    assert ReusableResults().offers([{"name": "a"}], "r1") == {}


def test_the_earlier_run_comes_first_and_steps_without_offers_are_left_out(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    append(path, [first(planned("a"), planned("b")), step("a", "r1", inputs="sha256:0")])
    earlier = read(path)
    cached = {("a", "r1"): [CACHED], ("b", "r2"): [CACHED]}
    found = ReusableResults(earlier, cached).offers([{"name": "a"}, {"name": "b", "always": False}], "r1")
    assert [(name, [offer["kind"] for offer in offers]) for name, offers in found.items()] == [
        ("a", ["resume", "cache"])
    ]


def test_nothing_is_offered_for_a_closing_step(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    append(path, [first(planned("restore")), step("restore", "r1", inputs="sha256:0")])
    reusable = ReusableResults(read(path), {("restore", "r1"): [CACHED]})
    assert reusable.offers([{"name": "restore"}], "r1")
    assert reusable.offers([{"name": "restore", "always": True}], "r1") == {}
