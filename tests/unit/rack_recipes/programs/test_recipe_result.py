# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from rack_recipes.errors import RackError
from rack_recipes.journal.append import append
from rack_recipes.programs.recipe_result import RecipeResult, ResultTable, Verdict, read_result

TIME = "2026-11-25T12:00:00.123456Z"
OK = {"status": "ok", "run_id": "R1"}


def step(name, host, verdict, n=1, **fields):
    return {"kind": "step", "stage": 1, "n": n, "host": host, "step": name, "verdict": verdict, **fields}


def delta(key, host, value, n, scope="host"):
    place = {"kind": "delta", "stage": 1, "n": n, "host": host, "step": "a", "attempt": 1, "scope": scope}
    return {**place, "key": key, "after": value, "based_on": 0, "who": "a", "time": TIME}


@pytest.fixture
def read(tmp_path):
    def read(*records, code=0, answer=None):
        journal = tmp_path / "journal.jsonl"
        journal.unlink(missing_ok=True)
        append(journal, [{"kind": "run", "run": "R1", "time": TIME, "hosts": ["h1", "h2"]}, *records])
        about = {"folder": str(tmp_path), "report": ["runs/report.csv", "runs/report.html"]}
        return read_result(code, {**(OK if answer is None else answer), **about}, tmp_path)

    return read


def test_a_verdict_is_text_with_its_reason():
    verdict = Verdict("failed", "3 errors")
    assert (verdict, repr(verdict), repr(Verdict("passed"))) == ("failed", "'failed' (3 errors)", "'passed'")
    copied = pickle.loads(pickle.dumps(verdict))
    assert (copied, copied.reason) == (verdict, "3 errors")


def test_a_run(read):
    measured = [{"name": "x", "value": 1, "unit": "s"}, {"name": "x", "value": 2, "unit": "s", "verdict": "passed"}]
    found = read(
        step("a", "h1", "passed", measurements=measured),
        step("a", "h2", "failed", reason="down"),
        step("b", "", "passed", 2),
        delta("k_v1", "h1", 1, 1),
        delta("k_v1", "h1", 2, 3),
        delta("r_v1", "", {"x": []}, 4, "run"),
        code=1,
        answer={"status": "failed", "run_id": "R1"},
    )
    assert (found.exit_code, found.status, found.run_id, found.reason) == (1, "failed", "R1", "")
    assert repr(found.status) == "'failed' (a on h2: failed down)"
    assert found.verdicts == {("a", "h1"): "passed", ("a", "h2"): "failed", ("b", ""): "passed"}
    assert found.reasons == {("a", "h1"): "", ("a", "h2"): "down", ("b", ""): ""}
    assert found.measurements["a", "h1"] == {"x": measured[1]}
    assert found.measurements["b"] == {}
    assert found.context == {("k_v1", "h1"): 2, ("r_v1", ""): {"x": []}}
    assert found.steps["b"]["n"] == 2
    assert repr(found) == (
        "<run R1 failed, exit code 1\n  a on h1: passed\n  a on h2: failed down\n  b on the run: passed>"
    )


def test_what_the_recorder_said_never_counts_against_the_host(read):
    assert read(step("a", "h1", "passed"), step("a", "h1", "error", n=0)).verdicts["a"] == "passed"
    assert read(step("a", "h1", "error", n=0), step("a", "h1", "passed")).verdicts["a"] == "passed"
    assert read(step("a", "h1", "failed"), step("a", "h1", "passed", n=2)).verdicts["a"] == "passed"


def test_the_recorder_s_last_word_counts_against_the_host(read):
    last = step("a", "h1", "error", n=0, final=True, reason="wrote k_v1 too late")
    for found in (read(step("a", "h1", "passed"), last), read(last, step("a", "h1", "passed"))):
        assert (found.verdicts["a"], found.reasons["a"]) == ("error", "wrote k_v1 too late")


def test_a_refused_write_fails_its_step_where_the_recorder_could_not_say_so_any_more(read):
    """The recorder may be killed between the write and its last word; the journal tells what that would have been."""
    writes = [{**delta("r_v1", "", who, 1, "run"), "host": who, "step": "a"} for who in ("h1", "h2")]
    rules = {"kind": "run", "run": "R1", "time": TIME, "merge": [{"keys": "r_v1", "policy": "fail"}]}
    found = read(rules, *writes, step("a", "h1", "passed", 2), step("a", "h2", "passed", 2))
    assert found.verdicts["a", "h1"] == "passed"
    assert found.verdicts["a", "h2"] == "error"


def test_where_nothing_was_run():
    found = read_result(2, {"status": "error", "reason": "no such file"}, Path())
    assert (found.exit_code, found.status, found.reason, found.verdicts) == (2, "error", "no such file", {})
    assert repr(found) == "<run not begun error, exit code 2\n  no such file>"
    assert (found.to_dict(), found.get("k_v1"), found.get_history()) == ({}, None, [])
    for table in (found.verdicts, found.reasons, found.measurements, found.steps, found.context):
        for key in ("it", ("it", "h1")):
            with pytest.raises(RackError, match="nothing was run: no such file"):
                table[key]
    with pytest.raises(RackError) as caught:
        read_result(2, {"reason": "nothing was run: no host"}, Path()).verdicts["it"]
    assert str(caught.value) == "nothing was run: no host"


def test_an_instance_without_a_result_has_that_of_its_step(read):
    found = read(
        step("ports", "h1", "passed", instances=1),
        step("ports[1]", "h1", "passed", parent="ports"),
        step("ports", "h2", "unreachable", n=0, reason="no route"),
    )
    assert (found.verdicts["ports[1]", "h2"], found.reasons["ports[9]", "h2"]) == ("unreachable", "no route")
    assert ("ports[1]", "h2") not in found.verdicts
    with pytest.raises(KeyError, match="did you mean 'ports'"):
        found.verdicts["ports[9]", "h1"]
    alone = read(step("ports", "h1", "skipped", reason="when: no"))
    assert alone.reasons["ports[1]"] == "when: no"


def test_the_context_has_its_history_and_the_report_its_path(read, tmp_path):
    found = read(delta("k_v1", "h1", 1, 1), delta("k_v1", "h1", 2, 3))
    assert (found.folder, found.report) == (str(tmp_path), f"{tmp_path}/runs/report.html")
    assert (found.to_dict(), found.get("k_v1"), found.get("x_v1", 7)) == ({"k_v1": 2}, 2, 7)
    assert [(change["before"], change["after"]) for change in found.get_history("k_v1", "h1")] == [(None, 1), (1, 2)]
    assert found.ctx is found.ctx


def test_a_report_that_could_not_be_written_is_the_reason(tmp_path):
    append(tmp_path / "journal.jsonl", [{"kind": "run", "run": "R1", "time": TIME}])
    answer = {**OK, "folder": str(tmp_path), "report": [], "report_error": "the disk is full"}
    found = read_result(5, answer, tmp_path)
    assert (found.report, found.reason) == ("", "the disk is full")


TABLE = ResultTable({("measure", "h1"): 1, ("measure", "h2"): 2, ("wire", "h1"): 3, ("total", ""): 4})


@pytest.mark.parametrize(("key", "expected"), [(("measure", "h2"), 2), ("wire", 3), ("total", 4), (("total", ""), 4)])
def test_a_table_by_name(key, expected):
    assert TABLE[key] == expected


@pytest.mark.parametrize(
    ("table", "key", "expected"),
    [
        (TABLE, "measure", "'measure' is there for h1, h2: name one, as in ['measure', 'h1']"),
        (TABLE, "mesure", "'mesure': did you mean 'measure'?"),
        (TABLE, "xyz", "'xyz': there is measure, total, wire"),
        (TABLE, ("wire", "h2"), "('wire', 'h2'): there is h1"),
        (TABLE, ("measure", "h11"), "('measure', 'h11'): did you mean 'h1'?"),
        (TABLE, ("mesure", "h1"), "('mesure', 'h1'): did you mean 'measure'?"),
        (TABLE, ("total", "h1"), "('total', 'h1'): it is of the run: the host is ''"),
        (ResultTable(), "measure", "'measure': there is nothing"),
        (ResultTable(), 1, "1: there is nothing"),
    ],
)
def test_what_a_table_does_not_have(table, key, expected):
    with pytest.raises(KeyError) as caught:
        table[key]
    assert caught.value.args == (expected,)


@pytest.mark.parametrize(
    ("code", "status", "reason", "verdict", "expected"),
    [
        (0, "ok", "", "passed", ""),
        (1, "failed", "", "failed", ""),
        (1, "unchecked", "", "passed", "run R1 is unchecked (exit code 1)"),
        (1, "failed", "", "skipped", "run R1 is failed (exit code 1)"),
        (5, "not stored", "no database", "passed", "run R1 is not stored (exit code 5): no database"),
        (5, "not stored", "no database", "failed", "run R1 is not stored (exit code 5): no database"),
    ],
)
def test_what_no_step_can_say(code, status, reason, verdict, expected):
    steps = ResultTable({("a", "h1"): step("a", "h1", verdict)})
    assert RecipeResult(code, status, "R1", reason, steps).unexplained() == expected
